"""Clips from anywhere become one data set: the common part of the commands ``prepare.motions_from_*``.

Good clips are converted whatever the others are like; each bad one is named with its reason.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.humanml.layout import (
    FEATURES_FOLDER,
    JOINTS_FOLDER,
    MEAN_FILE,
    STD_FILE,
    TEXTS_FOLDER,
    clip_files,
    write_splits,
)
from dataset.humanml.splits import HELD_OUT, SPLITS, mirror_id
from dataset.humanml.statistics import compute_mean_std
from dataset.sources.clip_writer import ClipWriter
from dataset.sources.config import METADATA_FILE, captions_before, check_is_ours, read_config, write_config
from dataset.sources.conversion import SourceClip
from dataset.sources.cutting import check_cut_seconds
from dataset.sources.posture import Postures
from dataset.sources.record import ConversionRecord
from options.flags.dataset import DatasetFlags
from prepare.conversion.earlier_cuts import check_all_are_cut, cut_otherwise
from prepare.conversion.own_statistics import check_pair, is_same, others_files, write_statistics
from prepare.conversion.plan import Captions, check_apart, clips_by_id, one_file_on_disk, plan_captions
from prepare.conversion.report import summary
from prepare.conversion.splits import DrawnSplits, GivenSplits, earlier_splits, plan_splits
from prepare.conversion.target import conversion_config
from prepare.conversion.usable_motions import UsableMotions, report_bad
from utils.errors import InputError
from utils.files.atomic import remove_unfinished
from utils.files.lock import locked
from utils.motion.skeleton import Skeleton
from utils.progress import Progress


def convert_dataset(
    clips: Iterable[SourceClip],
    flags: DatasetFlags,
    skeleton: Skeleton,
    source: str,
    looked_for: str,
    preferred_targets: Sequence[str] = (),
    bad: Mapping[str, str] | None = None,
    left_out: Collection[str] = (),
) -> None:
    """Convert what is new or changed, write splits and statistics, print what happened.

    Args:
        clips: every motion found, whole; an id that comes twice is bad.
        source: what the motions are made from, in words; a data set has one source.
        looked_for: where the motion of an id would be, with ``<id>`` in the id's place.
        preferred_targets: clips whose skeleton is taken when no flag names one, before the first training clip.
        bad: clips known to be unusable before they are read, with the reason.
        left_out: ids that no clip is made for, which given splits may list all the same.

    Raises InputError where the folder is somebody else's, or another process works in it, or nothing can be converted;
    and, without ``--skip-bad``, where some clips were bad, after all others are converted.
    """
    out_dir, clips, bad = Path(flags.out_dir), list(clips), dict(bad or {})
    # What is somebody else's is not touched.
    check_is_ours(out_dir)
    check_apart(flags, clips)
    postures = Postures(skeleton, flags.any_posture)
    with locked(out_dir):
        # What is to be made, of what, and how.
        for folder in (".", FEATURES_FOLDER, JOINTS_FOLDER, TEXTS_FOLDER):
            remove_unfinished(out_dir / folder)
        record = ConversionRecord(out_dir)
        check_pair(out_dir, record)
        cut_seconds = _cut_seconds(flags, skeleton)
        plan = _plan(clips, flags, cut_seconds, postures, record, looked_for, bad, left_out)
        candidates = [*preferred_targets, *plan.splits.of(plan.clips)["train"], *plan.clips]
        config = conversion_config(flags, skeleton, source, plan.clips, candidates, cut_seconds)
        postures.check_set([clip for id, clip in plan.clips.items() if id not in bad])
        # Clip by clip; then what is about all of them.
        about = plan.captions.about or captions_before(out_dir) or "none"
        write_config(out_dir, config, about)
        writer = ClipWriter(out_dir, config, skeleton, record)
        made = _convert(plan, writer, bad)
        splits = _finish(plan, writer, made, bad)
    print(summary(writer, plan.earlier, plan.captions, plan.gone, plan.recut, splits, bad, about))
    if (note := postures.note()) is not None:
        print(note)
    if bad and not flags.skip_bad:
        in_all = len({*plan.clips, *plan.gone, *bad})
        raise InputError(f"{len(bad)} of {in_all} clips could not be used (listed above); --skip-bad accepts that")


@dataclass(frozen=True)
class _Plan:
    """What a data set is to consist of.

    Attributes:
        clips: every usable clip by its id, mirror images included.
        gone: clips of an earlier run whose source is not there any more; they stay.
        recut: clips of an earlier run whose take is cut otherwise now; they are in no split any more.
        earlier: the split of each clip that was in one before.
        splits: which split each clip comes into.
    """

    clips: dict[str, SourceClip]
    gone: Sequence[str]
    recut: Sequence[str]
    earlier: Mapping[str, str]
    splits: GivenSplits | DrawnSplits
    captions: Captions


def _plan(
    clips: Sequence[SourceClip],
    flags: DatasetFlags,
    cut_seconds: float | None,
    postures: Postures,
    record: ConversionRecord,
    looked_for: str,
    bad: dict[str, str],
    left_out: Collection[str],
) -> _Plan:
    out_dir = Path(flags.out_dir)
    by_id = clips_by_id(clips, flags.mirror, cut_seconds, postures, bad)
    earlier = earlier_splits(out_dir, record)
    gone = [id for id in earlier if id not in by_id and id not in bad and clip_files(out_dir, id).motion.is_file()]
    recut = cut_otherwise(gone, by_id, {clip.id for clip in clips}, record)
    gone = [id for id in gone if id not in recut]
    begun = read_config(out_dir)
    if begun is not None and begun.cut_seconds != cut_seconds:
        check_all_are_cut(gone, begun.cut_seconds, cut_seconds, record)
    if not by_id and flags.splits_dir is None:
        raise InputError(f"no motion found to convert: looked for {looked_for}")
    lacking = map(mirror_id, [*bad, *left_out]) if flags.mirror else ()  # for the reason of their originals
    takes = {**record.takes(), **{id: clip.cut.take for id, clip in by_id.items() if clip.cut is not None}}
    splits = plan_splits({*by_id, *gone, *bad, *left_out, *lacking}, flags, earlier, takes, looked_for, bad)
    return _Plan(by_id, gone, recut, earlier, splits, plan_captions(by_id, flags, bad))


def _cut_seconds(flags: DatasetFlags, skeleton: Skeleton) -> float | None:
    """How takes are cut: as the flag says, else as the data set was before."""
    if flags.cut_seconds is not None:
        check_cut_seconds(flags.cut_seconds, skeleton)
        return flags.cut_seconds
    begun = read_config(flags.out_dir)
    return None if begun is None else begun.cut_seconds


def _convert(plan: _Plan, writer: ClipWriter, bad: dict[str, str]) -> set[str]:
    """Convert what is new or changed; the ids of all clips that are there then. Clips that fail are added to `bad`."""
    if (writer.root / METADATA_FILE.swapcase()).exists():
        bad.update(one_file_on_disk(plan.clips))
    made = set(plan.gone)
    for id, clip in Progress(plan.clips.items(), desc="converting", unit="clip"):
        if id in bad:
            continue
        try:
            writer.bring(clip, plan.captions.given.get(id))
            made.add(id)
        except InputError as error:
            bad[id] = str(error)
    return made


def _finish(plan: _Plan, writer: ClipWriter, made: set[str], bad: dict[str, str]) -> dict[str, list[str]]:
    """Write splits and statistics of what is there; the splits. A file that is damaged by now makes its clip bad."""
    short = {id for id in made if writer.is_short(id)}
    mean_std = None
    while mean_std is None:
        splits = plan.splits.of(made - bad.keys(), short)
        try:
            mean_std, damaged = _statistics(writer, splits["train"])
        except InputError:
            report_bad(bad)
            raise
        bad.update(damaged)
    report_bad(bad)
    # What is held out first: a run that ends in between must leave no clip of it in train alone.
    order = [name for name in (*HELD_OUT, "train", *splits) if name in splits]
    write_splits(writer.root, {name: splits[name] for name in dict.fromkeys(order)})
    computed = dict(zip((MEAN_FILE, STD_FILE), mean_std, strict=True))
    others = others_files(writer.root, writer.record)
    writer.kept_statistics = any(not is_same(writer.root / name, computed[name]) for name in others)
    if not writer.kept_statistics:
        write_statistics(writer.root, writer.record, *mean_std)
    # Of the three alone: a clip that train_val.txt or the like has too must be remembered as what it is held out for.
    writer.record.put_splits({name: splits[name] for name in SPLITS})
    return splits


def _statistics(writer: ClipWriter, ids: Sequence[str]) -> tuple[tuple[np.ndarray, np.ndarray] | None, dict[str, str]]:
    """Mean and standard deviation of clips, and by id what is wrong with their files.

    Where something is wrong with any there are no numbers: the clips that are left then are asked for next.
    """
    if not ids:
        raise InputError(f"{writer.root}: none of the training clips could be converted")
    motions = UsableMotions(writer.root, ids, writer.skeleton.feature_dim)
    try:
        mean_std = compute_mean_std(motions, writer.skeleton)
    except InputError:
        if not motions.bad:
            raise
    way_out = "delete it and run the same command again"
    damaged = {id: f"{clip_files(writer.root, id).motion}: {why}; {way_out}" for id, why in motions.bad.items()}
    return (None if damaged else mean_std), damaged
