"""Motion features of the field: (T, J, 3) joints <-> (T-1, 12 J - 1) features (263 for T2M, 251 for KIT).

Columns, in order (slices on `Skeleton`): root turn (half the change of heading per frame, a left turn is negative),
root xz velocity in the root frame, root height, joint positions relative to the root, 6D joint rotations, joint
velocities, foot contacts (left ankle, left toe, right ankle, right toe). All lengths are in the skeleton's unit
(metres for T2M), velocities per frame.
Source: the published HumanML3D processing (Guo et al., CVPR 2022). Two of its errors are not reproduced: a heading
of exactly -Z gives no NaN, and the root turn keeps its sign where the heading passes 180 degrees from the start
(headings are angles here, not quaternions), so joints come back exactly.
"""

from typing import TypeVar

import numpy as np
import torch

from utils.errors import InputError
from utils.inverse_kinematics import facing_angle, local_rotations, retarget, smoothed_heading
from utils.rotations import quaternion_about_y, quaternion_to_6d, rotate_about_y, wrap_angle
from utils.skeleton import Skeleton, skeleton_with_joints

ArrayOrTensor = TypeVar("ArrayOrTensor", np.ndarray, torch.Tensor)


def canonical_joints(joints: np.ndarray, skeleton: Skeleton, target_offsets: np.ndarray | None = None) -> np.ndarray:
    """(T, J, 3) -> (T, J, 3) float64: retargeted (if asked), lowest point at y = 0, starting at the origin facing +Z.

    `joints_from_features(features_from_joints(joints))` gives this back, but for its last frame. Raises InputError
    for another shape, fewer than two frames or values that are not finite.
    """
    joints = np.asarray(joints)
    if joints.ndim != 3 or joints.shape[1:] != (skeleton.num_joints, 3):
        raise InputError(f"joints must be (T, {skeleton.num_joints}, 3), got {joints.shape}")
    if len(joints) < 2:
        raise InputError(f"at least 2 frames are needed, got {len(joints)}")
    if not np.issubdtype(joints.dtype, np.number) or not np.isfinite(joints).all():
        raise InputError("joints hold values that are not finite numbers (NaN)")
    joints = joints.astype(np.float64)
    if target_offsets is not None:
        joints = retarget(joints, skeleton, target_offsets)
    joints[..., 1] -= joints[..., 1].min()
    joints[..., [0, 2]] -= joints[0, 0, [0, 2]]
    return rotate_about_y(joints, -facing_angle(joints[0], skeleton))


def features_from_joints(
    joints: np.ndarray, skeleton: Skeleton, target_offsets: np.ndarray | None = None
) -> np.ndarray:
    """(T, J, 3) joint positions -> (T-1, 12 J - 1) float32 features.

    Args:
        joints: positions in the skeleton's unit, Y up, any start position and heading.
        target_offsets: (J, 3) bone vectors of the skeleton to retarget to; None keeps the proportions.
    """
    joints = canonical_joints(joints, skeleton, target_offsets)
    frames = len(joints) - 1
    heading = smoothed_heading(joints, skeleton)
    turn = -wrap_angle(np.diff(heading)) / 2
    step = joints[1:] - joints[:-1]
    root_velocity = rotate_about_y(step[:, 0], -heading[1:])[:, [0, 2]]
    height = joints[:-1, 0, 1:2]

    local = joints[:-1, 1:] - joints[:-1, :1] * np.array([1.0, 0.0, 1.0])
    positions = rotate_about_y(local, -heading[:-1, None])
    rotations = quaternion_to_6d(local_rotations(joints[:-1], quaternion_about_y(-heading[:-1]), skeleton)[:, 1:])
    velocities = rotate_about_y(step, -heading[:-1, None])
    feet = [*skeleton.left_foot, *skeleton.right_foot]
    contacts = np.sum(step[:, feet] ** 2, axis=-1) < skeleton.contact_threshold

    blocks = [turn, root_velocity, height, positions, rotations, velocities, contacts]
    return np.concatenate([block.reshape(frames, -1) for block in blocks], axis=-1).astype(np.float32)


def joints_from_features(features: ArrayOrTensor, skeleton: Skeleton) -> ArrayOrTensor:
    """(..., T, D) denormalised features -> (..., T, J, 3) joint positions; torch in, torch out (differentiable).

    Frame t depends on frames 0..t only, so padding after the end of a motion changes nothing before it.
    Numpy is computed in float64 and returned as float32; a tensor keeps its dtype and device.
    """
    if features.shape[-1] != skeleton.feature_dim or features.ndim < 2:
        raise InputError(f"features must be (..., T, {skeleton.feature_dim}), got {tuple(features.shape)}")
    if isinstance(features, torch.Tensor):
        return _recover(features, skeleton)
    return _recover(torch.from_numpy(features.astype(np.float64)), skeleton).numpy().astype(np.float32)


def joints_of_motion(motion: np.ndarray) -> tuple[np.ndarray, Skeleton]:
    """Joints (T, J, 3) or features (T, 12 J - 1) of either skeleton -> (T, J, 3) joints and the skeleton they are of.

    For tools that take what they are given, such as rendering. Raises InputError for any other shape.
    """
    if motion.ndim == 3 and motion.shape[2] == 3:
        return motion, skeleton_with_joints(motion.shape[1])
    if motion.ndim == 2 and (motion.shape[1] + 1) % 12 == 0:
        skeleton = skeleton_with_joints((motion.shape[1] + 1) // 12)
        return joints_from_features(motion, skeleton), skeleton
    raise InputError(f"expected joints (T, J, 3) or features (T, 263 or 251), got {motion.shape}")


def _recover(features: torch.Tensor, skeleton: Skeleton) -> torch.Tensor:
    """Integrate the root, then turn the relative positions by its heading and put them around it."""
    start = torch.zeros_like(features[..., :1, :3])
    # Row t of the features holds the step from frame t to frame t + 1.
    steps = torch.cat([start, features[..., :-1, :3]], dim=-2)
    heading = -2 * torch.cumsum(steps[..., 0], dim=-1)
    cosine, sine = torch.cos(heading), torch.sin(heading)
    root_x = torch.cumsum(cosine * steps[..., 1] + sine * steps[..., 2], dim=-1)
    root_z = torch.cumsum(cosine * steps[..., 2] - sine * steps[..., 1], dim=-1)
    root = torch.stack([root_x, features[..., 3], root_z], dim=-1)

    local = features[..., skeleton.positions_slice].unflatten(-1, (-1, 3))
    x, y, z = local.unbind(-1)
    cosine, sine = cosine[..., None], sine[..., None]
    turned_x = cosine * x + sine * z + root_x[..., None]
    turned_z = cosine * z - sine * x + root_z[..., None]
    return torch.cat([root[..., None, :], torch.stack([turned_x, y, turned_z], dim=-1)], dim=-2)
