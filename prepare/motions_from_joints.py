"""Turn a folder of joint positions and a folder of captions into a data set in the HumanML3D layout.

Joints: <id>.npy (T, J, 3), Y up, metres for t2m, KIT-ML's own unit and sides for kit, in the joint order of
utils/motion/skeleton.py.
Captions: <id>.txt, one a line, plain or as `caption#word/POS word/POS ...#start#end`. Every clip is retargeted to one
skeleton, put on the floor, moved to the origin and turned to face +Z. A second run converts only what is new or
changed.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dataset.sources.conversion import SourceClip, read_joints
from options.flags.dataset import DatasetFlags
from options.flags.parsing import flag, parse_flags, required_flag
from prepare.conversion.convert import convert_dataset
from utils.errors import InputError
from utils.motion.skeleton import get_skeleton
from utils.run.command import run_command


@dataclass
class JointsFlags:
    """Flags: where the joints are, and their frame rate."""

    _argument_group_name = "joints"

    joints_dir: str = required_flag("folder of <id>.npy, each (T, J, 3)")
    fps: float | None = flag(None, "frame rate of the joints given, resampled to the skeleton's; default: the same")

    def __post_init__(self) -> None:
        if self.fps is not None and self.fps <= 0:
            raise ValueError(f"--fps must be positive, got {self.fps}")


def main() -> None:
    joints, flags = parse_flags(JointsFlags, DatasetFlags, description=__doc__)
    skeleton = get_skeleton(flags.dataname)
    folder = Path(joints.joints_dir)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    fps = joints.fps or skeleton.fps
    clips = [SourceClip(path.stem, (path,), partial(read_joints, path, skeleton, fps)) for path in folder.glob("*.npy")]
    if not clips and flags.splits_dir is None:
        raise InputError(f"{folder}: no .npy file in it")
    convert_dataset(clips, flags, skeleton, f"joints at {fps:g} fps")


if __name__ == "__main__":
    run_command(main)
