"""The common part of the commands ``prepare.motions_from_*``: clips from anywhere become one data set.

Good clips are finished whatever the others are like; each bad one is named with its reason.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dataset.captions.files import CaptionSet
from dataset.humanml.layout import FEATURES_FOLDER, JOINTS_FOLDER, TEXTS_FOLDER, write_mean_std, write_splits
from dataset.humanml.statistics import compute_mean_std
from dataset.sources.conversion import SourceClip, convert_clip, is_converted, mirrored
from dataset.sources.settings import ConversionSettings, write_settings
from options.flags.dataset import DatasetFlags
from prepare.conversion.plan import clips_by_id, plan_captions, plan_splits
from prepare.conversion.target import settle
from utils.errors import InputError
from utils.files.atomic import read_npy, remove_unfinished
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
        preferred_targets: clips whose skeleton to take when no flag says, before the first training clip.
        bad: clips known to be unusable before they are read, with the reason.

    Raises InputError where nothing can be converted, or, without ``--skip-bad``, after everything that can be
    converted is, when some clips were bad.
    """
    out_dir, bad = Path(flags.out_dir), dict(bad or {})
    by_id = clips_by_id(clips, bad)
    if flags.mirror:
        originals = [clip for id, clip in by_id.items() if not (id.startswith("M") and id[1:] in by_id)]
        by_id = {image.id: image for image in [mirrored(clip, skeleton) for clip in originals]} | by_id
    splits = plan_splits(by_id, flags, bad)
    captions, text_paths = plan_captions(by_id, flags, bad)
    settings = settle(flags, skeleton, source, by_id, [*preferred_targets, *splits["train"], *by_id])
    write_settings(out_dir, settings, "none" if flags.texts_dir is None else str(captions))

    for folder in (FEATURES_FOLDER, JOINTS_FOLDER, TEXTS_FOLDER):
        remove_unfinished(out_dir / folder)
    lengths, converted = [], 0
    for id, clip in tqdm(by_id.items(), desc="converting", unit="clip"):
        if id in bad or is_converted(out_dir, id, [*clip.paths, *text_paths.get(id, [])]):
            continue
        try:
            lengths.append(convert_clip(out_dir, clip, captions.captions.get(id, ()), settings, skeleton))
            converted += 1
        except InputError as error:
            bad[id] = str(error)

    report_bad(bad)
    good = {name: [id for id in members if id not in bad] for name, members in splits.items()}
    if not good["train"]:
        raise InputError(f"none of the {len(splits['train'])} training clips could be converted")
    write_splits(out_dir, good)
    write_mean_std(out_dir, *compute_mean_std(_features(out_dir, good["train"]), skeleton))
    print(_summary(flags, settings, captions, good, converted, lengths, bad, skeleton))
    if bad and not flags.skip_bad:
        raise InputError(
            f"{len(bad)} of {len({*by_id, *bad})} clips could not be used (listed above); --skip-bad accepts that"
        )


def report_bad(bad: Mapping[str, str]) -> None:
    for id, reason in bad.items():
        print(f"bad clip {id}: {reason}")


def _features(out_dir: Path, ids: list[str]) -> Iterator[np.ndarray]:
    for id in ids:
        yield read_npy(out_dir / FEATURES_FOLDER / f"{id}.npy")


def _summary(
    flags: DatasetFlags,
    settings: ConversionSettings,
    captions: CaptionSet,
    good: dict[str, list[str]],
    converted: int,
    lengths: list[int],
    bad: dict[str, str],
    skeleton: Skeleton,
) -> str:
    counts = ", ".join(f"{name} {len(members)}" for name, members in good.items())
    there = len({id for members in good.values() for id in members}) - converted
    lines = [
        f"{flags.out_dir}: {converted} clips converted, {there} already there, {len(bad)} bad; {counts}; "
        f"skeleton of {settings.target}; " + ("no captions" if flags.texts_dir is None else str(captions))
    ]
    outside = sum(not skeleton.min_frames <= length < skeleton.max_frames for length in lengths)
    if outside and flags.texts_dir is not None:
        lines.append(
            f"note: {outside} of them are not of {skeleton.min_frames} to {skeleton.max_frames - 1} frames: "
            "text-motion training and evaluation leave those out, as published"
        )
    return "\n".join(lines)
