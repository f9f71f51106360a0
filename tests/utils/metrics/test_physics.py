"""Physics metrics on motions whose defects are known in metres."""

import numpy as np
import pytest

from utils.metrics.physics import bone_length_drift, float_mm, mean_jerk, penetration_mm, skating_ratio
from utils.motion.resampling import resample_linear
from utils.motion.skeleton import T2M


def still(frames=41, lift=0.0):
    """A body of stretched bones that does not move; its feet are at height `lift`."""
    joints = np.cumsum(np.ones((22, 3)), axis=0) * 0.05
    joints[[10, 11]] = [[0.1, 0.0, 0.1], [-0.1, 0.0, 0.1]]
    joints[:, 1] += lift - joints[:, 1].min()
    return np.repeat(joints[None], frames, axis=0)


def test_a_still_body_on_the_floor_is_perfect():
    joints = still()
    for metric in (skating_ratio, penetration_mm, float_mm, mean_jerk, bone_length_drift):
        assert metric(joints) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("speed", "height", "expected"), [(1.0, 0.0, 0.5), (0.4, 0.0, 0.0), (1.0, 0.06, 0.0)])
def test_skating_is_the_share_of_steps_in_which_a_low_foot_slides(speed, height, expected):
    joints = still()
    # The left toe slides along x during the first 20 of 40 steps.
    joints[:, 10, 0] += np.minimum(np.arange(41), 20) * speed / 20
    joints[:, 10, 1] += height
    # The 5-step mean includes zeros outside: 3 of 5 steps at 1 m/s still pass 0.5 m/s, at either end.
    assert skating_ratio(joints, fps=20) == pytest.approx(expected)


def test_skating_needs_both_frames_low_and_depends_on_fps():
    joints = still()
    joints[:, 11, 2] += np.arange(41) / 20
    assert skating_ratio(joints, fps=20) == 1.0
    assert skating_ratio(joints, fps=5) == 0.0
    joints[::2, 11, 1] = 0.2
    assert skating_ratio(joints, fps=20) == 0.0


def test_one_quick_step_is_not_skating():
    joints = still()
    joints[20:, 10, 0] += 0.1  # 2 m/s for one step: 0.4 m/s over five
    assert skating_ratio(joints, fps=20) == 0.0


def test_depth_and_height_are_in_millimetres():
    assert penetration_mm(still(lift=-0.03)) == pytest.approx(30)
    assert float_mm(still(lift=-0.03)) == 0
    assert float_mm(still(lift=0.1)) == pytest.approx(100)
    assert float_mm(still(lift=0.004)) == 0 and penetration_mm(still(lift=-0.004)) == 0
    half = np.concatenate([still(10, lift=0.1), still(30)])
    assert float_mm(half) == pytest.approx(25)


def test_jerk_of_a_cubic_is_constant():
    joints = still()
    time = np.arange(41) / 20
    joints[..., 0] += 2.0 * time[:, None] ** 3  # third derivative 12 m/s^3
    assert mean_jerk(joints, fps=20) == pytest.approx(12, rel=1e-6)


METRICS = (skating_ratio, penetration_mm, float_mm, mean_jerk, bone_length_drift)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_never_perfect(metric, value):
    joints = still()
    joints[7, 10] = value
    assert np.isnan(metric(joints))
    assert np.isnan(metric(np.full((41, 22, 3), value)))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)
def test_of_too_few_frames_nothing_is_said(metric):
    assert np.isnan(metric(still(0)))
    assert np.isnan(skating_ratio(still(1))) and np.isnan(mean_jerk(still(3)))
    assert metric(still(4)) == pytest.approx(0.0, abs=1e-9)


def test_bone_drift_is_relative():
    joints = still(40)
    wrist, elbow = T2M.joint("left_wrist"), T2M.joint("left_elbow")
    bone = joints[0, wrist] - joints[0, elbow]
    joints[:, wrist] = joints[0, elbow] + bone * np.where(np.arange(40) % 2, 1.1, 0.9)[:, None]
    # One of 21 bones is 10 % longer or shorter than its mean.
    assert bone_length_drift(joints) == pytest.approx(0.1 / 21)


def test_resampling_is_linear_and_never_extrapolates():
    ramp = np.arange(31.0)[:, None, None] * np.ones((1, 22, 3))
    result = resample_linear(ramp, 30, 20)
    np.testing.assert_allclose(result[:, 0, 0], np.arange(21) * 1.5)
    np.testing.assert_allclose(resample_linear(ramp, 20, 12.5)[:, 0, 0], np.arange(19) * 1.6)
    np.testing.assert_allclose(resample_linear(ramp, 10, 20)[:, 0, 0], np.arange(61) / 2)
    assert resample_linear(ramp, 20, 20) is ramp
