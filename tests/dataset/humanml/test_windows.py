"""Training windows: real parts of real clips, by length, repeatable."""

import numpy as np
import pytest

from dataset.humanml.windows import MotionWindows
from utils.errors import InputError


def clip(start, frames):
    """Every value of frame t is start + t: a window tells where it comes from."""
    return (start + np.arange(frames, dtype=np.float32))[:, None] * np.ones(3, np.float32)


ZERO, ONE = np.zeros(3), np.ones(3)


def make(clips, seed=0, mean=ZERO, std=ONE, window=8):
    return MotionWindows(clips, mean, std, window_size=window, unit_length=4, seed=seed)


def test_windows_are_consecutive_frames_of_one_clip():
    batch = make([clip(0, 10), clip(1000, 20)]).batch(0, 200)
    first = batch.normalized[:, 0, 0]
    np.testing.assert_array_equal(batch.normalized[:, :, 0], first[:, None] + np.arange(8))
    # every possible start occurs and no other
    assert set(first) == set(range(3)) | set(range(1000, 1013))


def test_clips_are_drawn_by_their_length():
    batch = make([clip(0, 10), clip(1000, 30)]).batch(0, 4000)
    share = (batch.normalized[:, 0, 0] >= 1000).mean()
    assert share == pytest.approx(0.75, abs=0.03)


def test_windows_are_normalised():
    mean, std = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0])
    batch = make([clip(5, 8)], mean=mean, std=std).batch(0, 1)
    np.testing.assert_allclose(batch.normalized[0, 0], (np.array([5, 5, 5]) - mean) / std)


def test_a_short_clip_is_taken_whole_and_padded():
    batch = make([clip(7, 6)]).batch(0, 2)
    assert batch.lengths.tolist() == [4, 4]
    np.testing.assert_array_equal(batch.normalized[0, :, 0], [7, 8, 9, 10, 0, 0, 0, 0])


def test_a_step_is_the_same_whenever_it_is_drawn():
    clips = [clip(0, 50), clip(100, 60)]
    straight = [make(clips).batch(step, 16).normalized for step in range(4)]
    again = make(clips)
    np.testing.assert_array_equal(again.batch(3, 16).normalized, straight[3])
    assert not np.array_equal(straight[2], straight[3])
    assert not np.array_equal(make(clips, seed=1).batch(3, 16).normalized, straight[3])


def test_impossible_windows_are_named():
    with pytest.raises(InputError, match="--window-size 10"):
        make([clip(0, 50)], window=10)
    with pytest.raises(InputError, match="no training clip"):
        make([clip(0, 3)])
