"""Compute Mean.npy and Std.npy of a data set in the HumanML3D layout, grouped as HumanML3D does it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dataset.humanml_layout import FEATURES_FOLDER, read_split_ids, write_mean_std
from dataset.motion_statistics import compute_mean_std
from options.parsing import flag, parse_flags, required_flag
from utils.command import run_command
from utils.errors import InputError
from utils.files import read_npy
from utils.skeleton import get_skeleton


@dataclass
class StatsFlags:
    """Which motions to average."""

    _argument_group_name = "motion statistics"

    data_root: str = required_flag("data set folder; Mean.npy and Std.npy are written into it")
    dataname: str = flag("t2m", "t2m or kit")
    split: str = flag("train", "split whose motions count")


def main() -> None:
    (flags,) = parse_flags(StatsFlags, description=__doc__)
    skeleton = get_skeleton(flags.dataname)
    folder = Path(flags.data_root) / FEATURES_FOLDER
    motions, skipped = [], []
    for id in tqdm(read_split_ids(flags.data_root, flags.split), desc="reading", unit="clip"):
        try:
            motion = read_npy(folder / f"{id}.npy")
        except InputError as error:
            skipped.append(str(error))
            continue
        if motion.ndim != 2 or motion.shape[1] != skeleton.feature_dim:
            raise InputError(f"{folder / f'{id}.npy'}: expected (T, {skeleton.feature_dim}), got {motion.shape}")
        if np.isfinite(motion).all():
            motions.append(motion)
        else:
            skipped.append(f"{folder / f'{id}.npy'}: NaN in it")
    if not motions:
        raise InputError(f"{flags.data_root}: no usable motion in {flags.split}.txt ({skipped[:1]})")
    mean, std = compute_mean_std(motions, skeleton)
    write_mean_std(flags.data_root, mean, std)
    frames = sum(len(motion) for motion in motions)
    note = f"; skipped {len(skipped)}: {skipped[0]}" if skipped else ""
    print(f"{flags.data_root}: Mean.npy and Std.npy from {len(motions)} clips, {frames} frames{note}")


if __name__ == "__main__":
    run_command(main)
