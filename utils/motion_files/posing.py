"""A motion of joint positions becomes what files of animation programs hold: bones of fixed length that turn.

Each joint's rotation takes its bones from the rest pose to where they are. Where several bones leave a joint (pelvis,
chest) it is the best fit to all of them (Kabsch, 1976); where one does, the shortest turn of the parent's frame, so
that nothing twists without need. Generated motions stretch their bones a little; how much of the joints' places that
costs is measured, and where it is more than `STRETCH` the places of all joints are kept beside the rotations.
"""

from dataclasses import dataclass

import numpy as np
import torch

from utils.errors import InputError
from utils.motion.bones import bone_vectors
from utils.motion.rotations import normalize, quaternion_between
from utils.motion.skeleton import Skeleton
from utils.motion_files.rigs import Rig

# Metres by which joints may be elsewhere in the file than in the motion before their places are written too.
STRETCH = 0.005
_PROCRUSTES_ROUNDS = 5


@dataclass(frozen=True, eq=False)
class PosedMotion:
    """A motion as rotations of a rig.

    Attributes:
        rig: names and rest pose.
        offsets: (J, 3) metres, from parent to joint in the rest pose; zero for the root.
        root: (T, 3) metres, place of the root.
        rotations: (T, J, 3, 3) rotation of each joint in its parent's frame (of the root: in the world).
        places: (T, J, 3) metres, from parent to joint in the parent's frame, for motions that stretch their bones
            (`offsets` in every frame, were they rigid); None: the offsets do.
        fps: frames a second.
    """

    rig: Rig
    offsets: np.ndarray
    root: np.ndarray
    rotations: np.ndarray
    places: np.ndarray | None
    fps: float

    def joints(self) -> np.ndarray:
        """(T, J, 3) metres: where the file puts the joints."""
        return _forward(self.rig.skeleton, self.offsets, self.root, self.rotations, self.places)[0]


def pose(joints: np.ndarray, rig: Rig, fps: float) -> PosedMotion:
    """Rotations of a rig that put its joints where a motion has them.

    Args:
        joints: (T, J, 3) metres, Y up, of the rig's skeleton, T >= 1.
        fps: of the motion.

    Raises:
        InputError: another shape, or values that are not finite.
    """
    joints = np.asarray(joints, np.float64)
    if joints.ndim != 3 or joints.shape[1:] != (rig.skeleton.num_joints, 3) or len(joints) == 0:
        raise InputError(f"joints must be (T, {rig.skeleton.num_joints}, 3), got {joints.shape}")
    if not np.isfinite(joints).all():
        frame = int(np.argmax(~np.isfinite(joints).all(axis=(1, 2))))
        raise InputError(f"frame {frame} of the motion holds values that are not finite (NaN)")
    joints = rig.place(joints)
    bones = bone_vectors(joints, rig.skeleton)
    offsets = _rest_offsets(bones, rig)
    rotations = turns_of_bones(bones, offsets, rig.skeleton)
    posed = PosedMotion(rig, offsets, joints[:, 0], rotations, None, fps)
    error = np.linalg.norm(posed.joints() - joints, axis=-1).max()
    if error <= STRETCH:
        return posed
    _, frames = _forward(rig.skeleton, offsets, joints[:, 0], rotations, None)
    parents = [max(parent, 0) for parent in rig.skeleton.parents]
    places = np.einsum("tjba,tjb->tja", frames[:, parents], bones)  # the inverse of the parent's frame
    return PosedMotion(rig, offsets, joints[:, 0], rotations, places, fps)


def rest_joints(motion: PosedMotion) -> np.ndarray:
    """(J, 3) metres: the rest pose at the origin, its lowest joint on the floor."""
    joints = np.zeros_like(motion.offsets)
    for joint in _outwards(motion.rig.skeleton)[1:]:
        joints[joint] = joints[motion.rig.skeleton.parents[joint]] + motion.offsets[joint]
    joints[:, 1] -= joints[:, 1].min()
    return joints


