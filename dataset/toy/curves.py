"""Smooth curves over time that the toy animation is made of: easing, keys, bumps and slow noise."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d, maximum_filter1d


def ease(u: np.ndarray) -> np.ndarray:
    """0 to 1 with zero velocity and acceleration at both ends (the minimum-jerk profile of human reaching)."""
    u = np.clip(u, 0.0, 1.0)
    return u**3 * (10.0 - 15.0 * u + 6.0 * u**2)


def glide(u: np.ndarray) -> np.ndarray:
    """0 to 1 with a lower top speed than `ease` (1.69 against 1.875): a foot that swings on."""
    u = np.clip(u, 0.0, 1.0)
    return 0.5 * ease(u) + 0.5 * u * u * (3.0 - 2.0 * u)


def keyed(times: np.ndarray, keys: Sequence[tuple[float, float]]) -> np.ndarray:
    """Values at `times` of (time, value) keys with a rest at every key; constant before the first, after the last."""
    value = np.full(len(times), keys[0][1], dtype=float)
    for (start, low), (end, high) in pairwise(keys):
        value += (high - low) * ease((times - start) / max(end - start, 1e-9))
    return value


def flowing(times: np.ndarray, keys: Sequence[tuple[float, float]]) -> np.ndarray:
    """Like `keyed`, but moving through keys that lie on a slope; never overshoots a key."""
    knots = np.array(keys, dtype=float)
    return PchipInterpolator(knots[:, 0], knots[:, 1])(np.clip(times, knots[0, 0], knots[-1, 0]))


def bump(u: np.ndarray, peak: float = 0.5) -> np.ndarray:
    """0 at u = 0 and 1, 1 at u = `peak`, zero slope at all three; 0 outside."""
    u = np.clip(u, 0.0, 1.0)
    return np.where(u < peak, ease(u / peak), ease((1.0 - u) / (1.0 - peak)))


def pulses(times: np.ndarray, start: float, period: float, count: int, peak: float = 0.5) -> np.ndarray:
    """`count` bumps in a row, each `period` seconds long."""
    return sum(bump((times - start - index * period) / period, peak) for index in range(count))


def envelope(times: np.ndarray, start: float, end: float, ramp: float) -> np.ndarray:
    """0, then 1 between `start` + `ramp` and `end` - `ramp`, then 0 again; seconds."""
    return ease((times - start) / ramp) * ease((end - times) / ramp)


def smooth(values: np.ndarray, frames: float) -> np.ndarray:
    """Gaussian along the first axis, sigma in frames."""
    return gaussian_filter1d(values, frames, axis=0, mode="nearest")


def smooth_above(values: np.ndarray, frames: float) -> np.ndarray:
    """A smooth curve (n,) that stays at or above `values` nearly everywhere."""
    return smooth(maximum_filter1d(values, 2 * int(np.ceil(1.5 * frames)) + 1, mode="nearest"), frames)


def drift(times: np.ndarray, rng: np.random.Generator, size: float) -> np.ndarray:
    """Slow wandering of a living body: a sum of sines between 0.12 and 0.9 Hz, about `size` in amplitude."""
    frequencies = np.array([0.17, 0.34, 0.62]) * rng.uniform(0.7, 1.4, 3)
    phases = rng.uniform(0.0, 2 * np.pi, 3)
    weights = np.array([1.0, 0.5, 0.25]) * rng.uniform(0.6, 1.4, 3)
    return size * (weights * np.sin(2 * np.pi * frequencies * times[:, None] + phases)).sum(1) / 1.5
