"""Mean and Std: equal to the direct formula, shared within a block, never zero."""

import numpy as np
import pytest

from dataset.humanml.statistics import compute_mean_std
from utils.errors import InputError
from utils.motion.skeleton import T2M


def test_equals_direct_formula_and_averages_blocks():
    rng = np.random.default_rng(0)
    motions = [rng.normal(1000.0, 1.0 + np.arange(263) / 50, (frames, 263)) for frames in (7, 40, 3)]
    mean, std = compute_mean_std(motions, T2M)
    frames = np.concatenate(motions)
    np.testing.assert_allclose(mean, frames.mean(0), rtol=1e-6)
    column_std = frames.std(0)
    np.testing.assert_allclose(std[:4], [column_std[0], *[column_std[1:3].mean()] * 2, column_std[3]], rtol=1e-6)
    for block in (slice(4, 67), slice(67, 193), slice(193, 259), slice(259, 263)):
        np.testing.assert_allclose(std[block], column_std[block].mean(), rtol=1e-6)


def test_constant_columns_do_not_divide_by_zero():
    motions = [np.full((5, 263), 0.3, np.float32)]
    mean, std = compute_mean_std(motions, T2M)
    np.testing.assert_array_equal((motions[0] - mean) / std, 0)


def test_no_frames():
    with pytest.raises(InputError):
        compute_mean_std([], T2M)
