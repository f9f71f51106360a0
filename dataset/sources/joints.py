"""Files of joint positions (.npy) in any unit and with any axis up become joints of a skeleton."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dataset.sources.units import (
    UNITS,
    check_legs,
    is_persons_leg,
    leg_length,
    oddness,
    plausible_units,
    to_metres_y_up,
)
from utils.errors import InputError
from utils.files.arrays import read_npy
from utils.motion.resampling import resample_linear
from utils.motion.skeleton import T2M, Skeleton, skeleton_with_features

# The units that joints without a word about them are taken for, and files that are looked at to tell which.
_GUESSED = ("m", "cm", "mm")
_LOOKED_AT = 24
# Joints of SMPL, SMPL-H and SMPL-X, with hands and face behind the body's.
_SMPL_JOINTS = (24, 52, 55)


def read_joints(
    path: str | Path, skeleton: Skeleton, source_fps: float, metres_per_unit: float | None = None, up: str = "y"
) -> np.ndarray:
    """One .npy of joints (T, J, 3) -> (T', J, 3) float64 in the skeleton's unit, Y up, at its frame rate.

    Args:
        metres_per_unit: of the file, whose left is then on the left; None: it is in the skeleton's own unit and sides.
        up: the file's axis that points up.

    Raises:
        InputError: with the path, for another shape, values that are not finite, and legs that no person has.
    """
    joints = _read(path, skeleton)
    try:
        if metres_per_unit is not None:
            joints = skeleton.from_metres(to_metres_y_up(joints, metres_per_unit, up))
        elif up != "y":
            joints = to_metres_y_up(joints, 1.0, up)
        if len(joints):
            check_legs(skeleton.in_metres(joints), skeleton, metres_per_unit or skeleton.metres_per_unit)
        return resample_linear(joints, source_fps, skeleton.fps)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def guess_unit(paths: Sequence[Path], skeleton: Skeleton) -> tuple[str | None, float]:
    """(name of the unit of these files, None for the skeleton's own; length of a leg in that unit).

    Told by the legs, the same for all files. Raises InputError where no unit makes them a person's.
    """
    lengths, problem = [], "there is none"
    for index in np.unique(np.linspace(0, len(paths) - 1, min(_LOOKED_AT, len(paths))).astype(int)):
        try:
            joints = _read(paths[index], skeleton)
        except InputError as error:
            problem = str(error)
            continue  # a bad clip, which the conversion will name
        if len(joints):
            lengths.append(leg_length(joints, skeleton))
    if not lengths:
        raise InputError(f"--unit auto: none of the files looked at can be read: {problem}")
    leg = float(np.median(lengths))
    units, own = plausible_units(leg, _GUESSED), leg * skeleton.metres_per_unit
    # KIT-ML's own unit is none of the world: the one that makes the more typical person.
    if is_persons_leg(own) and all(oddness(own) <= oddness(leg * UNITS[unit]) for unit in units):
        return None, leg
    if not units:
        raise InputError(
            f"--unit auto: the legs are {leg:.3g} units long, which is no person in {', '.join(_GUESSED)}: say --unit"
        )
    return units[0], leg


def _read(path: str | Path, skeleton: Skeleton) -> np.ndarray:
    """(T, J, 3) float64 as they stand in the file. Raises InputError with the path."""
    joints = read_npy(path)
    if joints.ndim != 3 or joints.shape[1:] != (skeleton.num_joints, 3):
        raise InputError(
            f"{path}: expected joints (T, {skeleton.num_joints}, 3), got {joints.shape}{_hint(joints, skeleton)}"
        )
    if not np.isfinite(joints).all():
        raise InputError(f"{path}: joints hold values that are not finite numbers (NaN)")
    return joints.astype(np.float64)


def _hint(joints: np.ndarray, skeleton: Skeleton) -> str:
    """What an array of another shape may be, and the way out."""
    count, whole = skeleton.num_joints, (skeleton.num_joints, 3)
    if joints.ndim == 3 and joints.shape[1] in _SMPL_JOINTS and joints.shape[2] == 3 and skeleton is T2M:
        return f": of SMPL's joints the first {count} are meant, save joints[:, :{count}]"
    if joints.ndim == 2 and joints.shape[1] == 3 * count:
        return f": save joints.reshape(-1, {count}, 3)"
    if joints.ndim == 4 and joints.shape[0] == 1 and joints.shape[2:] == whole:
        return ": save joints[0]"
    if joints.ndim == 2 and skeleton_with_features(joints.shape[1]) is not None:
        return ": features, which need no conversion (--data-root takes a folder of them), not joints"
    return ""
