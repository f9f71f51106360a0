"""Joints in a foreign unit and with another axis up become metres with Y up."""

import math
from typing import Any

import numpy as np

from utils.errors import InputError
from utils.motion.inverse_kinematics import bone_vectors
from utils.motion.skeleton import Skeleton

# Metres per unit; cmu is that of CMU's mocap, 1/0.45 inch.
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "cmu": 0.056444}
# Length of a leg (thigh and shin) in metres: generous limits, and a typical one.
LEG_METRES = (0.2, 2.0)
_TYPICAL_LEG = 0.8
# Rows give our x, y, z (Y up) from the file's. Each is the quarter or half turn that lifts the file's up axis to +Y, so
# left stays left; swapping two axes instead would mirror the body.
_TO_Y_UP = {
    "y": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),  # as it is
    "-y": ((1, 0, 0), (0, -1, 0), (0, 0, -1)),  # half a turn about x
    "z": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),  # -90 degrees about x: (x, z, -y)
    "-z": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),  # 90 degrees about x: (x, -z, y)
    "x": ((0, -1, 0), (1, 0, 0), (0, 0, 1)),  # 90 degrees about z: (-y, x, z)
    "-x": ((0, 1, 0), (-1, 0, 0), (0, 0, 1)),  # -90 degrees about z: (y, -x, z)
}


def to_metres_y_up(positions: np.ndarray, metres_per_unit: float, up: str) -> np.ndarray:
    """(..., 3) in a unit of `metres_per_unit` with the axis `up` (x, y, z, -x, -y, -z) upwards -> metres, Y up.

    The axes are turned, never mirrored: a right-handed system stays one. Raises InputError for a bad unit or axis.
    """
    turn = np.array(_TO_Y_UP[check_up(up)], dtype=np.float64)
    return check_unit(metres_per_unit) * (positions @ turn.T)


def parse_unit(text: str) -> float:
    """Metres per unit, from a name of `UNITS` or a number as text. Raises InputError for anything else."""
    if text in UNITS:
        return UNITS[text]
    try:
        return check_unit(float(text))
    except ValueError:
        raise InputError(f"unit: expected {', '.join(UNITS)} or metres as a number, got {text!r}") from None


def check_unit(unit: Any) -> float:
    """`unit` as a number; raises InputError unless it is a number of metres above 0."""
    if isinstance(unit, bool) or not isinstance(unit, int | float) or not (math.isfinite(unit) and unit > 0):
        raise InputError(f"metres_per_unit: expected a number above 0 (0.01 for centimetres), got {unit!r}")
    return float(unit)


def check_up(up: Any) -> str:
    """`up` itself; raises InputError unless it names an axis."""
    if not isinstance(up, str) or up not in _TO_Y_UP:
        raise InputError(f"up: expected one of {', '.join(_TO_Y_UP)}, got {up!r}")
    return up


def check_legs(joints: np.ndarray, metres_per_unit: float, skeleton: Skeleton) -> None:
    """Raise InputError where the legs of (T, J, 3) are not of a person's length in metres, with the units that fit."""
    bones = bone_vectors(joints, skeleton)[:, list(skeleton.leg_joints)]
    leg = float(np.linalg.norm(bones, axis=-1).sum(axis=-1).mean())
    low, high = LEG_METRES
    if low <= leg <= high:
        return
    plausible = [(unit, leg / metres_per_unit * metres) for unit, metres in UNITS.items()]
    plausible = [(unit, length) for unit, length in plausible if low <= length <= high]
    plausible.sort(key=lambda pair: abs(math.log(pair[1] / _TYPICAL_LEG)))
    lengths = " or ".join(f"{length:.2f} m with {UNITS[unit]:g} ({unit})" for unit, length in plausible)
    hint = f"they would be {lengths}" if lengths else "no common unit makes them plausible"
    raise InputError(
        f"the legs are {leg:.3g} m long with metres_per_unit {metres_per_unit:g}, expected {low} to {high} m; {hint}"
    )
