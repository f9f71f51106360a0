"""A file of a motion, of any kind that people have, is read for a model: BVH, joints, features, AMASS."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.sources.amass.body_model import BodyModel, find_body_model
from dataset.sources.amass.clips import joints_of_clip, read_amass
from dataset.sources.bvh.joint_mapping import NO_OVERRIDES, BvhOverrides, JointMapping, read_bvh_joints
from utils.errors import InputError
from utils.files.arrays import read_npy
from utils.motion.resampling import resample_linear
from utils.motion.skeleton import T2M, Skeleton

ENDINGS = (".bvh", ".npy", ".npz")


@dataclass(frozen=True)
class MotionReading:
    """What is known of files better than they say it.

    Attributes:
        mapping, overrides: of BVH, see `dataset.sources.bvh.joint_mapping`.
        fps: frame rate of joints in .npy; None: that of the skeleton.
        body_models: folder of SMPL bodies, which AMASS needs.
    """

    mapping: JointMapping | None = None
    overrides: BvhOverrides = NO_OVERRIDES
    fps: float | None = None
    body_models: str | None = None


_AS_THEY_ARE = MotionReading()


def read_motion(path: str | Path, skeleton: Skeleton, reading: MotionReading = _AS_THEY_ARE) -> np.ndarray:
    """(T, J, 3) joints in metres, left at +X, or (T, D) features, at the rate of the skeleton.

    Raises:
        InputError: (with the path) no such file, another kind, or no motion of this skeleton.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind == ".bvh":
        return skeleton.in_metres(read_bvh_joints(path, reading.mapping, skeleton, reading.overrides))
    if kind == ".npz":
        return _amass(path, skeleton, reading)
    if kind != ".npy":
        raise InputError(f"{path}: expected a motion in a file that ends in {', '.join(ENDINGS)}")
    motion = read_npy(path)
    if not np.isfinite(motion).all():
        raise InputError(f"{path}: holds values that are not finite (NaN)")
    if motion.ndim == 2 and motion.shape[1] == skeleton.feature_dim:
        return motion
    if motion.ndim == 3 and motion.shape[1:] == (skeleton.num_joints, 3):
        joints = skeleton.in_metres(motion.astype(np.float64))
        return resample_linear(joints, reading.fps or skeleton.fps, skeleton.fps)
    raise InputError(
        f"{path}: expected joints (T, {skeleton.num_joints}, 3) or features (T, {skeleton.feature_dim}), got "
        f"{motion.shape}"
    )


def _amass(path: Path, skeleton: Skeleton, reading: MotionReading) -> np.ndarray:
    if skeleton is not T2M:
        raise InputError(f"{path}: AMASS gives the joints of {T2M.name}, this model knows {skeleton.name}")
    clip = read_amass(path)
    if reading.body_models is None:
        raise InputError(f"{path}: AMASS stores poses, and without --body-models FOLDER (SMPL bodies) has no joints")
    body = BodyModel.load(find_body_model(reading.body_models, clip.family, clip.gender))
    return joints_of_clip(clip, body).astype(np.float64)
