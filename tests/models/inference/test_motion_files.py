"""Motion files of any kind are read as joints in metres or as features; what is no person is refused by name."""

import logging

import numpy as np
import pytest

from dataset.humanml.statistics import compute_mean_std
from models.inference.motion_files import MotionReading, read_motion
from models.inference.results import GeneratedMotion
from utils.errors import InputError
from utils.motion.features import features_from_joints
from utils.motion.skeleton import KIT, T2M


@pytest.fixture
def save(tmp_path):
    def write(array, name="x.npy"):
        np.save(tmp_path / name, array)
        return tmp_path / name

    return write


@pytest.mark.parametrize("factor", [1, 100, 1000], ids=["m", "cm", "mm"])
def test_the_legs_tell_the_unit(save, walk, factor):
    assert np.allclose(read_motion(save(walk * factor), T2M), walk, atol=1e-6)


def test_flags_know_better_than_files(save, walk):
    lying = walk[..., [0, 2, 1]] * (1, -1, 1)  # Z up, in inches, at 40 frames a second
    path = save(np.repeat(lying, 2, axis=0) / 0.0254)
    read = read_motion(path, T2M, MotionReading(metres_per_unit=0.0254, up="z", fps=40))
    assert len(read) == pytest.approx(len(walk), abs=1) and np.allclose(read[:40], walk[:40], atol=0.05)


def test_a_bvh_of_ours_comes_back(tmp_path, walk):
    made = GeneratedMotion("walks", "", np.arange(3), np.zeros((len(walk), 263)), walk.astype(np.float32), T2M)
    for ending in ("bvh", "npy"):
        read = read_motion(made.save(tmp_path / f"walk.{ending}"), T2M)
        assert read.shape == walk.shape and np.abs(read - walk).max() < 0.01, ending


def test_features_are_features(save, walk):
    features = features_from_joints(walk, T2M)
    assert np.array_equal(read_motion(save(features), T2M), features)


def test_what_is_no_motion_is_refused(save, toy_joints, walk, tmp_path):
    features = features_from_joints(walk, T2M)
    mean, std = compute_mean_std((features_from_joints(joints, T2M) for joints in toy_joints), T2M)
    holes = walk.copy()
    holes[7] = np.nan
    mirrored = walk * (-1, 1, 1)
    (tmp_path / "x.txt").write_text("x")
    (tmp_path / "x.bvh").write_text("HIERARCHY")
    for path, message in (
        (save((features - mean) / std, "n.npy"), "normalised"),
        (save(np.where(features > 1e9, 0, np.nan), "nan.npy"), "NaN"),
        (save(holes, "holes.npy"), "NaN"),
        (
            save(features * np.where(np.arange(263) < 193, 100, 1), "scaled.npy"),
            "scaled.npy: a body of no person's size",
        ),
        (save(features + 2.5 * (np.arange(263) == 1), "fast.npy"), "moves at 5[0-9.]* m/s"),
        (save(walk[:, :20], "few.npy"), "expected joints"),
        (save(features[:, :100], "narrow.npy"), "263"),
        (save(walk * 1e6, "huge.npy"), "--unit"),
        (save(mirrored, "mirror.npy"), "left|right"),
        (tmp_path / "x.txt", "ends in"),
        (tmp_path / "x.bvh", "x.bvh"),
        (tmp_path / "none.npy", "none.npy"),
    ):
        with pytest.raises(InputError, match=message):
            read_motion(path, T2M)
    taken = read_motion(tmp_path / "mirror.npy", T2M, MotionReading(any_posture=True))
    assert np.allclose(taken, mirrored)


def test_who_lies_is_taken_with_a_word(save, walk, caplog):
    lying = walk[..., [0, 2, 1]] * (1, 1, -1)
    with caplog.at_level(logging.WARNING):
        read_motion(save(lying), T2M)
    assert "do not stand" in caplog.text and "up" in caplog.text


def test_joints_of_another_skeleton_are_refused(save, walk):
    with pytest.raises(InputError, match="21"):
        read_motion(save(walk), KIT)
