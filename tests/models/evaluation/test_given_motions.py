"""Motions of others that are mostly no people who stand are refused in a line, and an odd one among others is not."""

import numpy as np
import pytest

from dataset.toy.clips import toy_clips
from models.evaluation.predictions_file import read_predictions
from utils.errors import InputError
from utils.motion.features import features_from_joints
from utils.motion.skeleton import KIT, T2M


@pytest.fixture(scope="module")
def people():
    return [clip.joints for clip in toy_clips(9, seed=0)]


@pytest.fixture
def judged(tmp_path, people):
    """Read a folder of toy people, changed from clip `first` on; `look` as a command does."""

    def read(change, first=0, look=True, skeleton=T2M):
        for number, joints in enumerate(people):
            np.save(tmp_path / f"{number}.npy", change(joints) if number >= first else joints)
        return read_predictions(tmp_path, "t2m", skeleton, look=look)

    return read


def features(joints):
    return features_from_joints(joints, T2M).astype(np.float32)


def normalised(joints):
    """A model's: its contacts have many values, so that these do not tell."""
    found = features(joints)
    found[:, T2M.contacts_slice] = np.random.default_rng(0).uniform(size=(len(found), 4))
    return (found - found.mean(axis=0)) / (found.std(axis=0) + 1e-3)


CHANGED = {
    "centimetres": (lambda joints: joints * 100, r"have no person's size, in 0 the legs are 79 m long \(in cm\?\)"),
    "millimetres": (lambda joints: joints * 1000, r"\(in mm\?\)\. Expected are joints in metres, Y up"),
    "Z up": (lambda joints: joints[..., [0, 2, 1]] * (1, -1, 1), "do not stand, in 0 the head is up along z"),
    "mirrored": (lambda joints: joints * (-1, 1, 1), "are mirrored, in 0 left is not on the left"),
    "at one place": (np.zeros_like, "the legs are 0 m long"),
    "normalised": (normalised, "Expected are features as a data set of .* not normalised"),
    "features of centimetres": (lambda joints: features(joints * 100), "the legs are 79 m long. Expected are features"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_most_motions_that_are_no_people_are_refused(judged, name):
    change, said = CHANGED[name]
    with pytest.raises(InputError, match=f"9 of 9 motions looked at are no people who stand.*{said}") as error:
        judged(change)
    assert "\n" not in str(error.value) and "--any-posture" in str(error.value)
    assert len(judged(change, look=False)) == 9


@pytest.mark.parametrize("name", CHANGED)
def test_odd_motions_among_others_are_judged_as_they_are(judged, name):
    change, _ = CHANGED[name]
    found = {prediction.id: prediction.motion for prediction in judged(change, first=5)}
    plain = {prediction.id: prediction.motion for prediction in judged(change, first=5, look=False)}
    assert all(np.array_equal(found[id], plain[id]) for id in plain) and len(plain) == 9


@pytest.mark.parametrize("change", [lambda joints: joints, features])
def test_people_pass(judged, change):
    assert len(judged(change)) == 9


def test_the_unit_is_that_of_the_skeleton(judged):
    """Joints in metres are no person of a data set in millimetres."""
    with pytest.raises(InputError, match=f"Expected are joints in units of {KIT.metres_per_unit:g} m"):
        judged(lambda joints: joints[:, :21], skeleton=KIT)
