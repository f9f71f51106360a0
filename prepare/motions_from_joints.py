"""Turn a folder of joint positions and a folder of captions into a data set in the HumanML3D layout.

Joints: <id>.npy (T, J, 3) in the joint order of utils/motion/skeleton.py; Y up, metres for t2m, KIT-ML's own unit and
sides for kit, unless --up and --unit say otherwise.
Captions: <id>.txt, one a line, plain or as `caption#word/POS word/POS ...#start#end`. Every clip is retargeted to one
skeleton, put on the floor, moved to the origin and turned to face +Z. A second run converts only what is new or
changed.
"""

import contextlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dataset.sources.conversion import SourceClip, source_files
from dataset.sources.joints import guess_unit, read_joints
from dataset.sources.units import UNITS, check_up, parse_unit
from options.flags.dataset import DatasetFlags
from options.flags.parsing import flag, parse_flags, required_flag
from prepare.conversion.convert import convert_dataset
from utils.errors import InputError
from utils.motion.resampling import check_frame_rate
from utils.motion.skeleton import Skeleton, get_skeleton
from utils.run.command import run_command

AUTO = "auto"


@dataclass
class JointsFlags:
    """Flags: where the joints are, and their frame rate."""

    _argument_group_name = "joints"

    joints_dir: str = required_flag("folder of <id>.npy, each (T, J, 3)")
    fps: float | None = flag(None, "frame rate of the joints given, resampled to the skeleton's; default: the same")
    unit: str | None = flag(
        None,
        f"unit of the joints: {', '.join(UNITS)}, metres as a number, or {AUTO} (told by the length of the legs, and "
        "printed); default: m, for kit its own",
    )
    up: str = flag("y", "axis of the joints that points up: x, y, z, -x, -y, -z")

    def __post_init__(self) -> None:
        if self.fps is not None:
            check_frame_rate(self.fps, "--fps: ")
        check_up(self.up)
        if self.unit not in (None, AUTO):
            parse_unit(self.unit)


def main() -> None:
    joints, flags = parse_flags(JointsFlags, DatasetFlags, description=__doc__)
    skeleton = get_skeleton(flags.dataname)
    folder = Path(joints.joints_dir)
    if not folder.is_dir():
        raise InputError(f"{folder}: {'is a file, expected a folder' if folder.is_file() else 'no such folder'}")
    paths = source_files(folder, ".npy")
    if not paths and flags.splits_dir is None:
        raise InputError(f"{folder}: no .npy file in it")
    fps, unit = joints.fps or skeleton.fps, joints.unit
    if unit == AUTO:
        unit = told_unit(paths, skeleton)
    elif unit is not None:
        doubt_unit(paths, skeleton, unit)
    metres = None if unit is None else parse_unit(unit)
    if metres == skeleton.metres_per_unit and not skeleton.mirrored:
        metres = None  # the same joints, in the same words for dataset.json
    read = partial(read_joints, skeleton=skeleton, source_fps=fps, metres_per_unit=metres, up=joints.up)
    clips = [SourceClip(path.stem, (path,), partial(read, path), up=joints.up) for path in paths]
    convert_dataset(clips, flags, skeleton, describe(fps, metres, joints.up), looked_for=f"{folder}/<id>.npy")


def told_unit(paths: list[Path], skeleton: Skeleton) -> str | None:
    """The unit of the files by the length of the legs, printed; None for the skeleton's own."""
    unit, leg = guess_unit(paths, skeleton)
    metres = leg * (skeleton.metres_per_unit if unit is None else UNITS[unit])
    name = unit or ("m" if skeleton.metres_per_unit == 1 else f"that of {skeleton.name}")
    print(f"unit of the joints: {name}, by legs {leg:.4g} units long ({metres:.2f} m); --unit says otherwise")
    return unit


def doubt_unit(paths: list[Path], skeleton: Skeleton, unit: str) -> None:
    """Say it where the joints look as if they were in the skeleton's own unit, and another one is given."""
    own, given = skeleton.metres_per_unit, parse_unit(unit)
    if own in (1, given):
        return
    with contextlib.suppress(InputError):
        told, leg = guess_unit(paths, skeleton)
        if told is None:
            print(
                f"warning: --unit {unit} makes legs of {leg * given:.2f} m; in {skeleton.name}'s own unit, which is "
                f"taken without --unit, they are {leg * own:.2f} m"
            )


def describe(fps: float, metres_per_unit: float | None, up: str) -> str:
    """The flags that decide the joints, in words: all clips of a data set are made with the same ones."""
    unit = "" if metres_per_unit is None else f", {metres_per_unit:g} m a unit"
    return f"joints at {fps:g} fps{unit}" + ("" if up == "y" else f", {up} up")


if __name__ == "__main__":
    run_command(main)
