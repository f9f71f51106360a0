"""Normalised features are told from features as they are, from those of a model, and from what is no motion."""

import numpy as np
import pytest

from dataset.humanml.statistics import compute_mean_std
from dataset.toy.clips import toy_clips
from utils.errors import InputError
from utils.motion.features import features_from_joints
from utils.motion.plausibility import NORMALISED, check_features
from utils.motion.skeleton import KIT, T2M


@pytest.fixture(scope="module")
def motions():
    return [features_from_joints(clip.joints, T2M) for clip in toy_clips(24, seed=1)]


def test_features_as_they_are_pass(motions):
    for motion in motions:
        check_features(motion, T2M)
        check_features(motion[:1], T2M)
        check_features(motion[:0], T2M)


@pytest.mark.parametrize("scale", [1, 1 / 25], ids=["Std", "the evaluator's std"])
def test_normalised_features_are_told(motions, scale):
    mean, std = compute_mean_std(motions, T2M)
    for motion in motions:
        with pytest.raises(InputError) as caught:
            check_features((motion - mean) / (std * scale), T2M)
        assert str(caught.value) == NORMALISED


def test_contacts_of_a_model_need_not_be_zero_or_one(motions):
    rng = np.random.default_rng(0)
    for motion in motions:
        soft = motion.copy()
        soft[:, T2M.contacts_slice] += rng.normal(0, 0.1, (len(motion), 4))
        check_features(soft, T2M)


@pytest.mark.parametrize("skeleton", [T2M, KIT], ids=lambda skeleton: skeleton.name)
def test_numbers_that_are_no_motion_are_not_called_normalised(skeleton):
    shape = (40, skeleton.feature_dim)
    ramp = np.arange(40.0)[:, None] * np.ones(skeleton.feature_dim)
    for numbers in (np.zeros(shape), np.full(shape, 0.3), ramp, np.random.default_rng(0).normal(size=shape)):
        check_features(numbers, skeleton)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(motions, value):
    broken = motions[0].copy()
    broken[3, 7] = value
    with pytest.raises(InputError, match="NaN in the motion"):
        check_features(broken, T2M)
