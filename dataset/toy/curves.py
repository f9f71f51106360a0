"""The toy animation is made of these smooth curves over time: easing, keys, bumps and slow noise."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from utils.motion.smoothing import smoothed


def ease(u: np.ndarray) -> np.ndarray:
    """From 0 to 1 with zero velocity and acceleration at both ends (the minimum-jerk profile of human reaching)."""
    u = np.clip(u, 0.0, 1.0)
    return u**3 * (10.0 - 15.0 * u + 6.0 * u**2)


def glide(u: np.ndarray) -> np.ndarray:
    """From 0 to 1 with a lower top speed than `ease` (1.69 against 1.875), as a foot swings."""
    u = np.clip(u, 0.0, 1.0)
    return 0.5 * ease(u) + 0.5 * u * u * (3.0 - 2.0 * u)


def keyed(times: np.ndarray, keys: Sequence[tuple[float, float]]) -> np.ndarray:
    """Values at `times` of a curve through (time, value) keys that rests at each of them and is constant outside."""
    value = np.full(len(times), keys[0][1], dtype=float)
    for (start, low), (end, high) in pairwise(keys):
        value += (high - low) * ease((times - start) / max(end - start, 1e-9))
    return value


def flowing(times: np.ndarray, keys: Sequence[tuple[float, float]]) -> np.ndarray:
    """Like `keyed`, but the curve moves on through keys that lie on a slope. It never overshoots a key."""
    knots = np.array(keys, dtype=float)
    from scipy.interpolate import PchipInterpolator

    return PchipInterpolator(knots[:, 0], knots[:, 1])(np.clip(times, knots[0, 0], knots[-1, 0]))


def bump(u: np.ndarray, peak: float = 0.5) -> np.ndarray:
    """A bump: 0 at u = 0 and u = 1, 1 at u = `peak`, with zero slope at all three, and 0 outside."""
    u = np.clip(u, 0.0, 1.0)
    return np.where(u < peak, ease(u / peak), ease((1.0 - u) / (1.0 - peak)))


def pulses(times: np.ndarray, start: float, period: float, count: int, peak: float = 0.5) -> np.ndarray:
    """`count` bumps in a row, each `period` seconds long."""
    return sum(bump((times - start - index * period) / period, peak) for index in range(count))


def envelope(times: np.ndarray, start: float, end: float, ramp: float) -> np.ndarray:
    """From 0 up to 1 within `ramp` seconds after `start`, and down to 0 within `ramp` seconds before `end`."""
    return ease((times - start) / ramp) * ease((end - times) / ramp)


def smooth_above(values: np.ndarray, frames: float) -> np.ndarray:
    """A smooth curve (n,) that stays at or above `values` nearly everywhere."""
    from scipy.ndimage import maximum_filter1d

    return smoothed(maximum_filter1d(values, 2 * int(np.ceil(1.5 * frames)) + 1, mode="nearest"), frames)


def drift(times: np.ndarray, rng: np.random.Generator, size: float) -> np.ndarray:
    """Slow wandering of a living body: a sum of sines between 0.12 and 0.9 Hz, about `size` in amplitude."""
    frequencies = np.array([0.17, 0.34, 0.62]) * rng.uniform(0.7, 1.4, 3)
    phases = rng.uniform(0.0, 2 * np.pi, 3)
    weights = np.array([1.0, 0.5, 0.25]) * rng.uniform(0.6, 1.4, 3)
    return size * (weights * np.sin(2 * np.pi * frequencies * times[:, None] + phases)).sum(1) / 1.5
