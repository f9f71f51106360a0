"""All clips of a data set share one skeleton and one configuration, which a second run must not contradict."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from dataset.sources.config import ConversionConfig, check_offsets, read_config
from dataset.sources.conversion import SourceClip, read_clip, skeleton_of_clip
from options.flags.dataset import DatasetFlags
from utils.errors import InputError
from utils.files.arrays import read_npy
from utils.motion.skeleton import Skeleton


def conversion_config(
    flags: DatasetFlags,
    skeleton: Skeleton,
    source: str,
    by_id: dict[str, SourceClip],
    candidates: list[str],
    cut_seconds: float | None,
) -> ConversionConfig:
    """The configuration of this data set: the one it was begun with, which given flags must not contradict.

    Only the cutting of takes may be another one than before, since all clips are cut again by it.
    """
    begun = read_config(flags.out_dir)
    target_given = flags.no_retarget or flags.target_offsets is not None or flags.target_clip is not None
    if begun is not None and not target_given:
        target, offsets = begun.target, begun.offsets
    else:
        target, offsets = _choose_target(flags, skeleton, by_id, candidates)
    rows = None if offsets is None else tuple(tuple(float(value) for value in row) for row in offsets)
    config = ConversionConfig(skeleton.name, skeleton.fps, source, target, rows, skeleton.metres_per_unit, cut_seconds)
    if begun is not None and replace(begun, cut_seconds=cut_seconds) != config:
        fields = [name for name in vars(config) if getattr(config, name) != getattr(begun, name)]
        raise InputError(
            f"{flags.out_dir} was begun with other settings ({', '.join(fields)}; see dataset.json): "
            "give another --out-dir"
        )
    return config


def _choose_target(
    flags: DatasetFlags, skeleton: Skeleton, by_id: dict[str, SourceClip], candidates: list[str]
) -> tuple[str, np.ndarray | None]:
    """Name and (J, 3) offsets of the skeleton to retarget to; ("none", None) without retargeting.

    It is that of a file, of the clip given, or of the first usable one of `candidates`.
    """
    if flags.no_retarget:
        return "none", None
    if flags.target_offsets is not None:
        offsets = read_npy(flags.target_offsets)
        try:
            check_offsets(offsets, skeleton)
        except InputError as error:
            raise InputError(f"--target-offsets {flags.target_offsets}: {error}") from None
        return Path(flags.target_offsets).name, offsets
    if flags.target_clip is not None:
        candidates = [flags.target_clip]
    problem = "no training clip was found"
    for id in candidates:
        if id not in by_id:
            problem = f"{id}: no such clip" if flags.target_clip else problem
            continue
        try:
            return id, skeleton_of_clip(read_clip(by_id[id]), skeleton)
        except InputError as error:
            problem = f"{id}: {error}"
    raise InputError(f"no clip to take the target skeleton from: {problem}")
