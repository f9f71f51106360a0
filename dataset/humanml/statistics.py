"""Mean and standard deviation of motion features are computed, grouped as HumanML3D does it."""

from collections.abc import Iterable

import numpy as np

from utils.errors import InputError
from utils.motion.skeleton import Skeleton

# A block of columns that does not vary (feet that never lift) gets this scale, instead of a division by 0.
_CONSTANT_BELOW = 1e-6
_CONSTANT_STD = 1.0


def feature_blocks(skeleton: Skeleton) -> tuple[slice, ...]:
    """The groups of columns that share one standard deviation: their mean."""
    return (
        slice(0, 1),  # root turn
        slice(1, 3),  # root xz velocity
        slice(3, 4),  # root height
        skeleton.positions_slice,
        skeleton.rotations_slice,
        skeleton.velocities_slice,
        skeleton.contacts_slice,
    )


def compute_mean_std(features: Iterable[np.ndarray], skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """(T, D) motions -> (D,) float32 mean and std over all frames, std averaged within each block of columns.

    One motion is in memory at a time, so the iterable may read them as it goes. Raises InputError without any frame.
    Source: HumanML3D's cal_mean_variance (Guo et al., CVPR 2022).
    """
    dim = skeleton.feature_dim
    frames, mean, squares = 0, np.zeros(dim), np.zeros(dim)
    for motion in features:
        if motion.ndim != 2 or motion.shape[1] != dim:
            raise InputError(f"features must be (T, {dim}), got {motion.shape}")
        if len(motion) == 0:
            continue
        # Chan's update: exact for any number of frames, where a sum of squares would lose digits.
        part = motion.astype(np.float64)
        part_mean = part.mean(axis=0)
        shift = part_mean - mean
        total = frames + len(part)
        squares += ((part - part_mean) ** 2).sum(axis=0) + shift**2 * (frames * len(part) / total)
        mean += shift * (len(part) / total)
        frames = total
    if frames == 0:
        raise InputError("no motion to compute a mean and standard deviation from")
    std = np.sqrt(squares / frames)
    for block in feature_blocks(skeleton):
        spread = std[block].mean()
        std[block] = spread if spread > _CONSTANT_BELOW else _CONSTANT_STD
    return mean.astype(np.float32), std.astype(np.float32)
