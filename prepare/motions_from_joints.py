"""Turn a folder of joint positions and a folder of captions into a data set in the HumanML3D layout.

Joints: `<id>.npy` (T, J, 3), Y up, metres for t2m, in the joint order of utils/skeleton.py. Captions: `<id>.txt`
with lines `caption#word/POS word/POS ...#start#end`. Every clip is retargeted to one skeleton, put on the floor,
moved to the origin and turned to face +Z. A second run converts only what is new or changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dataset.humanml_layout import FEATURES_FOLDER, read_split_ids, write_mean_std, write_splits
from dataset.joint_conversion import (
    ConversionSettings,
    check_offsets,
    convert_clip,
    is_converted,
    random_splits,
    read_joints,
    read_settings,
    read_texts,
    skeleton_of_clip,
    write_settings,
)
from dataset.motion_statistics import compute_mean_std
from options.parsing import flag, parse_flags, required_flag
from utils.command import run_command
from utils.errors import InputError
from utils.files import read_npy
from utils.skeleton import Skeleton, get_skeleton


@dataclass
class JointsFlags:
    """Where the clips come from, where they go, and the skeleton that they share."""

    _argument_group_name = "motions from joints"

    joints_dir: str = required_flag("folder of <id>.npy, each (T, J, 3)")
    texts_dir: str = required_flag("folder of <id>.txt with the captions")
    out_dir: str = required_flag("data set folder to make or to continue")
    splits_dir: str | None = flag(None, "folder of train.txt, val.txt, test.txt; default: a random 80/5/15 split")
    dataname: str = flag("t2m", "skeleton: t2m (22 joints, 20 fps) or kit (21 joints, 12.5 fps)")
    fps: float | None = flag(None, "frame rate of the joints given, resampled to the skeleton's; default: the same")
    target_offsets: str | None = flag(None, "skeleton to retarget to: a .npy of bone vectors (J, 3)")
    target_clip: str | None = flag(None, "clip whose first frame is the skeleton; default: the first training clip")
    no_retarget: bool = flag(False, "keep the proportions of every clip")
    skip_bad: bool = flag(False, "exit with success although some clips could not be used")
    seed: int = flag(0, "seed of the random split")

    def __post_init__(self) -> None:
        if sum([self.target_offsets is not None, self.target_clip is not None, self.no_retarget]) > 1:
            raise ValueError("give only one of --target-offsets, --target-clip, --no-retarget")
        if self.fps is not None and self.fps <= 0:
            raise ValueError(f"--fps must be positive, got {self.fps}")


def main() -> None:
    (flags,) = parse_flags(JointsFlags, description=__doc__)
    skeleton = get_skeleton(flags.dataname)
    joints_dir, texts_dir, out_dir = Path(flags.joints_dir), Path(flags.texts_dir), Path(flags.out_dir)
    ids, splits = find_clips(joints_dir, texts_dir, flags.splits_dir, flags.seed)
    settings = settle(flags, skeleton, joints_dir, splits["train"])

    bad: dict[str, str] = {}
    converted = 0
    for id in tqdm(ids, desc="converting", unit="clip"):
        sources = joints_dir / f"{id}.npy", texts_dir / f"{id}.txt"
        if is_converted(out_dir, id, *sources):
            continue
        try:
            joints = read_joints(sources[0], skeleton, settings.source_fps)
            convert_clip(out_dir, id, joints, read_texts(sources[1]), settings, skeleton)
            converted += 1
        except InputError as error:
            bad[id] = str(error)

    good = {name: [id for id in members if id not in bad] for name, members in splits.items()}
    report_bad(bad)
    if not good["train"]:
        raise InputError(f"{joints_dir}: none of the {len(splits['train'])} training clips could be converted")
    write_splits(out_dir, good)
    write_mean_std(out_dir, *compute_mean_std(read_features(out_dir, good["train"]), skeleton))
    counts = ", ".join(f"{name} {len(members)}" for name, members in good.items())
    print(
        f"{out_dir}: {converted} clips converted, {len(ids) - converted - len(bad)} already there, {len(bad)} bad; "
        f"{counts}; skeleton of {settings.target}"
    )
    if bad and not flags.skip_bad:
        raise InputError(f"{len(bad)} of {len(ids)} clips could not be used (listed above); --skip-bad accepts that")


def find_clips(
    joints_dir: Path, texts_dir: Path, splits_dir: str | None, seed: int
) -> tuple[list[str], dict[str, list[str]]]:
    """All ids to convert, and the splits (``all`` included) in the order of their files."""
    for folder in (joints_dir, texts_dir):
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder")
    found = sorted(path.stem for path in joints_dir.glob("*.npy"))
    if splits_dir is None:
        if not found:
            raise InputError(f"{joints_dir}: no .npy file in it")
        return found, {**random_splits(found, seed), "all": found}
    names = sorted(path.stem for path in Path(splits_dir).glob("*.txt"))
    splits = {name: read_split_ids(splits_dir, name) for name in dict.fromkeys(["train", *names])}
    first: dict[str, str] = {}
    for name in ("train", "val", "test"):
        for id in splits.get(name, []):
            if first.setdefault(id, name) != name:
                raise InputError(f"{splits_dir}: clip {id} is in {first[id]}.txt and in {name}.txt")
    listed = [id for members in splits.values() for id in members]
    ids = sorted({*found, *listed})
    splits.setdefault("all", ids)
    return ids, splits


def settle(flags: JointsFlags, skeleton: Skeleton, joints_dir: Path, train: list[str]) -> ConversionSettings:
    """The settings of this data set: those it was begun with, which given flags must not contradict."""
    source_fps = skeleton.fps if flags.fps is None else flags.fps
    begun = read_settings(flags.out_dir)
    target_given = flags.no_retarget or flags.target_offsets is not None or flags.target_clip is not None
    if begun is not None and not target_given:
        target, offsets = begun.target, begun.offsets
    else:
        target, offsets = choose_target(flags, skeleton, joints_dir, train, source_fps)
    rows = None if offsets is None else tuple(tuple(float(value) for value in row) for row in offsets)
    settings = ConversionSettings(skeleton.name, skeleton.fps, source_fps, target, rows)
    if begun is not None and begun != settings:
        raise InputError(f"{flags.out_dir} was begun with other settings (dataset.json): give another --out-dir")
    write_settings(flags.out_dir, settings)
    return settings


def choose_target(
    flags: JointsFlags, skeleton: Skeleton, joints_dir: Path, train: list[str], source_fps: float
) -> tuple[str, np.ndarray | None]:
    """Name and (J, 3) offsets of the skeleton to retarget to; ("none", None) without retargeting."""
    if flags.no_retarget:
        return "none", None
    if flags.target_offsets is not None:
        offsets = read_npy(flags.target_offsets)
        check_offsets(offsets, skeleton)
        return Path(flags.target_offsets).name, offsets
    candidates = train if flags.target_clip is None else [flags.target_clip]
    problem = "no training clips"
    for id in candidates:
        try:
            return id, skeleton_of_clip(read_joints(joints_dir / f"{id}.npy", skeleton, source_fps), skeleton)
        except InputError as error:
            problem = str(error)
    raise InputError(f"no clip to take the target skeleton from: {problem}")


def read_features(out_dir: Path, ids: list[str]) -> Iterator[np.ndarray]:
    for id in ids:
        yield read_npy(out_dir / FEATURES_FOLDER / f"{id}.npy")


def report_bad(bad: dict[str, str]) -> None:
    for id, reason in bad.items():
        print(f"bad clip {id}: {reason}")


if __name__ == "__main__":
    run_command(main)
