"""A motion gets another frame rate: its new frames have times, and lie on straight lines between the old ones."""

import numpy as np

from utils.errors import InputError

# Frames a second that motions are recorded at: fewer is no motion, more is a number in another unit.
FRAME_RATES = (1.0, 1000.0)


def check_frame_rate(fps: float, where: str = "") -> float:
    """`fps` itself. Raises InputError, which begins with `where`, unless it is a rate that a motion can have."""
    lowest, highest = FRAME_RATES
    if not lowest <= fps <= highest:  # NaN too
        raise InputError(f"{where}expected a frame rate of {lowest:g} to {highest:g} frames a second, got {fps:g}")
    return fps


def sample_times(num_frames: int, source_fps: float, target_fps: float) -> np.ndarray:
    """(T',) the times of the result's frames, in fractional source frames from 0 to at most `num_frames` - 1.

    Frame k of the result is at k / target_fps seconds; nothing is extrapolated. Raises InputError for a frame rate that
    no motion has.
    """
    check_frame_rate(source_fps)
    check_frame_rate(target_fps)
    if num_frames == 0:
        return np.zeros(0)
    ratio = source_fps / target_fps
    # The small slack keeps the last frame where T - 1 is a multiple of the ratio up to rounding.
    times = np.arange(int((num_frames - 1) / ratio + 1e-6) + 1) * ratio
    return np.minimum(times, num_frames - 1)


def resample_linear(positions: np.ndarray, source_fps: float, target_fps: float) -> np.ndarray:
    """(T, ...) at `source_fps` -> (T', ...) at `target_fps`, linear in time, at the frames of `sample_times`.

    Straight lines between frames shorten fast swings slightly, so where rotations are known (BVH, AMASS) those are
    resampled instead.
    """
    times = sample_times(len(positions), source_fps, target_fps)
    if source_fps == target_fps or len(positions) == 0:
        return positions
    before = np.floor(times).astype(np.int64)
    after = np.minimum(before + 1, len(positions) - 1)
    weight = (times - before).reshape(-1, *[1] * (positions.ndim - 1))
    return positions[before] * (1 - weight) + positions[after] * weight
