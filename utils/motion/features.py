"""Joints (T, J, 3) become the motion features of the field (T-1, 12 J - 1), 263 for T2M and 251 for KIT, and back.

Columns, in order (slices on `Skeleton`): root turn (half the change of heading per frame, a turn to +X is negative),
root xz velocity in the root frame, root height, joint positions relative to the root, 6D joint rotations, joint
velocities, foot contacts (`Skeleton.contact_joints`). All lengths are in the skeleton's unit (metres for T2M),
velocities per frame.
Source: the published HumanML3D processing (Guo et al., CVPR 2022). Two of its errors are not reproduced: a heading
of exactly -Z gives no NaN, and the root turn keeps its sign where the heading passes 180 degrees from the start
(headings are angles here, not quaternions), so joints come back exactly.
"""

import numpy as np
import torch
from torch import Tensor

from utils.errors import InputError
from utils.motion.inverse_kinematics import facing_angle, local_rotations, retarget, smoothed_heading
from utils.motion.plausibility import check_features, check_person
from utils.motion.rotations import quaternion_about_y, quaternion_to_6d, rotate_about_y, wrap_angle
from utils.motion.skeleton import ArrayOrTensor, Skeleton, skeleton_with_joints


def canonical_joints(
    joints: ArrayOrTensor, skeleton: Skeleton, target_offsets: ArrayOrTensor | None = None
) -> ArrayOrTensor:
    """(..., T, J, 3) -> the same motion from the origin and facing +Z, with its lowest point at y = 0.

    With `target_offsets` it is retargeted. `joints_from_features(features_from_joints(joints))` gives the result of
    this function back, but for its last frame. Numpy gives float64,
    a tensor keeps its dtype. Raises InputError for another shape, fewer than two frames or values not finite.
    """
    if isinstance(joints, Tensor):
        return _canonical(_checked(joints, skeleton), skeleton, target_offsets)
    return _canonical(_checked(_as_tensor(joints), skeleton), skeleton, target_offsets).numpy()


def features_from_joints(
    joints: ArrayOrTensor,
    skeleton: Skeleton,
    target_offsets: ArrayOrTensor | None = None,
    lengths: Tensor | None = None,
) -> ArrayOrTensor:
    """(..., T, J, 3) joint positions -> (..., T-1, 12 J - 1) features.

    Numpy is computed in float64 and returned as float32; a tensor keeps its dtype and device and can be differentiated
    (but for the foot contacts, which are 0 or 1).

    Args:
        joints: positions in the skeleton's unit, Y up, any start position and heading.
        target_offsets: (J, 3) bone vectors of the skeleton to retarget to; None keeps the proportions.
        lengths: (...) frames of each motion of a padded batch. Frames behind them are not looked at (they may be NaN)
            and give rows of zeros: a motion of n frames has n - 1 rows of features, the same as without its neighbours.
    """
    if isinstance(joints, Tensor):
        return _extract(joints, skeleton, target_offsets, lengths)
    return _extract(_as_tensor(joints), skeleton, target_offsets, lengths).numpy().astype(np.float32)


def joints_from_features(features: ArrayOrTensor, skeleton: Skeleton) -> ArrayOrTensor:
    """(..., T, D) denormalised features -> (..., T, J, 3) joint positions; torch in, torch out (differentiable).

    Frame t depends on frames 0..t only, so padding after the end of a motion changes nothing before it.
    Numpy is computed in float64 and returned as float32; a tensor keeps its dtype and device.
    """
    if features.shape[-1] != skeleton.feature_dim or features.ndim < 2:
        raise InputError(f"features must be (..., T, {skeleton.feature_dim}), got {tuple(features.shape)}")
    if isinstance(features, Tensor):
        return _recover(features, skeleton)
    return _recover(torch.from_numpy(features.astype(np.float64)), skeleton).numpy().astype(np.float32)


def joints_in_metres(features: ArrayOrTensor, skeleton: Skeleton) -> ArrayOrTensor:
    """As `joints_from_features`, but in metres with left at +X for every skeleton: for measuring and describing."""
    return skeleton.in_metres(joints_from_features(features, skeleton))


