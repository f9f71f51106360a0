"""Clips from anywhere become one data set: the common part of the commands ``prepare.motions_from_*``.

Good clips are converted whatever the others are like; each bad one is named with its reason.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dataset.captions.files import CaptionSet
from dataset.humanml.layout import FEATURES_FOLDER, JOINTS_FOLDER, TEXTS_FOLDER, write_mean_std, write_splits
from dataset.humanml.statistics import compute_mean_std
from dataset.sources.config import ConversionConfig, write_config
from dataset.sources.conversion import SourceClip, convert_clip, is_converted, mirrored
from dataset.sources.posture import Postures
from options.flags.dataset import DatasetFlags
from prepare.conversion.plan import clips_by_id, plan_captions, plan_splits
from prepare.conversion.target import conversion_config
from utils.errors import InputError
from utils.files.arrays import read_npy
from utils.files.atomic import remove_unfinished
from utils.motion.skeleton import Skeleton


def convert_dataset(
    clips: Iterable[SourceClip],
    flags: DatasetFlags,
    skeleton: Skeleton,
    source: str,
    preferred_targets: Sequence[str] = (),
    bad: Mapping[str, str] | None = None,
) -> None:
    """Convert what is new or changed, write splits and statistics, print what happened.

    Args:
        clips: every motion found; an id that comes twice is bad.
        source: what the motions are made from, in words; a data set has one source.
        preferred_targets: clips whose skeleton is taken when no flag names one, before the first training clip.
        bad: clips known to be unusable before they are read, with the reason.

    Raises InputError where nothing can be converted; and, without ``--skip-bad``, where some clips were bad, after all
    others are converted.
    """
    out_dir, bad = Path(flags.out_dir), dict(bad or {})
    postures = Postures(skeleton, flags.any_posture)
    plan = _plan(clips, flags, skeleton, source, preferred_targets, bad, postures)
    postures.check_set([clip for id, clip in plan.clips.items() if id not in bad])
    write_config(out_dir, plan.config, plan.about_captions)
    lengths = _convert_new(out_dir, plan, skeleton, bad)
    report_bad(bad)
    good = {name: [id for id in members if id not in bad] for name, members in plan.splits.items()}
    if not good["train"]:
        raise InputError(f"none of the {len(plan.splits['train'])} training clips could be converted")
    write_splits(out_dir, good)
    write_mean_std(out_dir, *compute_mean_std(_features(out_dir, good["train"]), skeleton))
    print(_summary(flags, plan, skeleton, good, lengths, bad))
    if (note := postures.note()) is not None:
        print(note)
    if bad and not flags.skip_bad:
        clips_in_all = len({*plan.clips, *bad})
        raise InputError(
            f"{len(bad)} of {clips_in_all} clips could not be used (listed above); --skip-bad accepts that"
        )


@dataclass(frozen=True)
class _Plan:
    """What a data set is to consist of.

    Attributes:
        clips: every clip by its id, mirror images included.
        splits: ids by split.
        captions: of all clips; None where there are none (no --texts-dir).
        text_paths: the files that a clip's captions are from, by its id.
        config: what every clip is converted with.
    """

    clips: dict[str, SourceClip]
    splits: dict[str, list[str]]
    captions: CaptionSet | None
    text_paths: dict[str, list[Path]]
    config: ConversionConfig

    @property
    def about_captions(self) -> str:
        return "none" if self.captions is None else str(self.captions)


def _plan(
    clips: Iterable[SourceClip],
    flags: DatasetFlags,
    skeleton: Skeleton,
    source: str,
    preferred_targets: Sequence[str],
    bad: dict[str, str],
    postures: Postures,
) -> _Plan:
    by_id = clips_by_id(clips, bad)
    if flags.mirror:
        # A mirror image that is there as a file of its own is not made again.
        originals = [clip for id, clip in by_id.items() if not (id.startswith("M") and id[1:] in by_id)]
        by_id = {image.id: image for image in [mirrored(clip, skeleton) for clip in originals]} | by_id
    by_id = {id: postures.watched(clip) for id, clip in by_id.items()}
    splits = plan_splits(by_id, flags, bad)
    captions, text_paths = plan_captions(by_id, flags, bad)
    config = conversion_config(flags, skeleton, source, by_id, [*preferred_targets, *splits["train"], *by_id])
    return _Plan(by_id, splits, captions, text_paths, config)


def _convert_new(out_dir: Path, plan: _Plan, skeleton: Skeleton, bad: dict[str, str]) -> list[int]:
    """Convert what is new or changed; frames of each converted clip. Clips that fail are added to `bad`."""
    for folder in (FEATURES_FOLDER, JOINTS_FOLDER, TEXTS_FOLDER):
        remove_unfinished(out_dir / folder)
    captions = {} if plan.captions is None else plan.captions.captions
    lengths = []
    for id, clip in tqdm(plan.clips.items(), desc="converting", unit="clip"):
        if id in bad or is_converted(out_dir, id, [*clip.paths, *plan.text_paths.get(id, [])]):
            continue
        try:
            lengths.append(convert_clip(out_dir, clip, captions.get(id, ()), plan.config, skeleton))
        except InputError as error:
            bad[id] = str(error)
    return lengths


def report_bad(bad: Mapping[str, str]) -> None:
    for id, reason in bad.items():
        print(f"bad clip {id}: {reason}")


def _features(out_dir: Path, ids: list[str]) -> Iterator[np.ndarray]:
    for id in ids:
        yield read_npy(out_dir / FEATURES_FOLDER / f"{id}.npy")


def _summary(
    flags: DatasetFlags,
    plan: _Plan,
    skeleton: Skeleton,
    good: dict[str, list[str]],
    lengths: list[int],
    bad: dict[str, str],
) -> str:
    counts = ", ".join(f"{name} {len(members)}" for name, members in good.items())
    there = len({id for members in good.values() for id in members}) - len(lengths)
    lines = [
        f"{flags.out_dir}: {len(lengths)} clips converted, {there} already there, {len(bad)} bad; {counts}; "
        f"skeleton of {plan.config.target}; " + ("no captions" if plan.captions is None else plan.about_captions)
    ]
    outside = sum(not skeleton.min_frames <= length < skeleton.max_frames for length in lengths)
    if outside and plan.captions is not None:
        lines.append(
            f"note: {outside} of them are not of {skeleton.min_frames} to {skeleton.max_frames - 1} frames: "
            "text-motion training and evaluation leave those out, as published"
        )
    return "\n".join(lines)
