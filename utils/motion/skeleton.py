"""The field has two skeletons: T2M (HumanML3D, 22 joints) and KIT (KIT-ML, 21 joints).

Every joint index, frame rate, unit and feature column that the project uses is looked up here.
Source: the published HumanML3D processing (Guo et al., CVPR 2022). Y is up. In the world a person who faces +Z has the
left side at +X; KIT-ML's joints are its mirror image and in a unit of their own (see `KIT`). What measures, describes
or draws a motion takes it through `Skeleton.in_metres`, what makes one from the world through `Skeleton.from_metres`.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from utils.errors import InputError

if TYPE_CHECKING:  # joint names and frame rates are looked up where torch is not loaded
    from torch import Tensor

ArrayOrTensor = TypeVar("ArrayOrTensor", np.ndarray, "Tensor")


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
        face_joints: hip at -X, hip at +X, shoulder at -X, shoulder at +X of a body that faces +Z: they define where the
            body faces (right, left, right, left; the other way round where `mirrored`).
        right_foot, left_foot: ankle and toe joint of each foot (KIT: heel and toe).
        contact_joints: the foot joints of the four contact columns, in their published order.
        leg_joints: the two bones (named by their end joint) whose lengths set the retargeting scale.
        contact_threshold: a foot joint is in contact when its squared displacement per frame is below this
            (published values; metres for T2M, KIT-ML's own unit for KIT).
        metres_per_unit: length of the unit that joints and features are in.
        mirrored: whether joints and features are a mirror image of the world: who faces +Z has the left side at -X.
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
    contact_joints: tuple[int, int, int, int]
    leg_joints: tuple[int, int]
    contact_threshold: float
    metres_per_unit: float
    mirrored: bool

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
        """Foot contacts, 4: those of `contact_joints`."""
        start = self.velocities_slice.stop
        return slice(start, start + 4)

    def directions(self) -> np.ndarray:
        """(J, 3) float32 unit bone directions in the rest pose."""
        return np.asarray(self.raw_directions, dtype=np.float32)

    def joint(self, name: str) -> int:
        return self.joint_names.index(name)

    def in_metres(self, joints: ArrayOrTensor) -> ArrayOrTensor:
        """(..., 3) in this skeleton's unit -> the same shape and dtype in metres, as the world is: left at +X."""
        return joints * _like(self._axes(), joints)

    def from_metres(self, joints: ArrayOrTensor) -> ArrayOrTensor:
        """(..., 3) in metres, left at +X -> the same shape and dtype in this skeleton's unit: undoes `in_metres`."""
        return joints / _like(self._axes(), joints)

    def _axes(self) -> np.ndarray:
        """(3,) metres of the world for a unit along each axis."""
        return self.metres_per_unit * np.array([-1.0 if self.mirrored else 1.0, 1.0, 1.0])


def _like(values: np.ndarray, joints: ArrayOrTensor) -> ArrayOrTensor:
    if isinstance(joints, np.ndarray):
        return values.astype(joints.dtype if np.issubdtype(joints.dtype, np.floating) else np.float64)
    return joints.new_tensor(values)


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
    contact_joints=(7, 10, 8, 11),
    leg_joints=(5, 8),
    contact_threshold=0.002,
    metres_per_unit=1.0,
    mirrored=False,
)  # fmt: skip

# Where KIT's sides and unit are from. The published joints (Guo et al.) are those of language2pose (Ahuja and Morency,
# 3DV 2019; its KITMocap class), made from KIT's files with the reference body of the Master Motor Map (its mmm.xml).
#
# Sides: the order is root BP BT BLN BUN, LS LE LW, RS RE RW, LH LK LA LMrot LF, RH RK RA RMrot RF, as TEMOS, TMR and
# MDM list it too: joints 5-7 and 11-15 are the person's left ones, which the captions speak of. In the reference body,
# which is 1,000 units tall, Z is up, the toes are at +Y (LF: y 53.7) and the left hip is at x = -52: so is the world.
# To put Y up, language2pose exchanges y and z, which turns nothing but mirrors all: toes at +Z, left still at -X. The
# published processing keeps that. It calls joints 11 and 5 "right" (r_hip, sdr_r), where they stand, so that the body
# faces to where its toes are; its columns of contacts follow (fid_l 19 20, fid_r 14 15). Lists that were read off
# these names have the sides the other way round, and left turns that look like right turns.
#
# Unit: the body is 1,000 units tall, with 245 of thigh and 246 of shin (449 from hip to ankle in the published Mean,
# where bent legs are averaged in). The field takes 640 units for a metre (480 / 0.75: TEMOS, Petrovich et al., ECCV
# 2022, matched with SMPL bodies), so the legs are 0.77 m. The way of the root is left in the millimetres of the person
# who was recorded: with this one unit travel comes out up to 1.6 times as long as it was.
KIT = Skeleton(
    name="kit",
    joint_names=(
        "root", "spine1", "spine2", "spine3", "head", "left_shoulder", "left_elbow", "left_wrist",
        "right_shoulder", "right_elbow", "right_wrist", "left_hip", "left_knee", "left_ankle",
        "left_heel", "left_foot", "right_hip", "right_knee", "right_ankle", "right_heel", "right_foot",
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
    right_foot=(19, 20),
    left_foot=(14, 15),
    contact_joints=(19, 20, 14, 15),
    leg_joints=(17, 18),
    contact_threshold=0.05,
    metres_per_unit=0.75 / 480,
    mirrored=True,
)  # fmt: skip

SKELETONS = {skeleton.name: skeleton for skeleton in (T2M, KIT)}


def get_skeleton(name: str) -> Skeleton:
    """The skeleton of a data set name (``t2m`` or ``kit``)."""
    if name not in SKELETONS:
        raise InputError(f"unknown data set name {name!r}: expected one of {', '.join(SKELETONS)}")
    return SKELETONS[name]


def skeleton_with_features(width: int) -> Skeleton | None:
    """The skeleton whose features have this width (263: T2M, 251: KIT); None for any other."""
    return next((skeleton for skeleton in SKELETONS.values() if skeleton.feature_dim == width), None)


def skeleton_with_joints(num_joints: int) -> Skeleton:
    """The skeleton that has this many joints (22: T2M, 21: KIT)."""
    for skeleton in SKELETONS.values():
        if skeleton.num_joints == num_joints:
            return skeleton
    raise InputError(f"no skeleton has {num_joints} joints: expected 22 (t2m) or 21 (kit)")
