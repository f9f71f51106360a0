"""A body with volume around the joints: how thick a person is at each of them.

Half widths are those of an average adult (eyeballed, for drawing only) in shares of the stretched height, so that any
skeleton in any unit gets a body.
"""

from itertools import pairwise

import numpy as np

from utils.motion.bones import bone_vectors
from utils.motion.skeleton import Skeleton

_HALF_WIDTH = {
    "pelvis": 0.062, "root": 0.062, "hip": 0.050, "knee": 0.032, "ankle": 0.022, "heel": 0.020, "foot": 0.018,
    "spine1": 0.060, "spine2": 0.064, "spine3": 0.068, "neck": 0.030, "head": 0.052, "collar": 0.040,
    "shoulder": 0.034, "elbow": 0.024, "wrist": 0.017,
}  # fmt: skip

_IN_THE_TRUNK = {"hip", "collar"}


def half_widths(skeleton: Skeleton) -> np.ndarray:
    """(J,) shares of the body's height."""
    return np.array([_HALF_WIDTH[name.removeprefix("left_").removeprefix("right_")] for name in skeleton.joint_names])


def side_of(joint_name: str) -> str:
    """``left`` or ``right`` for the bones of limbs, by the name of the joint that they end in; else ``centre``."""
    side, _, part = joint_name.partition("_")
    return side if side in ("left", "right") and part not in _IN_THE_TRUNK else "centre"


def bones(skeleton: Skeleton) -> list[tuple[int, int]]:
    """(parent, joint) of every bone."""
    return [bone for chain in skeleton.chains for bone in pairwise(chain)]


def body_height(joints: np.ndarray, skeleton: Skeleton) -> float:
    """The length of a stretched body, its longest leg plus its spine, in the middle frame of (T, J, 3)."""
    lengths = np.linalg.norm(bone_vectors(joints[len(joints) // 2], skeleton), axis=-1)
    chains = [chain for chain in skeleton.chains if chain[0] == 0]
    spine = next(chain for chain in chains if skeleton.joint("head") in chain)
    legs = [chain for chain in chains if chain is not spine]
    longest = max(lengths[list(leg[1:])].sum() for leg in legs)
    return max(float(longest + lengths[list(spine[1:])].sum()), 1e-6)
