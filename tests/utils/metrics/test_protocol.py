import numpy as np
import pytest

from utils.metrics.text_motion import TEXT_TO_MOTION_METRICS, evaluate_text_to_motion


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(100, 16))


def test_perfect_motion(points):
    found = evaluate_text_to_motion(points, points, points, np.random.default_rng(0))
    assert tuple(found) == TEXT_TO_MOTION_METRICS
    assert [found[name] for name in ("R@1", "R@2", "R@3", "MM-Dist")] == [1, 1, 1, 0]


def test_better_motion_is_better_on_every_metric(points):
    rng = np.random.default_rng(1)
    near, far = (points + scale * rng.normal(size=points.shape) for scale in (0.3, 2.0))
    good, bad = (evaluate_text_to_motion(points, m, points, np.random.default_rng(2)) for m in (near, far))
    assert good["R@1"] > bad["R@1"]
    assert good["MM-Dist"] < bad["MM-Dist"]
    assert good["FID"] < bad["FID"]


def test_pairs_stay_together_and_groups_change_with_the_generator(points):
    noisy = points + np.random.default_rng(3).normal(size=points.shape)
    first, again, other = (evaluate_text_to_motion(points, noisy, points, np.random.default_rng(s)) for s in (0, 0, 1))
    assert first == again
    assert first != other
    assert first["R@1"] > 0.3  # chance is 1 / 32: shuffling must not tear captions from their motions


def test_few_samples_do_not_crash(points):
    found = evaluate_text_to_motion(points[:7], points[:7], points[:40], np.random.default_rng(0))
    assert np.isnan(found["R@1"])
    assert np.isfinite([found["MM-Dist"], found["FID"], found["Diversity"]]).all()
