"""Compute Mean.npy and Std.npy of a data set in the HumanML3D layout, grouped as HumanML3D does it.

Those that somebody else made are replaced only with --replace: models that were trained with them need them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.humanml.layout import MEAN_FILE, STD_FILE, read_split_ids, write_mean_std
from dataset.humanml.statistics import compute_mean_std
from dataset.sources.config import is_made_here
from dataset.sources.record import ConversionRecord
from options.flags.parsing import flag, parse_flags, required_flag
from prepare.conversion.own_statistics import is_same, others_files, write_statistics
from prepare.conversion.usable_motions import UsableMotions, report_bad
from utils.errors import InputError
from utils.files.lock import locked
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
    replace: bool = flag(False, "replace other values in a Mean.npy or Std.npy that this program did not make")


def main() -> None:
    (flags,) = parse_flags(StatsFlags, description=__doc__)
    skeleton = get_skeleton(flags.dataname)
    ids = read_split_ids(flags.data_root, flags.split)
    motions = UsableMotions(flags.data_root, ids, skeleton.feature_dim)
    with locked(flags.data_root):
        try:
            mean, std = compute_mean_std(motions, skeleton)
        except InputError as error:
            raise InputError(f"{flags.data_root} {flags.split}: {error}") from None
        finally:
            report_bad(motions.bad)
        root = Path(flags.data_root)
        record = ConversionRecord(root)
        if not flags.replace:
            check_replaceable(root, record, {MEAN_FILE: mean, STD_FILE: std})
        if record.statistics:
            write_statistics(root, record, mean, std)
        else:
            write_mean_std(root, mean, std)
    clips, bad = len(ids) - len(motions.bad), len(motions.bad)
    print(f"{flags.data_root}: Mean.npy and Std.npy from {clips} clips, {motions.frames} frames; {bad} bad")
    if bad and not flags.skip_bad:
        raise InputError(f"{bad} of {len(ids)} clips could not be used (listed above); --skip-bad accepts that")


def check_replaceable(root: Path, record: ConversionRecord, computed: Mapping[str, np.ndarray]) -> None:
    """Refuse to replace other statistics, which are not ours, by those `computed`, by file name."""
    others = others_files(root, record) if is_made_here(root) else list(computed)
    for name in others:
        path = root / name
        if path.exists() and not is_same(path, computed[name]):
            raise InputError(
                f"{path}: holds other values than those of the clips, and models may have been trained with them: "
                "nothing was written; --replace replaces them"
            )


if __name__ == "__main__":
    run_command(main)