def _rest_offsets(bones: np.ndarray, rig: Rig) -> np.ndarray:
    """(J, 3) bones of the rest pose: of the T-pose, with the lengths that they have in the motion (median).

    Bones that leave one joint together stand to one another as they do in the motion: their mean shape (generalised
    Procrustes), turned so that it fits the T-pose.
    """
    offsets = rig.rest_directions * np.median(np.linalg.norm(bones, axis=-1), axis=0)[:, None]
    for own in children_of(rig.skeleton):
        if len(own) > 1:
            shape = offsets[own]
            for _ in range(_PROCRUSTES_ROUNDS):
                shape = np.einsum("tba,tcb->tca", _fit(shape, bones[:, own]), bones[:, own]).mean(axis=0)
            offsets[own] = shape @ _fit(offsets[own], shape[None])[0]
    return offsets


def turns_of_bones(bones: np.ndarray, offsets: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(T, J, 3) bones, and (J, 3) those of the rest pose -> (T, J, 3, 3) local rotations, from the root outwards."""
    children = children_of(skeleton)
    local = np.broadcast_to(np.eye(3), (*bones.shape[:2], 3, 3)).copy()
    frames = local.copy()
    for joint in _outwards(skeleton):
        parent = skeleton.parents[joint]
        before = frames[:, parent] if parent >= 0 else frames[:, joint]
        if own := children[joint]:
            wanted = np.einsum("tba,tcb->tca", before, bones[:, own])  # as seen from the parent's frame
            local[:, joint] = (
                _fit(offsets[own], wanted) if len(own) > 1 else _shortest_turn(offsets[own[0]], wanted[:, 0])
            )
        frames[:, joint] = before @ local[:, joint]
    return local


def children_of(skeleton: Skeleton) -> list[list[int]]:
    """The joints that follow each joint."""
    children: list[list[int]] = [[] for _ in range(skeleton.num_joints)]
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            children[parent].append(joint)
    return children


def _outwards(skeleton: Skeleton) -> list[int]:
    """Joints in an order in which parents come first."""
    order = [0]
    for chain in skeleton.chains:
        order += [joint for joint in chain[1:] if joint not in order]
    return order


def _fit(rest: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(C, 3) vectors of the rest pose and (T, C, 3) vectors -> (T, 3, 3) rotations that fit all best (Kabsch)."""
    u, _, vt = np.linalg.svd(np.einsum("tca,cb->tab", wanted, rest))
    u[np.linalg.det(u @ vt) < 0, :, -1] *= -1
    return u @ vt


def _shortest_turn(rest: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(3,) vector of the rest pose and (T, 3) vectors -> (T, 3, 3)."""
    source, target = (normalize(torch.from_numpy(np.ascontiguousarray(vectors))) for vectors in (rest, wanted))
    return matrices(quaternion_between(source, target).numpy())


def matrices(quaternions: np.ndarray) -> np.ndarray:
    """(..., 4) unit quaternions (w, x, y, z) -> (..., 3, 3)."""
    w, x, y, z = np.moveaxis(quaternions, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _forward(
    skeleton: Skeleton, offsets: np.ndarray, root: np.ndarray, rotations: np.ndarray, places: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """(T, J, 3) places of the joints and (T, J, 3, 3) their frames in the world."""
    joints, frames = np.empty((*rotations.shape[:2], 3)), np.empty_like(rotations)
    for joint in _outwards(skeleton):
        parent = skeleton.parents[joint]
        if parent < 0:
            joints[:, joint], frames[:, joint] = root, rotations[:, joint]
            continue
        step = np.broadcast_to(offsets[joint], root.shape) if places is None else places[:, joint]
        joints[:, joint] = joints[:, parent] + np.einsum("tab,tb->ta", frames[:, parent], step)
        frames[:, joint] = frames[:, parent] @ rotations[:, joint]
    return joints, frames
