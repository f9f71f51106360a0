"""A file of a motion, of any kind that people have, is read for a model: BVH, joints, features, AMASS."""

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dataset.sources.amass.body_model import BodyModel, find_body_model
from dataset.sources.amass.clips import joints_of_clip, read_amass
from dataset.sources.bvh.joint_mapping import BvhOverrides, JointMapping, read_bvh_joints
from dataset.sources.conversion import SourceClip
from dataset.sources.joints import guess_unit, read_joints
from dataset.sources.posture import Postures
from dataset.sources.units import UNITS
from utils.errors import InputError
from utils.files.arrays import read_npy
from utils.motion.plausibility import check_motion_file, check_person
from utils.motion.skeleton import T2M, Skeleton


@dataclass(frozen=True)
class MotionReading:
    """What is known of files better than they say it.

    Attributes:
        mapping: joint table of BVH; None: the shipped one that fits.
        metres_per_unit: None: the table's, and of joints in .npy the one that makes them a person's.
        up: axis of the file that points up; None: the table's, and of joints in .npy Y.
        fps: frame rate; None: the file's own, and of joints in .npy that of the skeleton.
        body_models: folder of SMPL bodies, which AMASS needs.
        any_posture: whether also what does not look like a person with its left on the left is taken as it is.
    """

    mapping: JointMapping | None = None
    metres_per_unit: float | None = None
    up: str | None = None
    fps: float | None = None
    body_models: str | None = None
    any_posture: bool = False


_AS_THEY_ARE = MotionReading()


def read_motion(path: str | Path, skeleton: Skeleton, reading: MotionReading = _AS_THEY_ARE) -> np.ndarray:
    """(T, J, 3) joints in metres, left at +X, or (T, D) features, at the rate of the skeleton.

    Joints are looked at as those of a data set are (`dataset.sources.posture`); who lies is taken with a warning.

    Raises:
        InputError: (with the path) no such file, another kind, no motion of this skeleton, or no person.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in _READERS:
        raise InputError(f"{path}: expected a motion in a file that ends in {', '.join(ENDINGS)}")
    if kind == ".npy" and (motion := read_npy(path)).ndim == 2:
        check_motion_file(path, motion, skeleton)
        try:
            check_person(motion, skeleton)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        return motion
    postures = Postures(skeleton, reading.any_posture)
    clip = SourceClip(path.stem, (path,), partial(_READERS[kind], path, skeleton, reading), up=reading.up)
    joints = postures.watched(clip).read()
    if (note := postures.note()) is not None:
        logging.warning(note)
    return skeleton.in_metres(joints)


def _bvh(path: Path, skeleton: Skeleton, reading: MotionReading) -> np.ndarray:
    overrides = BvhOverrides(reading.metres_per_unit, reading.up, reading.fps)
    return read_bvh_joints(path, reading.mapping, skeleton, overrides)


def _joints(path: Path, skeleton: Skeleton, reading: MotionReading) -> np.ndarray:
    unit = reading.metres_per_unit
    if unit is None:
        name, _ = guess_unit([path], skeleton)
        unit = None if name is None else UNITS[name]
    if unit == skeleton.metres_per_unit and not skeleton.mirrored:
        unit = None
    return read_joints(path, skeleton, reading.fps or skeleton.fps, unit, reading.up or "y")


def _amass(path: Path, skeleton: Skeleton, reading: MotionReading) -> np.ndarray:
    if skeleton is not T2M:
        raise InputError(f"{path}: AMASS gives the joints of {T2M.name}, this model knows {skeleton.name}")
    clip = read_amass(path)
    if reading.body_models is None:
        raise InputError(f"{path}: AMASS stores poses, and without --body-models FOLDER (SMPL bodies) has no joints")
    body = BodyModel.load(find_body_model(reading.body_models, clip.family, clip.gender))
    return joints_of_clip(clip, body).astype(np.float64)


_READERS = {".bvh": _bvh, ".npy": _joints, ".npz": _amass}
ENDINGS = tuple(_READERS)
