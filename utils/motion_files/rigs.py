"""The names and the rest pose under which other programs know our joints: Mixamo, CMU, SMPL.

A rest pose is a T-pose: arms along the x axis, legs down, feet to the front (+Z), which is what retargeting tools of
Blender, Unreal and Unity expect.
"""

from dataclasses import dataclass

import numpy as np

from utils.errors import InputError
from utils.motion.skeleton import Skeleton

_SIDES = ("left", "right")
# Our joint (of either skeleton) -> its name; {Side} stands for Left or Right, {S} for L or R.
_MIXAMO = {
    "pelvis": "Hips", "hip": "{Side}UpLeg", "knee": "{Side}Leg", "ankle": "{Side}Foot", "heel": "{Side}Heel",
    "foot": "{Side}ToeBase", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck",
    "head": "Head", "collar": "{Side}Shoulder", "shoulder": "{Side}Arm", "elbow": "{Side}ForeArm",
    "wrist": "{Side}Hand",
}  # fmt: skip
_CMU = {**_MIXAMO, "spine1": "LowerBack", "spine2": "Spine", "spine3": "Spine1", "neck": "Neck1"}
_SMPL = {
    "pelvis": "Pelvis", "hip": "{S}_Hip", "knee": "{S}_Knee", "ankle": "{S}_Ankle", "heel": "{S}_Heel",
    "foot": "{S}_Foot", "spine1": "Spine1", "spine2": "Spine2", "spine3": "Spine3", "neck": "Neck", "head": "Head",
    "collar": "{S}_Collar", "shoulder": "{S}_Shoulder", "elbow": "{S}_Elbow", "wrist": "{S}_Wrist",
}  # fmt: skip
# CMU's hierarchy has its lower back within the hips and its collars within the chest. Its joints lie where the usual
# reading (half-way from them to the next joint: ours) finds ours again: joint -> the next one.
_CMU_BEFORE = {"spine1": "spine2", "left_collar": "left_shoulder", "right_collar": "right_shoulder"}
_NAMES = {"mixamo": _MIXAMO, "cmu": _CMU, "smpl": _SMPL}
_PREFIX = {"mixamo": "mixamorig:", "cmu": "", "smpl": ""}
# Metres that a number in the files of such rigs stands for: centimetres, and CMU's 1/0.45 inch.
_METRES_PER_UNIT = {"mixamo": 0.01, "cmu": 0.056444, "smpl": 0.01}
RIGS = tuple(_NAMES)
_REST = {
    "hip": (1, 0, 0), "knee": (0, -1, 0), "ankle": (0, -1, 0), "heel": (0, 0, 1), "foot": (0, 0, 1),
    "collar": (1, 0, 0), "shoulder": (1, 0, 0), "elbow": (1, 0, 0), "wrist": (1, 0, 0),
}  # fmt: skip
_UP = (0, 1, 0)


@dataclass(frozen=True)
class Rig:
    """A skeleton of ours as another program knows it.

    Attributes:
        name: ``mixamo``, ``cmu`` or ``smpl``.
        skeleton: whose joints these are.
        joint_names: J names, in the order of the skeleton's joints.
        rest_directions: (J, 3) unit direction of the bone that ends in each joint in the T-pose; zero for the root.
        metres_per_unit: of the numbers in a file.
    """

    name: str
    skeleton: Skeleton
    joint_names: tuple[str, ...]
    rest_directions: np.ndarray
    metres_per_unit: float

    def place(self, joints: np.ndarray) -> np.ndarray:
        """(T, J, 3) joints of the skeleton -> where the rig has its joints."""
        placed = joints.copy()
        for joint, following in _CMU_BEFORE.items() if self.name == "cmu" else ():
            if joint in self.skeleton.joint_names and following in self.skeleton.joint_names:
                own, after = map(self.skeleton.joint, (joint, following))
                placed[:, own] = 2 * joints[:, own] - joints[:, after]
        return placed


def rig(name: str, skeleton: Skeleton) -> Rig:
    """The rig called `name` for a skeleton. Raises InputError for an unknown name."""
    if name not in _NAMES:
        raise InputError(f"unknown rig {name!r}: expected {', '.join(RIGS)}")
    names, directions = [], []
    for joint in skeleton.joint_names:
        side, part = _part_of(joint)
        sign = -1 if side == "right" else 1
        pattern = _NAMES[name]["pelvis" if joint == "root" else part]
        names.append(_PREFIX[name] + pattern.format(Side=(side or "").title(), S=(side or " ")[0].upper()))
        x, y, z = _REST.get(part, _UP)
        directions.append((sign * x, y, z))
    rest = np.array(directions, dtype=np.float64)
    rest[0] = 0.0
    return Rig(name, skeleton, tuple(names), rest, _METRES_PER_UNIT[name])


def _part_of(joint: str) -> tuple[str | None, str]:
    """(side or None, part of the body) of one of our joint names."""
    side, _, part = joint.partition("_")
    return (side, part) if side in _SIDES else (None, joint)
