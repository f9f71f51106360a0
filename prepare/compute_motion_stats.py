"""Compute Mean.npy and Std.npy of a data set in the HumanML3D layout, grouped as HumanML3D does it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from dataset.humanml.layout import clip_files, read_split_ids, write_mean_std
from dataset.humanml.statistics import compute_mean_std
from options.flags.parsing import flag, parse_flags, required_flag
from prepare.conversion.convert import report_bad
from utils.errors import InputError
from utils.motion.skeleton import get_skeleton
from utils.run.command import run_command


@dataclass
class StatsFlags:
    """Flags: which motions to average."""

    _argument_group_name = "motion statistics"

    data_root: str = required_flag("data set folder; Mean.npy and Std.npy are written into it")
    dataname: str = flag("t2m", "t2m or kit")
    split: str = flag("train", "split whose motions count")
    skip_bad: bool = flag(False, "exit with success although some clips could not be used")


class UsableMotions:
    """Reads the motions of some clips while going over them, one in memory at a time.

    Attributes:
        frames: number of frames so far.
        bad: reason by id, for the clips so far that could not be used.
    """

    def __init__(self, root: str, ids: Sequence[str], feature_dim: int) -> None:
        self._root = root
        self._ids = ids
        self._feature_dim = feature_dim
        self.frames = 0
        self.bad: dict[str, str] = {}

    def __iter__(self) -> Iterator[np.ndarray]:
        for id in tqdm(self._ids, desc="reading", unit="clip"):
            try:
                motion = clip_files(self._root, id).read_motion(self._feature_dim)
            except InputError as error:
                self.bad[id] = str(error)
                continue
            self.frames += len(motion)
            yield motion


def main() -> None:
    (flags,) = parse_flags(StatsFlags, description=__doc__)
    skeleton = get_skeleton(flags.dataname)
    ids = read_split_ids(flags.data_root, flags.split)
    motions = UsableMotions(flags.data_root, ids, skeleton.feature_dim)
    try:
        mean, std = compute_mean_std(motions, skeleton)
    except InputError as error:
        raise InputError(f"{flags.data_root} {flags.split}: {error}") from None
    finally:
        report_bad(motions.bad)
    write_mean_std(flags.data_root, mean, std)
    clips, bad = len(ids) - len(motions.bad), len(motions.bad)
    print(f"{flags.data_root}: Mean.npy and Std.npy from {clips} clips, {motions.frames} frames; {bad} bad")
    if bad and not flags.skip_bad:
        raise InputError(f"{bad} of {len(ids)} clips could not be used (listed above); --skip-bad accepts that")


if __name__ == "__main__":
    run_command(main)
