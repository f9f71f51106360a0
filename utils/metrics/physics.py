"""Joint positions (T, J, 3) tell how physical a motion is: each metric is a float, lower is better, 0 is perfect.

NaN is "not measured": of joints that are not finite (NaN, infinite) and of too few frames nothing is said.

Positions are in METRES, Y up, and the floor is y = 0: `utils.motion.features` puts the lowest joint of a clip there
(`canonical_joints`), and joints recovered from features are relative to that floor. So generated motion is judged as it
comes, and must not be shifted to its own lowest point first, which would hide floating. Joints are inside the body: a
heel or toe joint at rest can be 1-2 cm up, so compare with the same numbers for real motion.
KIT-ML's joints have another unit and other sides: `utils.motion.features.joints_in_metres` serves both data sets.
"""

import math

import numpy as np
from scipy.ndimage import uniform_filter1d

from utils.motion.bones import bone_vectors
from utils.motion.skeleton import T2M, skeleton_with_joints

# Foot skating as Karunratanakul et al. (GMD, ICCV 2023) measure it.
CONTACT_HEIGHT_M = 0.05
SKATING_SPEED_MPS = 0.5
SKATING_WINDOW = 5
# Heights within this of the floor count as touching it (Yuan et al., PhysDiff, ICCV 2023).
FLOOR_TOLERANCE_M = 0.005


def skating_ratio(joints: np.ndarray, fps: float = T2M.fps) -> float:
    """The share of frame steps in which a foot on the ground slides.

    A toe joint slides in a step when it is below 0.05 m in both frames, its horizontal speed is above 0.5 m/s, and so
    is the mean speed over 5 steps around it (zeros outside the clip). A step counts once if either foot slides.
    """
    skeleton = skeleton_with_joints(joints.shape[1])
    if not _is_measurable(joints, frames=2):
        return math.nan
    toes = joints[:, [skeleton.left_foot[1], skeleton.right_foot[1]]].astype(np.float64)
    speed = np.linalg.norm(np.diff(toes[..., [0, 2]], axis=0), axis=-1) * fps
    mean_speed = uniform_filter1d(speed, SKATING_WINDOW, axis=0, mode="constant")
    low = toes[..., 1] < CONTACT_HEIGHT_M
    slides = low[1:] & low[:-1] & (speed > SKATING_SPEED_MPS) & (mean_speed > SKATING_SPEED_MPS)
    return float(slides.any(axis=1).mean())


def penetration_mm(joints: np.ndarray) -> float:
    """Mean over frames of the depth of the lowest joint below the floor, in mm; up to 5 mm counts as touching (0)."""
    if not _is_measurable(joints):
        return math.nan
    depth = -_lowest(joints)
    return float(1000 * np.where(depth > FLOOR_TOLERANCE_M, depth, 0.0).mean())


def float_mm(joints: np.ndarray) -> float:
    """Mean over frames of the height of the lowest joint above the floor, in mm; up to 5 mm counts as touching (0).

    A real jump floats too, so read this number beside that of real motion.
    """
    if not _is_measurable(joints):
        return math.nan
    height = _lowest(joints)
    return float(1000 * np.where(height > FLOOR_TOLERANCE_M, height, 0.0).mean())


def mean_jerk(joints: np.ndarray, fps: float = T2M.fps) -> float:
    """Mean length of the third derivative of joint positions, in m/s^3, over all joints and frames."""
    if not _is_measurable(joints, frames=4):
        return math.nan
    jerk = np.diff(joints.astype(np.float64), n=3, axis=0) * fps**3
    return float(np.linalg.norm(jerk, axis=-1).mean())


def bone_length_drift(joints: np.ndarray) -> float:
    """Mean over bones and frames of |length - its mean over time| / that mean, a fraction (0.01 = 1 %)."""
    skeleton = skeleton_with_joints(joints.shape[1])
    if not _is_measurable(joints):
        return math.nan
    lengths = np.linalg.norm(bone_vectors(joints.astype(np.float64), skeleton), axis=-1)[:, 1:]
    mean = lengths.mean(axis=0)
    return float((np.abs(lengths - mean) / np.maximum(mean, 1e-6)).mean())


def _is_measurable(joints: np.ndarray, frames: int = 1) -> bool:
    return len(joints) >= frames and bool(np.isfinite(joints).all())


def _lowest(joints: np.ndarray) -> np.ndarray:
    """(T, J, 3) -> (T,) height of the lowest joint."""
    return joints[..., 1].astype(np.float64).min(axis=1)
