"""Make the embedded toy data set: procedurally animated people with captions, in the HumanML3D layout.

Beside the layout's own files there are `programs.jsonl` (what every clip shows, the ground truth, with captions and
reasoning) and `dataset.json` (the arguments and a fingerprint of the content), written last: where it is, all is. The
same arguments give the same bytes. A second run with the same arguments does nothing; other content is never replaced.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from dataset.humanml.layout import (
    FEATURES_FOLDER,
    JOINTS_FOLDER,
    MEAN_FILE,
    STD_FILE,
    TEXTS_FOLDER,
    clip_files,
    read_split_ids,
    write_mean_std,
    write_record,
    write_splits,
)
from dataset.humanml.splits import SPLITS
from dataset.humanml.statistics import compute_mean_std
from dataset.sources.config import METADATA_FILE
from dataset.toy.clips import ToyClip, toy_clips
from dataset.toy.programs import all_programs
from options.flags.parsing import flag, parse_flags
from options.flags.ranges import SEED
from utils.errors import InputError
from utils.files.atomic import remove_unfinished, synced_together
from utils.files.fingerprints import fingerprint
from utils.files.json_files import read_json, write_json, write_jsonl
from utils.files.lock import locked
from utils.motion.skeleton import T2M
from utils.progress import Progress
from utils.run.command import run_command

PROGRAMS_FILE = "programs.jsonl"
UNFINISHED_FILE = ".unfinished.json"
GENERATOR = "toy"
# Raise the version whenever the same arguments give other clips or texts than before.
GENERATOR_VERSION = 1
_MIN_CLIPS = 20
# Below so many clips processes are not worth their start; a process makes some at once.
_FEW_CLIPS, _AT_ONCE, _MOST_WORKERS = 400, 50, 8
Made = tuple[ToyClip, np.ndarray, np.ndarray]


@dataclass
class ToyFlags:
    """Flags: where the toy data set goes, and how large it is."""

    _argument_group_name = "toy data set"

    out_dir: str = flag("data/toy", "data set folder to make")
    clips: int = flag(1200, "number of clips; about 80 % train, 5 % val, 15 % test")
    seed: int = flag(0, "other seeds give other clips of the same kinds of motion", within=SEED)

    def __post_init__(self) -> None:
        if not _MIN_CLIPS <= self.clips < 1_000_000:
            raise ValueError(f"--clips must be at least {_MIN_CLIPS} and below 1000000, got {self.clips}")


def main() -> None:
    (flags,) = parse_flags(ToyFlags, description=__doc__)
    root, arguments = Path(flags.out_dir), {"clips": flags.clips, "seed": flags.seed}
    finished = finished_fingerprint(root, arguments)
    if finished is not None:
        print(f"{root}: the toy data set is already there, nothing to do ({finished})")
        return
    with locked(root):
        for folder in (".", FEATURES_FOLDER, JOINTS_FOLDER, TEXTS_FOLDER):
            remove_unfinished(root / folder)
        write_json(root / UNFINISHED_FILE, arguments)
        with synced_together():
            summary, content = write_toy_dataset(root, flags.clips, flags.seed)
        description = {"generator": GENERATOR, "version": GENERATOR_VERSION, "dataname": T2M.name, "fps": T2M.fps}
        write_json(root / METADATA_FILE, {**description, "arguments": arguments, "fingerprint": content})
        (root / UNFINISHED_FILE).unlink()
    print(f"{root}: {summary} ({content})")


def finished_fingerprint(root: Path, arguments: dict[str, int]) -> str | None:
    """The fingerprint of the finished data set of these arguments; None where it is still to be made.

    Raises InputError if the folder holds anything else. An unfinished run of the same arguments is done again: every
    file is written anew with the same content.
    """
    if root.exists() and not root.is_dir():
        raise InputError(f"{root}: not a folder")
    if not (root / METADATA_FILE).is_file():
        unfinished = (
            read_json(root / UNFINISHED_FILE, "give another --out-dir") if (root / UNFINISHED_FILE).is_file() else None
        )
        if root.is_dir() and any(path.name[0] != "." for path in root.iterdir()) and unfinished != arguments:
            what = "something else" if unfinished is None else f"an unfinished toy data set of {unfinished}"
            raise InputError(f"{root} holds {what}: give another --out-dir (nothing was changed)")
        return None
    found = read_json(root / METADATA_FILE, "give another --out-dir")
    if found.get("generator") != GENERATOR:
        raise InputError(f"{root} holds another data set: give another --out-dir (nothing was changed)")
    if found.get("arguments") != arguments or found.get("version") != GENERATOR_VERSION:
        raise InputError(
            f"{root} holds toy data of version {found.get('version')} made with {found.get('arguments')}, asked for is "
            f"version {GENERATOR_VERSION} with {arguments}: give another --out-dir (nothing was changed)"
        )
    (root / UNFINISHED_FILE).unlink(missing_ok=True)
    _check_whole(root)
    return str(found.get("fingerprint"))


def _check_whole(root: Path) -> None:
    """Raise InputError where files of a finished data set are gone; what is left may have been changed by somebody."""
    clips = [clip_files(root, id) for id in read_split_ids(root, "all")]
    paths = [path for clip in clips for path in (clip.motion, clip.text, root / JOINTS_FOLDER / clip.motion.name)]
    paths += [root / name for name in (*(f"{split}.txt" for split in SPLITS), MEAN_FILE, STD_FILE, PROGRAMS_FILE)]
    missing = [str(path.relative_to(root)) for path in paths if not path.is_file()]
    if missing:
        raise InputError(
            f"{root}: the toy data set was finished, but {len(missing)} of its files are gone "
            f"({', '.join(missing[:3])}): delete the folder and run the same command again, or give another --out-dir"
        )


def write_toy_dataset(root: Path, count: int, seed: int) -> tuple[str, str]:
    """Write everything but ``dataset.json``. Returns a summary in words and the fingerprint of all that was written."""
    ids: dict[str, list[str]] = {split: [] for split in SPLITS}
    rows, train_features, parts = [], [], []
    for clip, features, joints in Progress(_made(count, seed), total=count, desc="animating", unit="clip"):
        write_record(root, clip.id, features, joints, clip.captions)
        ids[clip.split].append(clip.id)
        if clip.split == "train":
            train_features.append(features)
        row = sidecar_row(clip, len(features))
        rows.append(row)
        parts += [features, json.dumps(row)]
    write_splits(root, {**ids, "all": [row["id"] for row in rows]})
    write_mean_std(root, *compute_mean_std(train_features, T2M))
    write_jsonl(root / PROGRAMS_FILE, rows)
    minutes = sum(row["frames"] for row in rows) / T2M.fps / 60
    kinds = len({row["program"] for row in rows})
    counts = ", ".join(f"{split} {len(members)}" for split, members in ids.items())
    summary = f"{count} clips, {minutes:.0f} minutes, {kinds} of {len(all_programs())} programs; {counts}"
    return summary, fingerprint(*parts)


def _made(count: int, seed: int) -> Iterator[Made]:
    """Each clip with its features and the joints that these give, made on all cores where there are many clips."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if count < _FEW_CLIPS or cores < 2:
        yield from _made_at(count, seed, range(count))
        return
    from torch import set_num_threads  # late: `--help` must not wait for torch

    next(_made_at(count, seed, range(1)))  # whatever this imports, the workers that fork off have already
    parts = [range(start, min(start + _AT_ONCE, count)) for start in range(0, count, _AT_ONCE)]
    workers = ProcessPoolExecutor(min(cores, _MOST_WORKERS), get_context("fork"), set_num_threads, (1,))
    try:
        for made in workers.map(_part, repeat(count), repeat(seed), parts):
            yield from made
    finally:  # after an interrupt nothing waits for clips that nobody wants any more
        workers.shutdown(cancel_futures=True)


def _made_at(count: int, seed: int, places: range) -> Iterator[Made]:
    from utils.motion.features import features_from_joints, joints_from_features  # late: of torch

    for clip in toy_clips(count, seed, places):
        features = features_from_joints(clip.joints, T2M)
        yield clip, features, joints_from_features(features, T2M)


def _part(count: int, seed: int, places: range) -> list[Made]:
    return list(_made_at(count, seed, places))


def sidecar_row(clip: ToyClip, frames: int) -> dict[str, Any]:
    """One line of ``programs.jsonl``; `frames` counts feature frames."""
    return {
        "id": clip.id,
        "split": clip.split,
        "frames": frames,
        "program": clip.program.name,
        "actions": clip.program.as_fields(),
        "captions": [caption.text for caption in clip.captions],
        "reasoning": list(clip.reasoning),
    }


if __name__ == "__main__":
    run_command(main)