def joints_of_motion(motion: np.ndarray) -> tuple[np.ndarray, Skeleton]:
    """Joints (T, J, 3) or features (T, 12 J - 1) of either skeleton -> joints (T, J, 3) in metres and that skeleton.

    Both are in the skeleton's unit. For tools that take either, such as rendering. Raises InputError for any other
    shape, for values that are not finite, and for features that are normalised or of no person's size.
    """
    if motion.ndim == 3 and motion.shape[2] == 3:
        skeleton = skeleton_with_joints(motion.shape[1])
    elif motion.ndim == 2 and (motion.shape[1] + 1) % 12 == 0:
        skeleton = skeleton_with_joints((motion.shape[1] + 1) // 12)
    else:
        raise InputError(f"expected joints (T, J, 3) or features (T, 263 or 251), got {motion.shape}")
    if not np.isfinite(motion).all():
        bad = np.flatnonzero(~np.isfinite(motion).reshape(len(motion), -1).all(axis=1))
        raise InputError(f"{len(bad)} of {len(motion)} frames are not finite (NaN), the first is {bad[0]}")
    if motion.ndim == 3:
        return skeleton.in_metres(motion), skeleton
    check_features(motion, skeleton)
    check_person(motion, skeleton)
    return joints_in_metres(motion, skeleton), skeleton


def _as_tensor(joints: np.ndarray) -> Tensor:
    joints = np.asarray(joints)
    if not np.issubdtype(joints.dtype, np.number):
        raise InputError(f"joints must be numbers, got an array of {joints.dtype}")
    return torch.from_numpy(joints.astype(np.float64))


def _checked(joints: Tensor, skeleton: Skeleton) -> Tensor:
    if joints.ndim < 3 or joints.shape[-2:] != (skeleton.num_joints, 3):
        raise InputError(f"joints must be (T, {skeleton.num_joints}, 3), got {tuple(joints.shape)}")
    if joints.shape[-3] < 2:
        raise InputError(f"at least 2 frames are needed, got {joints.shape[-3]}")
    if not torch.isfinite(joints).all():
        raise InputError("joints hold values that are not finite numbers (NaN)")
    return joints


def _canonical(joints: Tensor, skeleton: Skeleton, target_offsets: ArrayOrTensor | None) -> Tensor:
    if target_offsets is not None:
        joints = retarget(joints, skeleton, target_offsets)
    first = joints[..., 0, 0, :]
    floor = joints[..., 1].amin(dim=(-1, -2))
    origin = torch.stack([first[..., 0], floor, first[..., 2]], dim=-1)
    heading = facing_angle(joints[..., 0, :, :], skeleton)
    return rotate_about_y(joints - origin[..., None, None, :], -heading[..., None, None])


def _extract(
    joints: Tensor, skeleton: Skeleton, target_offsets: ArrayOrTensor | None, lengths: Tensor | None
) -> Tensor:
    valid = None
    if lengths is not None:
        joints, valid = _repeat_last_frame(joints, lengths)
    joints = _canonical(_checked(joints, skeleton), skeleton, target_offsets)
    # The root: its turn and its velocity, from one frame to the next.
    heading = smoothed_heading(joints, skeleton, valid)
    turn = -wrap_angle(heading.diff(dim=-1)) / 2
    step = joints.diff(dim=-3)
    root_velocity = rotate_about_y(step[..., 0, :], -heading[..., 1:])[..., [0, 2]]

    # All other features are in the frame of the root, and the last frame of the joints has none.
    joints, heading = joints[..., :-1, :, :], heading[..., :-1]
    root = joints[..., :1, :]
    ground = torch.stack([root[..., 0], torch.zeros_like(root[..., 1]), root[..., 2]], dim=-1)
    positions = rotate_about_y(joints[..., 1:, :] - ground, -heading[..., None])
    rotations = quaternion_to_6d(local_rotations(joints, quaternion_about_y(-heading), skeleton)[..., 1:, :])
    velocities = rotate_about_y(step, -heading[..., None])
    contacts = step[..., list(skeleton.contact_joints), :].square().sum(dim=-1) < skeleton.contact_threshold

    blocks = [turn[..., None], root_velocity, root[..., 0, 1:2], positions, rotations, velocities]
    flat = [block if block.ndim == turn.ndim + 1 else block.flatten(-2) for block in blocks]
    features = torch.cat([*flat, contacts.to(joints.dtype)], dim=-1)
    return features if valid is None else features * valid[..., 1:, None]


def _repeat_last_frame(joints: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """(joints, valid): padding becomes copies of each motion's last frame, which change nothing before them.

    `valid` (..., T) is 1 for real frames and 0 for padding.
    """
    frames = joints.shape[-3]
    lengths = torch.as_tensor(lengths, device=joints.device)
    if lengths.shape != joints.shape[:-3] or (lengths < 2).any() or (lengths > frames).any():
        raise InputError(f"lengths must be {tuple(joints.shape[:-3])} of 2 to {frames}, got {lengths.tolist()}")
    time = torch.arange(frames, device=joints.device)
    index = torch.minimum(time, lengths[..., None] - 1)
    joints = joints.gather(-3, index[..., None, None].expand(joints.shape))
    return joints, (time < lengths[..., None]).to(joints.dtype)


def _recover(features: Tensor, skeleton: Skeleton) -> Tensor:
    """Joints from features: the root is integrated, then the other joints are turned by its heading around it."""
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
