"""Normalised features are told from features as they are, from those of a model, and from what is no motion."""

import numpy as np
import pytest

from dataset.humanml.statistics import compute_mean_std
from dataset.toy.clips import toy_clips
from tests.places import SHARED
from utils.errors import InputError
from utils.motion.features import features_from_joints
from utils.motion.plausibility import NORMALISED, SIZELESS, check_features, check_person, check_size
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


@pytest.mark.parametrize("turn", [(0, 1, 2), (0, 2, 1), (1, 0, 2)], ids=["as they are", "lying", "on a side"])
def test_people_have_a_size_however_they_lie(turn):
    for skeleton in (T2M, KIT):
        for clip in toy_clips(6, seed=1):
            joints = clip.joints[:, : skeleton.num_joints, turn] / skeleton.metres_per_unit
            motion = features_from_joints(joints, skeleton)
            for part in (motion, motion[:1], motion[:0]):
                check_person(part, skeleton)


@pytest.mark.parametrize("name", ["000612", "012314"])
def test_published_clips_have_a_size(name):
    sample = SHARED / "data/humanml3d_sample" / f"{name}_new_joint_vecs.npy"
    if not sample.is_file():
        pytest.skip(f"{sample} is not here")
    features = np.load(sample)
    check_person(features, T2M)
    for scaled in (features * 100, features / 100):
        with pytest.raises(InputError, match="no person's size"):
            check_size(scaled, T2M)


@pytest.mark.parametrize("scale", [0.001, 0.01, 39.37, 100, 1000, 1e37])
def test_another_unit_is_no_persons_size(motions, scale):
    for motion in motions:
        scaled = (motion * np.float64(scale)).astype(np.float32)
        with pytest.raises(InputError) as caught:
            check_size(scaled, T2M)
        assert str(caught.value) == SIZELESS


def test_most_frames_decide_about_size_and_speed(motions):
    motion = motions[0].copy()
    for columns, scale, said in ((T2M.positions_slice, 100, SIZELESS), (slice(1, 3), 1e6, "m/s")):
        broken = motion.copy()
        broken[: int(0.4 * len(motion)), columns] = motion[: int(0.4 * len(motion)), columns] * scale
        check_person(broken, T2M)
        broken[:, columns] = motion[:, columns] * scale + 1e-3 * scale
        with pytest.raises(InputError, match=said):
            check_person(broken, T2M)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(motions, value):
    broken = motions[0].copy()
    broken[3, 7] = value
    with pytest.raises(InputError, match="NaN in the motion"):
        check_features(broken, T2M)
