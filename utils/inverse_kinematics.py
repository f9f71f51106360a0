"""From joint positions to bone rotations and back: facing direction, retargeting, local joint rotations.

Source: the published HumanML3D processing (Guo et al., CVPR 2022), rewritten over all frames and joints at once.
Numpy, float64 inside; positions in the skeleton's unit (metres for T2M), Y up.
"""

from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d

from utils.errors import InputError
from utils.rotations import normalize, quaternion_between, quaternion_inverse, quaternion_multiply, quaternion_rotate
from utils.skeleton import Skeleton

# Standard deviation, in frames, of the smoothing of the facing direction (published).
FORWARD_SIGMA = 20.0
# Below this ratio of shoulder to hip width the published smoothed heading (shoulders minus hips) is ill-defined.
_MIN_SHOULDER_TO_HIP = 1.1


def bone_vectors(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(..., J, 3) positions -> (..., J, 3) vector from parent to joint; zero for the root."""
    return joints - joints[..., [max(parent, 0) for parent in skeleton.parents], :]


def offsets_of_frame(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(J, 3) positions of one frame -> (J, 3) float32 rest-pose bone vectors with this frame's bone lengths."""
    lengths = np.linalg.norm(bone_vectors(np.asarray(joints, np.float64), skeleton), axis=-1, keepdims=True)
    return (lengths * skeleton.directions()).astype(np.float32)


def facing_angle(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(..., J, 3) -> (...) radians about +Y; 0 = facing +Z. From hips and shoulders."""
    right_hip, left_hip, right_shoulder, left_shoulder = skeleton.face_joints
    across = joints[..., right_hip, :] - joints[..., left_hip, :]
    across = across + joints[..., right_shoulder, :] - joints[..., left_shoulder, :]
    # forward = up x across = (across_z, 0, -across_x)
    return np.arctan2(across[..., 2], -across[..., 0])


def smoothed_heading(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(T, J, 3) -> (T,) radians: the heading that the features are relative to; frame 0 is 0 by definition.

    Two properties of the published features must be kept for their numbers to come out (measured on the official
    sample): the hips count with the opposite sign here (left minus right, against right minus left for the
    shoulders), and frame 0 is set to identity whatever the smoothing says. Shoulders hardly wider than the hips would
    make that difference vanish or point backwards, so then the plain sum is used instead.
    """
    right_hip, left_hip, right_shoulder, left_shoulder = skeleton.face_joints
    hips = joints[:, right_hip] - joints[:, left_hip]
    shoulders = joints[:, right_shoulder] - joints[:, left_shoulder]
    widths = [np.linalg.norm(across, axis=-1).mean() for across in (hips, shoulders)]
    sign = -1.0 if widths[1] > _MIN_SHOULDER_TO_HIP * widths[0] else 1.0
    across = normalize(shoulders + sign * hips)
    forward = np.stack([across[:, 2], -across[:, 0]], axis=-1)
    forward = gaussian_filter1d(forward, FORWARD_SIGMA, axis=0, mode="nearest")
    heading = np.arctan2(forward[:, 0], forward[:, 1])
    heading[0] = 0.0
    return heading


def bone_rotations(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(T, J, 3) -> (T, J, 4): global rotation of each bone from its rest direction; the root's is the identity."""
    return quaternion_between(skeleton.directions().astype(np.float64), normalize(bone_vectors(joints, skeleton)))


def local_rotations(joints: np.ndarray, root_rotations: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(T, J, 3), (T, 4) -> (T, J, 4) rotation of each bone relative to the one before it in its chain.

    As published, the first bone of every chain (also of the arms, which start at the chest) is relative to the root.
    """
    rotations = bone_rotations(joints, skeleton)
    rotations[:, 0] = root_rotations
    before = np.zeros(skeleton.num_joints, dtype=np.int64)
    for chain in skeleton.chains:
        before[list(chain[2:])] = chain[1:-1]
    local = quaternion_multiply(quaternion_inverse(rotations[:, before]), rotations)
    local[:, 0] = root_rotations
    return local


def retarget(joints: np.ndarray, skeleton: Skeleton, target_offsets: np.ndarray) -> np.ndarray:
    """(T, J, 3) motion of any proportions -> (T, J, 3) the same pose on the skeleton of `target_offsets` (J, 3).

    Root travel is scaled by the ratio of leg lengths (source: first frame). Raises InputError for legs of length 0.
    """
    target = np.asarray(target_offsets, dtype=np.float64)
    if target.shape != (skeleton.num_joints, 3) or not np.isfinite(target).all():
        raise InputError(f"target offsets must be finite ({skeleton.num_joints}, 3), got {target.shape}")
    legs = list(skeleton.leg_joints)
    source_legs = np.linalg.norm(bone_vectors(joints[0], skeleton)[legs], axis=-1).sum()
    if source_legs < 1e-6:
        raise InputError("cannot retarget: the legs of the first frame have length 0")
    scale = np.linalg.norm(target[legs], axis=-1).sum() / source_legs
    bones = quaternion_rotate(bone_rotations(joints, skeleton), target)
    result = np.empty_like(bones)
    result[:, 0] = joints[:, 0] * scale
    for chain in skeleton.chains:
        for parent, child in pairwise(chain):
            result[:, child] = result[:, parent] + bones[:, child]
    return result
