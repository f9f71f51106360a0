"""Motions that others give to be judged are looked at first: are most of them people who stand, in the right unit?

A bad model answers with anything, so an odd motion among others is judged as it is. But where most are odd, the file is
in another unit, with another axis up, mirrored or normalised, and every metric would be a number about that.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dataset.sources.posture import check_sides, standing_axis
from dataset.sources.units import is_persons_leg, leg_length, plausible_units
from utils.errors import InputError
from utils.files.arrays import read_npy
from utils.motion.features import joints_from_features
from utils.motion.skeleton import Skeleton
from utils.wording import listed

# Motions that are looked at, evenly among all; of fewer than the second number nothing can be said about the file.
_LOOKED_AT, _FEWEST = 48, 3
_NAMED = 3


def refuse_no_people(files: Sequence[Path], skeleton: Skeleton, where: Path) -> None:
    """Raise InputError where most motions of these .npy, joints or features that were read well, are no people.

    Args:
        where: what they stand in, for the message.
    """
    chosen = np.unique(np.linspace(0, len(files) - 1, min(_LOOKED_AT, len(files))).astype(int))
    if len(chosen) < _FEWEST:
        return
    looked_at = {files[index]: read_npy(files[index]) for index in chosen}
    found = {file: fault for file, motion in looked_at.items() if (fault := _fault(motion, skeleton)) is not None}
    if 2 * len(found) <= len(looked_at):
        return
    kinds = [kind for kind, _ in found.values()]
    likely = max(sorted(set(kinds)), key=kinds.count)
    odd = [file for file, (kind, _) in found.items() if kind == likely]
    named, expected = listed([file.stem for file in odd], _NAMED), _expected(skeleton, looked_at[odd[0]].ndim == 2)
    raise InputError(
        f"{where}: {len(found)} of {len(looked_at)} motions looked at are no people who stand: {named} {likely}, in "
        f"{odd[0].stem} {found[odd[0]][1]}. Expected are {expected}. If the motions are what they should be, "
        "--any-posture judges them as they are"
    )


def _fault(motion: np.ndarray, skeleton: Skeleton) -> tuple[str, str] | None:
    """What makes a motion no person who stands: the kind, and what it shows in; None for one who does."""
    joints = joints_from_features(motion, skeleton) if motion.ndim == 2 else motion
    with np.errstate(over="ignore", invalid="ignore"):
        joints = joints.astype(np.float64)
        leg = leg_length(skeleton.in_metres(joints), skeleton)
    if not is_persons_leg(leg):
        units = plausible_units(leg_length(joints, skeleton))
        hint = f" (in {units[0]}?)" if units and motion.ndim == 3 else ""
        return "have no person's size", f"the legs are {leg:.4g} m long{hint}"
    axis = standing_axis(joints, skeleton)
    if axis != "y":
        return "do not stand", "the head is " + ("above the feet along no axis" if axis is None else f"up along {axis}")
    try:
        check_sides(joints, skeleton)
    except InputError as error:
        return "are mirrored", str(error).split(":")[0]
    return None


def _expected(skeleton: Skeleton, features: bool) -> str:
    if features:
        return f"features as a data set of {skeleton.name} holds them, not normalised: x * Std + Mean"
    unit = "metres" if skeleton.metres_per_unit == 1 else f"units of {skeleton.metres_per_unit:g} m"
    return f"joints in {unit}, Y up, left where {skeleton.name} has it"
