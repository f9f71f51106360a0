"""Joint positions become a motion as AMASS stores it: poses of an SMPL body.

A motion knows its joints, AMASS stores turns of a body of a certain shape. So the shape is fitted first (the distances
between joints that the body keeps, by least squares), then the turns follow by inverse kinematics from that body's own
rest pose. The joints of the file are where the body has them: for a motion of an SMPL body they are the motion's own;
people of other proportions are put on the nearest body, and by how much that moves their joints is measured.
"""

import logging
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from dataset.sources.amass.body_model import FAMILY_JOINTS, BodyModel, find_body_model
from dataset.sources.amass.clips import GENDERS, AmassClip
from utils.errors import InputError
from utils.files.arrays import write_npz
from utils.motion.bones import bone_vectors
from utils.motion.skeleton import T2M, Skeleton
from utils.motion_files.posing import children_of, turns_of_bones

logger = logging.getLogger(__name__)

# Coefficients of a shape in AMASS's own files; those that are not fitted are 0.
_STORED_BETAS = 16
# What a shape coefficient of 1 may cost: as much as a joint that is 5 mm too near to another.
_PRIOR, _ROUNDS = 0.005, 8
# Metres by which the file's joints may be elsewhere before that is said.
TOLD = 0.02
# SMPL-H first: it is what AMASS itself, and so HumanML3D, is made of.
_FAMILIES, _GENDERS = ("smplh", "smplx", "smpl"), ("neutral", "male", "female")


@dataclass(frozen=True, eq=False)
class GivenBody:
    """A body model of a folder, with the gender that a file must name to find it again."""

    model: BodyModel
    gender: str


def any_body(folder: str | Path, gender: str | None = None) -> GivenBody:
    """The first body model of a folder: SMPL-H before SMPL-X before SMPL, neutral before male before female.

    Raises:
        InputError: there is none (of that `gender`).
    """
    if gender is not None and gender not in GENDERS:
        raise InputError(f"gender must be one of {', '.join(GENDERS)}, got {gender!r}")
    wanted = _GENDERS if gender is None else (gender,)
    problem: InputError | None = None
    for family in _FAMILIES:
        for one in wanted:
            try:
                return GivenBody(BodyModel.load(find_body_model(folder, family, one)), one)
            except InputError as error:
                problem = problem or error
    raise problem


def write_amass(path: str | Path, joints: np.ndarray, skeleton: Skeleton, fps: float, body: GivenBody) -> float:
    """Write one motion as AMASS's files are, and warn where the body moves its joints by more than `TOLD`.

    Args:
        joints: (T, 22, 3) metres, Y up, left at +X.

    Returns:
        metres by which the joint that is farthest off is elsewhere in the file

    Raises:
        InputError: joints of another skeleton than SMPL's, or values that are not finite.
    """
    if skeleton is not T2M:
        raise InputError(f"{path}: AMASS has SMPL's 22 joints, these are the {skeleton.num_joints} of {skeleton.name}")
    try:
        clip = clip_of_joints(joints, fps, body)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    written = _other_axes(body.model.joints(clip.poses, clip.betas, clip.trans))
    off = float(np.linalg.norm(written - joints, axis=-1).max())
    arrays = {
        "poses": clip.poses,
        "trans": clip.trans,
        "betas": clip.betas,
        "gender": np.array(clip.gender),
        "mocap_framerate": np.array(float(fps)),
        "mocap_frame_rate": np.array(float(fps)),  # as the newer archives and their add-on for Blender call it
        "surface_model_type": np.array(clip.family),
    }
    write_npz(path, arrays)
    if off > TOLD:
        logger.warning(
            "%s: the body has other proportions than the motion: joints are up to %.0f cm elsewhere", path, 100 * off
        )
    return off


def clip_of_joints(joints: np.ndarray, fps: float, body: GivenBody) -> AmassClip:
    """(T, 22, 3) metres, Y up, left at +X -> poses, shape and way of the body that is nearest to them."""
    joints = np.asarray(joints, np.float64)
    if joints.ndim != 3 or joints.shape[1:] != (T2M.num_joints, 3) or len(joints) == 0:
        raise InputError(f"joints must be (T, {T2M.num_joints}, 3), got {joints.shape}")
    if not np.isfinite(joints).all():
        raise InputError("the motion holds values that are not finite (NaN)")
    wanted = _other_axes(joints)
    betas = _shape(wanted, body.model)
    rest = _rest(body.model, betas)
    turns = turns_of_bones(bone_vectors(wanted, T2M), bone_vectors(rest, T2M), T2M)
    body_turns = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_rotvec().reshape(len(joints), -1)
    poses = np.zeros((len(joints), 3 * FAMILY_JOINTS[body.model.family]))
    poses[:, : body_turns.shape[1]] = body_turns
    trans = wanted[:, 0] - rest[0]
    stored = np.pad(betas, (0, max(0, _STORED_BETAS - len(betas))))
    # All joints count, not the root alone; one shift for the whole motion, so that nothing trembles.
    trans += (wanted - body.model.joints(poses, stored, trans)).mean(axis=(0, 1))
    return AmassClip(poses, trans, stored, body.gender, fps, body.model.family)


def _shape(wanted: np.ndarray, model: BodyModel) -> np.ndarray:
    """(B,) coefficients of the shape that keeps the distances between joints of (T, 22, 3), by Gauss and Newton.

    The distances are those of every bone, and of the bones that leave one joint together.
    """
    pairs = [(parent, joint) for joint, parent in enumerate(T2M.parents) if parent >= 0]
    pairs += [pair for own in children_of(T2M) for pair in combinations(own, 2)]
    first, second = np.array(pairs).T
    lengths = np.median(np.linalg.norm(wanted[:, first] - wanted[:, second], axis=-1), axis=0)
    offsets = model.shape_offsets.cpu().numpy().astype(np.float64)
    moves = offsets[first] - offsets[second]  # (P, 3, B)
    betas = np.zeros(offsets.shape[-1])
    for _ in range(_ROUNDS):
        rest = _rest(model, betas)
        between = rest[first] - rest[second]
        found = np.linalg.norm(between, axis=-1)
        slopes = np.einsum("pk,pkb->pb", between / np.maximum(found, 1e-9)[:, None], moves)
        normal = slopes.T @ slopes + _PRIOR**2 * np.eye(len(betas))
        betas = betas + np.linalg.solve(normal, slopes.T @ (lengths - found) - _PRIOR**2 * betas)
    return betas


def _rest(model: BodyModel, betas: np.ndarray) -> np.ndarray:
    """(22, 3) joints of the rest pose of a shape."""
    average, offsets = (values.cpu().numpy().astype(np.float64) for values in (model.rest_joints, model.shape_offsets))
    return average + offsets[..., : len(betas)] @ betas


def _other_axes(joints: np.ndarray) -> np.ndarray:
    """Ours -> AMASS's axes (Z up) or back: what `dataset.sources.amass.clips` does to what it reads undoes itself."""
    return joints[..., [0, 2, 1]] * np.array([-1, 1, 1])
