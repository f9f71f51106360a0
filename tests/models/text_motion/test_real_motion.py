import numpy as np
import pytest

from models.text_motion.real_motion import EmbeddedRecords


def test_mean_reciprocal_rank_by_hand():
    # Motions at 0, 10, 20. Clip 0 has captions at 1 (rank 1) and 9 (rank 2); clip 1 at 10 (1); clip 2 at 2 (rank 3).
    # Motion 0: own caption at distance 1, nothing nearer: 1. Motion 1: own at 0: 1. Motion 2: own at 18; 9 and 10
    # are nearer, 1 is not: 3.
    embedded = EmbeddedRecords(
        np.array([[1.0], [9.0], [10.0], [2.0]]), np.array([0, 0, 1, 2]), np.array([[0.0], [10.0], [20.0]])
    )
    expected = (np.mean([1, 1 / 2, 1, 1 / 3]) + np.mean([1, 1, 1 / 3])) / 2
    assert embedded.mean_reciprocal_rank() == pytest.approx(expected)


def test_repeats_draw_among_a_clips_own_captions():
    rng = np.random.default_rng(0)
    motion = rng.normal(size=(40, 8))
    owners = np.repeat(np.arange(40), rng.integers(1, 4, 40))
    text = motion[owners] + 1e-3 * rng.normal(size=(len(owners), 8))
    rows = EmbeddedRecords(text, owners, motion).repeats(3, np.random.default_rng(1))
    assert [row["R@1"] for row in rows] == [1.0, 1.0, 1.0]
    assert len({row["MM-Dist"] for row in rows}) == 3
