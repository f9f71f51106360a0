"""Turn a folder of BVH files and a folder of captions into a data set in the HumanML3D layout.

BVH: *.bvh, also in sub-folders: walks/a.bvh becomes the clip walks_a, whose captions are walks_a.txt, one a line, plain
or as `caption#word/POS word/POS ...#start#end`. Which joints of the file are which of ours is a small table
(--mapping): it is found by itself for common skeletons, for others copy a file of dataset/sources/bvh/joint_mappings/
and give its path. Local rotations are resampled (slerp) before the joints are placed. Then, as for every source, each
clip is retargeted to one skeleton, put on the floor, moved to the origin and turned to face +Z. A second run converts
only what is new or changed.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dataset.sources.bvh.joint_mapping import (
    SHIPPED_UP,
    BvhOverrides,
    load_mapping,
    read_bvh_joints,
    shipped_mappings,
)
from dataset.sources.conversion import SourceClip, source_files, source_id
from dataset.sources.units import UNITS, check_up, parse_unit
from options.flags.dataset import DatasetFlags
from options.flags.parsing import flag, parse_flags, required_flag
from prepare.conversion.convert import convert_dataset
from utils.errors import InputError
from utils.motion.resampling import check_frame_rate
from utils.motion.skeleton import get_skeleton
from utils.run.command import run_command


@dataclass
class BvhFlags:
    """Flags: where the BVH files are, and how they are read."""

    _argument_group_name = "BVH"

    bvh_dir: str = required_flag("folder of .bvh files, searched with its sub-folders")
    mapping: str = flag(
        "auto", f"joint table: auto, {', '.join(shipped_mappings())}, or the path of a .yaml file of your own"
    )
    unit: str | None = flag(None, f"unit of lengths: {', '.join(UNITS)}, or metres as a number; default: the table's")
    up: str | None = flag(None, "axis that points up: x, y, z, -x, -y, -z; default: the table's")
    fps: float | None = flag(None, "frame rate of the files; default: their Frame Time")
    skip_frames: int = flag(0, "frames to leave out at the start of every file (1 where it is a T-pose, as in CMU's)")

    def __post_init__(self) -> None:
        if self.skip_frames < 0:
            raise ValueError(f"--skip-frames must not be negative, got {self.skip_frames}")
        if self.fps is not None:
            check_frame_rate(self.fps, "--fps: ")
        if self.up is not None:
            check_up(self.up)
        if self.unit is not None:
            parse_unit(self.unit)


def main() -> None:
    bvh, flags = parse_flags(BvhFlags, DatasetFlags, description=__doc__)
    skeleton = get_skeleton(flags.dataname)
    folder = Path(bvh.bvh_dir)
    if not folder.is_dir():
        raise InputError(f"{folder}: {'is a file, expected a folder' if folder.is_file() else 'no such folder'}")
    paths = source_files(folder, ".bvh", below=True)
    if not paths:
        raise InputError(f"{folder}: no .bvh file in it or below it")
    mapping = None if bvh.mapping == "auto" else load_mapping(bvh.mapping)
    unit = None if bvh.unit is None else parse_unit(bvh.unit)
    overrides = BvhOverrides(metres_per_unit=unit, up=bvh.up, fps=bvh.fps, skip_frames=bvh.skip_frames)
    read = partial(read_bvh_joints, mapping=mapping, skeleton=skeleton, overrides=overrides)
    up = bvh.up or (SHIPPED_UP if mapping is None else mapping.up)
    table = (Path(bvh.mapping),) if Path(bvh.mapping).is_file() else ()  # another table makes other clips
    clips = [SourceClip(source_id(folder, path), (path, *table), partial(read, path), up=up) for path in paths]
    convert_dataset(clips, flags, skeleton, describe(bvh), looked_for=f"{folder}/<id>.bvh")


def describe(bvh: BvhFlags) -> str:
    """The flags that decide the joints, in words: all clips of a data set are made with the same ones."""
    given = {"mapping": bvh.mapping, "unit": bvh.unit, "up": bvh.up, "fps": bvh.fps, "skip": bvh.skip_frames or None}
    return "BVH, " + ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)


if __name__ == "__main__":
    run_command(main)
