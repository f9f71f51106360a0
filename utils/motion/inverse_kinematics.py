"""Joint positions become bone rotations, and motions are put on other skeletons: facing, local rotations, retargeting.

Source: the published HumanML3D processing (Guo et al., CVPR 2022), rewritten over all motions, frames and joints at
once. Torch tensors of any leading dimensions (differentiable); positions in the skeleton's unit (metres for T2M), Y up.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from utils.errors import InputError
from utils.motion.bones import bone_vectors
from utils.motion.rotations import (
    normalize,
    quaternion_between,
    quaternion_inverse,
    quaternion_multiply,
    quaternion_rotate,
)
from utils.motion.skeleton import Skeleton

# Standard deviation, in frames, of the smoothing of the facing direction, and where its kernel ends (published).
FORWARD_SIGMA = 20.0
_FORWARD_RADIUS = int(4 * FORWARD_SIGMA)
# Below this ratio of shoulder to hip width the published smoothed heading (shoulders minus hips) is ill-defined.
_MIN_SHOULDER_TO_HIP = 1.1


def heading_of(across: Tensor) -> Tensor:
    """(..., 3) vector to the side at -X of who faces +Z -> (...) radians about +Y that are faced; 0 without one."""
    # forward = up x across = (across_z, 0, -across_x)
    x, z = across[..., 2], -across[..., 0]
    return torch.atan2(x, torch.where((x == 0) & (z == 0), torch.ones_like(z), z))  # the gradient of (0, 0) is NaN


def facing_angle(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """(..., J, 3) in the skeleton's unit -> (...) radians about +Y that hips and shoulders face; 0 is +Z."""
    hip, other_hip, shoulder, other_shoulder = skeleton.face_joints
    across = joints[..., hip, :] - joints[..., other_hip, :]
    return heading_of(across + joints[..., shoulder, :] - joints[..., other_shoulder, :])


def smoothed_heading(joints: Tensor, skeleton: Skeleton, valid: Tensor | None = None) -> Tensor:
    """(..., T, J, 3) -> (..., T) radians: the heading that the features are relative to; frame 0 is 0 by definition.

    Two properties of the published features must be kept to get their numbers (measured on the official sample): the
    hips count with the opposite sign here (left minus right, against right minus left for the shoulders), and frame 0
    is set to identity whatever the smoothing says. Shoulders hardly wider than the hips would make the difference of
    the two vanish or point backwards; then their sum is used instead.

    Args:
        valid: (..., T) of 1 and 0: the frames that count for the widths of hips and shoulders; None: all. Frames that
            do not count must repeat the last one that does, as the smoothing itself does at the end of a motion.
    """
    hip, other_hip, shoulder, other_shoulder = skeleton.face_joints
    hips = joints[..., hip, :] - joints[..., other_hip, :]
    shoulders = joints[..., shoulder, :] - joints[..., other_shoulder, :]
    hip_width, shoulder_width = (_mean_length(across.detach(), valid) for across in (hips, shoulders))
    sign = torch.where(shoulder_width > _MIN_SHOULDER_TO_HIP * hip_width, -1.0, 1.0).to(joints.dtype)
    across = _smooth(normalize(shoulders + sign[..., None, None] * hips))
    heading = heading_of(across)[..., 1:]
    return torch.cat([torch.zeros_like(heading[..., :1]), heading], dim=-1)


def _mean_length(vectors: Tensor, valid: Tensor | None) -> Tensor:
    lengths = torch.linalg.vector_norm(vectors, dim=-1)
    return lengths.mean(dim=-1) if valid is None else (lengths * valid).sum(dim=-1) / valid.sum(dim=-1)


def _smooth(vectors: Tensor) -> Tensor:
    """(..., T, 3) -> the vectors under a Gaussian over time; the ends are repeated outwards (scipy's "nearest")."""
    offsets = torch.arange(-_FORWARD_RADIUS, _FORWARD_RADIUS + 1, dtype=vectors.dtype, device=vectors.device)
    kernel = torch.exp(-0.5 * (offsets / FORWARD_SIGMA) ** 2)
    rows = vectors.transpose(-1, -2).reshape(-1, 1, vectors.shape[-2])
    padded = functional.pad(rows, (_FORWARD_RADIUS, _FORWARD_RADIUS), mode="replicate")
    smooth = functional.conv1d(padded, (kernel / kernel.sum())[None, None])
    return smooth.reshape(vectors.transpose(-1, -2).shape).transpose(-1, -2)


def bone_rotations(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """(..., J, 3) -> (..., J, 4) global rotation of each bone from its rest direction; the identity for the root."""
    directions = torch.from_numpy(skeleton.directions()).to(joints)
    return quaternion_between(directions, normalize(bone_vectors(joints, skeleton)))


def local_rotations(joints: Tensor, root_rotations: Tensor, skeleton: Skeleton) -> Tensor:
    """(..., J, 3), (..., 4) -> (..., J, 4) rotation of each bone relative to the one before it in its chain.

    As published, the first bone of every chain (also of the arms, which start at the chest) is relative to the root.
    """
    root = root_rotations[..., None, :]
    rotations = torch.cat([root, bone_rotations(joints, skeleton)[..., 1:, :]], dim=-2)
    before = [0] * skeleton.num_joints
    for chain in skeleton.chains:
        for previous, joint in pairwise(chain[1:]):
            before[joint] = previous
    local = quaternion_multiply(quaternion_inverse(rotations[..., before, :]), rotations)
    return torch.cat([root, local[..., 1:, :]], dim=-2)


def retarget(joints: Tensor, skeleton: Skeleton, target_offsets: np.ndarray | Tensor) -> Tensor:
    """(..., T, J, 3) motion of any proportions -> (..., T, J, 3) the same poses on the skeleton of `target_offsets`.

    The way of the root is scaled by the ratio of the leg lengths, those of the source in its first frame. Raises
    InputError for legs of length 0.
    """
    target = torch.as_tensor(target_offsets, dtype=joints.dtype, device=joints.device)
    if target.shape != (skeleton.num_joints, 3) or not torch.isfinite(target).all():
        raise InputError(f"target offsets must be finite ({skeleton.num_joints}, 3), got {tuple(target.shape)}")
    legs = list(skeleton.leg_joints)
    first = bone_vectors(joints[..., 0, :, :], skeleton)
    source_legs = torch.linalg.vector_norm(first[..., legs, :], dim=-1).sum(dim=-1)
    if (source_legs < 1e-6).any():
        raise InputError("cannot retarget: the legs of the first frame have length 0")
    scale = torch.linalg.vector_norm(target[legs], dim=-1).sum() / source_legs
    bones = quaternion_rotate(bone_rotations(joints, skeleton), target)
    # Each joint is placed at the end of its bone, from the root outwards.
    placed = {0: joints[..., 0, :] * scale[..., None, None]}
    for chain in skeleton.chains:
        for parent, child in pairwise(chain):
            placed[child] = placed[parent] + bones[..., child, :]
    return torch.stack([placed[joint] for joint in range(skeleton.num_joints)], dim=-2)
