"""Motions are smoothed here, for what measures, describes and draws them."""

import numpy as np


def smoothed(values: np.ndarray, frames: float) -> np.ndarray:
    """(T, ...) -> the same under a Gaussian over time; its sigma is given in frames, and the ends are repeated."""
    from scipy.ndimage import gaussian_filter1d  # late: whoever only reads flags and files does not wait for scipy

    return gaussian_filter1d(values, frames, axis=0, mode="nearest")
