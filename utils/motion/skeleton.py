"""The field has two skeletons: T2M (HumanML3D, 22 joints) and KIT (KIT-ML, 21 joints).

Every joint index, frame rate and feature column that the project uses is looked up here.
Source: the published HumanML3D processing (Guo et al., CVPR 2022). Y is up, a person who faces +Z has the
left side at +X.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from utils.errors import InputError


@dataclass(frozen=True)
class Skeleton:
    """A kinematic tree with the constants its motion features are computed from.

    Attributes:
        name: data set name as given to ``--dataname`` (``t2m`` or ``kit``).
        joint_names: J names; index = joint id.
        chains: kinematic chains from parent to child; the first joint of a chain belongs to an earlier chain.
        raw_directions: (J, 3) unit direction of the bone that ends in each joint, in the rest pose.
        fps: frames per second of the data set.
        min_frames, max_frames: lengths that the published data sets keep: min_frames <= T < max_frames.
        face_joints: right hip, left hip, right shoulder, left shoulder: they define where the body faces.
        right_foot, left_foot: ankle and toe joint of each foot.
        leg_joints: the two bones (named by their end joint) whose lengths set the retargeting scale.
        contact_threshold: a foot joint is in contact when its squared displacement per frame is below this
            (published values; metres for T2M, KIT-ML's own unit for KIT).
        metres_per_unit: length of the unit that joints and features are in. KIT-ML's joints count as millimetres where
            the field measures errors on them (TEMOS, Petrovich et al., ECCV 2022).
    """

    name: str
    joint_names: tuple[str, ...]
    chains: tuple[tuple[int, ...], ...]
    raw_directions: tuple[tuple[int, int, int], ...]
    fps: float
    min_frames: int
    max_frames: int
    face_joints: tuple[int, int, int, int]
    right_foot: tuple[int, int]
    left_foot: tuple[int, int]
    leg_joints: tuple[int, int]
    contact_threshold: float
    metres_per_unit: float

    @property
    def num_joints(self) -> int:
        return len(self.joint_names)

    @property
    def feature_dim(self) -> int:
        """4 root + 3(J-1) positions + 6(J-1) rotations + 3J velocities + 4 foot contacts = 12 J - 1."""
        return 12 * self.num_joints - 1

    @property
    def parents(self) -> tuple[int, ...]:
        """Parent of each joint; -1 for the root."""
        parents = [-1] * self.num_joints
        for chain in self.chains:
            for parent, child in pairwise(chain):
                parents[child] = parent
        return tuple(parents)

    # Columns of the feature vector, in order (HumanML3D).
    @property
    def root_slice(self) -> slice:
        """Yaw velocity (1), xz velocity in the root frame (2), root height (1)."""
        return slice(0, 4)

    @property
    def positions_slice(self) -> slice:
        """Joint positions relative to the root, 3 (J-1)."""
        return slice(4, 4 + 3 * (self.num_joints - 1))

    @property
    def rotations_slice(self) -> slice:
        """6D joint rotations, 6 (J-1)."""
        start = self.positions_slice.stop
        return slice(start, start + 6 * (self.num_joints - 1))

    @property
    def velocities_slice(self) -> slice:
        """Joint velocities, 3 J."""
        start = self.rotations_slice.stop
        return slice(start, start + 3 * self.num_joints)

    @property
    def contacts_slice(self) -> slice:
        """Foot contacts, 4: left ankle, left toe, right ankle, right toe."""
        start = self.velocities_slice.stop
        return slice(start, start + 4)

    def directions(self) -> np.ndarray:
        """(J, 3) float32 unit bone directions in the rest pose."""
        return np.asarray(self.raw_directions, dtype=np.float32)

    def joint(self, name: str) -> int:
        return self.joint_names.index(name)


T2M = Skeleton(
    name="t2m",
    joint_names=(
        "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
        "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    ),
    chains=(
        (0, 2, 5, 8, 11), (0, 1, 4, 7, 10), (0, 3, 6, 9, 12, 15), (9, 14, 17, 19, 21), (9, 13, 16, 18, 20),
    ),
    raw_directions=(
        (0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, -1, 0), (0, 1, 0), (0, -1, 0),
        (0, -1, 0), (0, 1, 0), (0, 0, 1), (0, 0, 1), (0, 1, 0), (1, 0, 0), (-1, 0, 0), (0, 0, 1),
        (0, -1, 0), (0, -1, 0), (0, -1, 0), (0, -1, 0), (0, -1, 0), (0, -1, 0),
    ),
    fps=20.0,
    min_frames=40,
    max_frames=200,
    face_joints=(2, 1, 17, 16),
    right_foot=(8, 11),
    left_foot=(7, 10),
    leg_joints=(5, 8),
    contact_threshold=0.002,
    metres_per_unit=1.0,
)  # fmt: skip

# Sides as the published KIT processing uses them (joints 11-15 right, 16-20 left, 5-7 right arm, 8-10 left).
KIT = Skeleton(
    name="kit",
    joint_names=(
        "root", "spine1", "spine2", "spine3", "head", "right_shoulder", "right_elbow", "right_wrist",
        "left_shoulder", "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle",
        "right_heel", "right_foot", "left_hip", "left_knee", "left_ankle", "left_heel", "left_foot",
    ),
    chains=(
        (0, 11, 12, 13, 14, 15), (0, 16, 17, 18, 19, 20), (0, 1, 2, 3, 4), (3, 5, 6, 7), (3, 8, 9, 10),
    ),
    raw_directions=(
        (0, 0, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0), (1, 0, 0), (0, -1, 0), (0, -1, 0),
        (-1, 0, 0), (0, -1, 0), (0, -1, 0), (1, 0, 0), (0, -1, 0), (0, -1, 0), (0, 0, 1), (0, 0, 1),
        (-1, 0, 0), (0, -1, 0), (0, -1, 0), (0, 0, 1), (0, 0, 1),
    ),
    fps=12.5,
    min_frames=24,
    max_frames=200,
    face_joints=(11, 16, 5, 8),
    right_foot=(14, 15),
    left_foot=(19, 20),
    leg_joints=(17, 18),
    contact_threshold=0.05,
    metres_per_unit=0.001,
)  # fmt: skip

_SKELETONS = {skeleton.name: skeleton for skeleton in (T2M, KIT)}


def get_skeleton(name: str) -> Skeleton:
    """The skeleton of a data set name (``t2m`` or ``kit``)."""
    if name not in _SKELETONS:
        raise InputError(f"unknown data set name {name!r}: expected one of {', '.join(_SKELETONS)}")
    return _SKELETONS[name]


def skeleton_with_joints(num_joints: int) -> Skeleton:
    """The skeleton that has this many joints (22: T2M, 21: KIT)."""
    for skeleton in _SKELETONS.values():
        if skeleton.num_joints == num_joints:
            return skeleton
    raise InputError(f"no skeleton has {num_joints} joints: expected 22 (t2m) or 21 (kit)")
