"""Joints in a foreign unit and with another axis up become metres with Y up."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from utils.errors import InputError
from utils.motion.bones import bone_vectors
from utils.motion.skeleton import Skeleton

# Metres per unit; cmu is that of CMU's mocap, 1/0.45 inch.
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "cmu": 0.056444}
# The same in words.
_UNIT_WORDS = {"metres": "m", "meters": "m", "centimetres": "cm", "centimeters": "cm", "millimetres": "mm"}
_UNIT_WORDS |= {"millimeters": "mm", "inches": "inch"}
_SMALLEST_UNIT, _LARGEST_UNIT = 1e-6, 1e3
# Length of a leg (thigh and shin) in metres, of all but small children, and a typical one; and that of a child of 1 m.
LEG_METRES = (0.5, 1.3)
_TYPICAL_LEG, _CHILDS_LEG = 0.8, 0.4
AXES = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1), "-x": (-1, 0, 0), "-y": (0, -1, 0), "-z": (0, 0, -1)}
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


def axis_before_turning(axis: str, up: str) -> str:
    """The file's name of the axis that is our `axis` where `up` was taken for the one that points up."""
    direction = np.array(AXES[axis]) @ np.array(_TO_Y_UP[check_up(up)])
    return next(name for name, vector in AXES.items() if (direction == vector).all())


def parse_unit(text: str) -> float:
    """Metres per unit, from a name of `UNITS` or a number as text. Raises InputError for anything else."""
    name = _UNIT_WORDS.get(text.lower(), text.lower())
    if name in UNITS:
        return UNITS[name]
    try:
        return check_unit(float(text))
    except ValueError:
        raise InputError(f"unit: expected {', '.join(UNITS)} or metres as a number, got {text!r}") from None


def check_unit(unit: Any) -> float:
    """`unit` as a number; raises InputError unless it is a number of metres that a unit can have."""
    if isinstance(unit, bool) or not isinstance(unit, int | float) or not _SMALLEST_UNIT <= unit <= _LARGEST_UNIT:
        raise InputError(
            f"metres_per_unit: expected a number of metres, {_SMALLEST_UNIT:g} to {_LARGEST_UNIT:g} (0.01 for "
            f"centimetres), got {unit!r}"
        )
    return float(unit)


def check_up(up: Any) -> str:
    """`up` itself; raises InputError unless it names an axis."""
    if not isinstance(up, str) or up not in _TO_Y_UP:
        raise InputError(f"up: expected one of {', '.join(_TO_Y_UP)}, got {up!r}")
    return up


def leg_chains(skeleton: Skeleton) -> list[tuple[int, int, int, int]]:
    """Hip, knee, ankle and toes of both legs."""
    toes = (skeleton.left_foot[1], skeleton.right_foot[1])
    return [(chain[1], chain[2], chain[3], chain[-1]) for chain in skeleton.chains if chain[-1] in toes]


def leg_length(joints: np.ndarray, skeleton: Skeleton) -> float:
    """Thigh and shin together in (T, J, 3), in its unit: of the leg whose length is the less typical for a person."""
    with np.errstate(over="ignore"):  # of 1e300 the square is infinite, which is no person's leg either
        bones = np.linalg.norm(bone_vectors(joints, skeleton), axis=-1)
    lengths = [float(np.median(bones[:, knee] + bones[:, ankle])) for _, knee, ankle, _ in leg_chains(skeleton)]
    return max(lengths, key=lambda length: oddness(length))


def is_persons_leg(metres: float) -> bool:
    low, high = LEG_METRES
    return low <= metres <= high


def plausible_units(leg: float, names: Sequence[str] = tuple(UNITS)) -> list[str]:
    """Which of these names of `UNITS` make a leg of `leg` units a person's, the most typical first."""
    fitting = [name for name in names if is_persons_leg(leg * UNITS[name])]
    return sorted(fitting, key=lambda name: oddness(leg * UNITS[name]))


def check_legs(joints: np.ndarray, skeleton: Skeleton, metres_per_unit: float | None = None) -> None:
    """Raise InputError where the legs of (T, J, 3) are not of a person's length in metres.

    Args:
        metres_per_unit: what made the metres; the message then names the units that fit.
    """
    leg = leg_length(joints, skeleton)
    low, high = LEG_METRES
    if is_persons_leg(leg):
        return
    if metres_per_unit is None:
        raise InputError(f"the legs are {leg:.4g} m long, a person's are {low} to {high} m")
    units = plausible_units(leg / metres_per_unit)
    lengths = " or ".join(
        f"{leg / metres_per_unit * UNITS[name]:.2f} m with {UNITS[name]:g} ({name})" for name in units
    )
    hint = (
        f"they would be {lengths}: --unit {units[0]}?"
        if units
        else "no unit makes them a person's: is each joint in its place, and none twice?"
    )
    if _CHILDS_LEG <= leg < low:
        grown = metres_per_unit * _TYPICAL_LEG / leg
        hint = f"if these are children, --unit {grown:.3g} gives them an adult's size; else {hint}"
    raise InputError(
        f"the legs are {leg:.4g} m long with metres_per_unit {metres_per_unit:g}, expected {low} to {high} m; {hint}"
    )


def oddness(leg_metres: float) -> float:
    """How far a leg is from a typical one, as the logarithm of their ratio."""
    return abs(math.log(leg_metres / _TYPICAL_LEG)) if 0 < leg_metres < math.inf else math.inf
