"""Changing the frame rate of joint positions."""

import numpy as np

from utils.errors import InputError


def resample_linear(positions: np.ndarray, source_fps: float, target_fps: float) -> np.ndarray:
    """(T, ...) at `source_fps` -> (T', ...) at `target_fps`, linear in time, from the first frame to at most the last.

    Frame k of the result is at k / target_fps seconds; nothing is extrapolated. Straight lines between frames shorten
    fast swings slightly: resample rotations instead where they are known (BVH, AMASS).
    """
    if source_fps <= 0 or target_fps <= 0:
        raise InputError(f"frame rates must be positive, got {source_fps} and {target_fps}")
    if source_fps == target_fps or len(positions) == 0:
        return positions
    ratio = source_fps / target_fps
    # The small slack keeps the last frame where T - 1 is a multiple of the ratio up to rounding.
    times = np.arange(int((len(positions) - 1) / ratio + 1e-6) + 1) * ratio
    times = np.minimum(times, len(positions) - 1)
    before = np.floor(times).astype(np.int64)
    after = np.minimum(before + 1, len(positions) - 1)
    weight = (times - before).reshape(-1, *[1] * (positions.ndim - 1))
    return positions[before] * (1 - weight) + positions[after] * weight
