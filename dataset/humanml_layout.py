"""The data set folder of HumanML3D and KIT-ML as published: reading a split, writing a new data set.

``new_joint_vecs/<id>.npy`` (T, D) float32 features, ``new_joints/<id>.npy`` (T, J, 3), ``texts/<id>.txt``,
``<split>.txt`` with one id a line, ``Mean.npy`` and ``Std.npy``.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dataset.caption_lines import Caption, format_caption_line, parse_captions
from utils.errors import InputError
from utils.files import read_npy, write_npy, write_text
from utils.skeleton import Skeleton

logger = logging.getLogger(__name__)

FEATURES_FOLDER = "new_joint_vecs"
JOINTS_FOLDER = "new_joints"
TEXTS_FOLDER = "texts"
MEAN_FILE, STD_FILE = "Mean.npy", "Std.npy"
# Seconds of a segment become frames with this rate in the published protocol, for KIT-ML (12.5 fps) too.
SEGMENT_FPS = 20
_NAMED_PER_REASON = 5


@dataclass(frozen=True, eq=False)
class MotionRecord:
    """One motion with its captions.

    Attributes:
        id: clip id; ``<id>_<i>`` for the segment described by line i (from 0) of the clip's texts.
        features: (T, D) float32, denormalised.
        captions: at least one; the segment's own caption for a segment.
    """

    id: str
    features: np.ndarray
    captions: tuple[Caption, ...]

    @property
    def num_frames(self) -> int:
        return len(self.features)


@dataclass
class _Problems:
    """What could not be used, by reason, for one summary line."""

    ids: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, id: str) -> None:
        self.ids.setdefault(reason, []).append(id)

    def __str__(self) -> str:
        parts = []
        for reason, ids in self.ids.items():
            more = ", ..." if len(ids) > _NAMED_PER_REASON else ""
            parts.append(f"{len(ids)} {reason} ({', '.join(ids[:_NAMED_PER_REASON])}{more})")
        return "; ".join(parts)


def read_split(root: str | Path, split: str, skeleton: Skeleton) -> list[MotionRecord]:
    """Every usable motion of ``<root>/<split>.txt``, in the order of that file, a clip before its segments.

    Kept are motions of `skeleton.min_frames` <= T < `skeleton.max_frames` frames, as published; a clip outside that
    range gives no segments either. Clips with NaN (007975 and M007975 of HumanML3D), missing or broken files and
    malformed caption lines are skipped, and one logged line says how many and which. Raises InputError when the
    folder or the split file is missing, or nothing is usable.
    """
    root = Path(root)
    ids = read_split_ids(root, split)
    problems = _Problems()
    records: list[MotionRecord] = []
    for id in ids:
        try:
            features = _read_features(root / FEATURES_FOLDER / f"{id}.npy", skeleton)
            captions = _read_captions(root / TEXTS_FOLDER / f"{id}.txt", id, problems)
        except InputError as error:
            problems.add(str(error), id)
            continue
        records.extend(_records_of_clip(id, features, captions, skeleton, problems))
    if not records:
        raise InputError(f"{root / f'{split}.txt'}: none of its {len(ids)} clips is usable: {problems or 'no ids'}")
    skipped = f", skipped: {problems}" if problems.ids else ""
    logger.log(
        logging.WARNING if problems.ids else logging.INFO,
        f"{root} {split}: {len(records)} motions from {len(ids)} clips{skipped}",
    )
    return records


def read_split_ids(root: str | Path, split: str) -> list[str]:
    """The ids of ``<root>/<split>.txt`` in order, each once. Raises InputError when it cannot be read."""
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such data set folder")
    path = root / f"{split}.txt"
    if not path.is_file():
        raise InputError(f"{path}: no such split file")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason})") from None
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


def read_mean_std(root: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """(D,) float32 mean and standard deviation of the features. Raises InputError if absent or not usable."""
    arrays = []
    for name in (MEAN_FILE, STD_FILE):
        path = Path(root) / name
        if not path.is_file():
            raise InputError(f"{path}: no such file (prepare.compute_motion_stats makes it)")
        arrays.append(read_npy(path).astype(np.float32))
    mean, std = arrays
    if mean.ndim != 1 or mean.shape != std.shape or not np.isfinite(mean).all() or not (std > 0).all():
        raise InputError(f"{root}: Mean.npy {mean.shape} and Std.npy {std.shape} must be finite (D,), Std positive")
    return mean, std


def write_record(
    root: str | Path, id: str, features: np.ndarray, joints: np.ndarray, captions: Iterable[Caption]
) -> None:
    """Write the three files of one clip; the features come last, so that where they are, all is."""
    root = Path(root)
    write_text(root / TEXTS_FOLDER / f"{id}.txt", "".join(f"{format_caption_line(line)}\n" for line in captions))
    write_npy(root / JOINTS_FOLDER / f"{id}.npy", np.asarray(joints, dtype=np.float32))
    write_npy(root / FEATURES_FOLDER / f"{id}.npy", np.asarray(features, dtype=np.float32))


def write_splits(root: str | Path, splits: Mapping[str, Sequence[str]]) -> None:
    """Write ``<split>.txt`` for each entry, ids in the given order."""
    for split, ids in splits.items():
        write_text(Path(root) / f"{split}.txt", "".join(f"{id}\n" for id in ids))


def write_mean_std(root: str | Path, mean: np.ndarray, std: np.ndarray) -> None:
    write_npy(Path(root) / MEAN_FILE, np.asarray(mean, dtype=np.float32))
    write_npy(Path(root) / STD_FILE, np.asarray(std, dtype=np.float32))


def _records_of_clip(
    id: str, features: np.ndarray, captions: list[Caption], skeleton: Skeleton, problems: _Problems
) -> list[MotionRecord]:
    allowed = range(skeleton.min_frames, skeleton.max_frames)
    if len(features) not in allowed:
        problems.add(f"of {allowed.start} > frames or frames >= {allowed.stop}", id)
        return []
    records = []
    whole = tuple(caption for caption in captions if not caption.is_segment)
    if whole:
        records.append(MotionRecord(id, features, whole))
    for index, caption in enumerate(captions):
        if not caption.is_segment:
            continue
        part = features[max(int(caption.start * SEGMENT_FPS), 0) : max(int(caption.end * SEGMENT_FPS), 0)]
        if len(part) in allowed:
            records.append(MotionRecord(f"{id}_{index}", part, (caption,)))
        else:
            problems.add("segments too short or too long", f"{id}_{index}")
    return records


def _read_features(path: Path, skeleton: Skeleton) -> np.ndarray:
    if not path.is_file():
        raise InputError("motion files missing")
    try:
        features = read_npy(path)
    except InputError:
        raise InputError("motion files unreadable") from None
    if features.ndim != 2 or features.shape[1] != skeleton.feature_dim:
        raise InputError(f"motions not (T, {skeleton.feature_dim}) but {('T', *features.shape[1:])}".replace("'", ""))
    if not np.isfinite(features).all():
        raise InputError("motions with NaN")
    return features.astype(np.float32, copy=False)


def _read_captions(path: Path, id: str, problems: _Problems) -> list[Caption]:
    if not path.is_file():
        raise InputError("text files missing")
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("text files not UTF-8") from None
    captions, bad_lines = parse_captions(content)
    for line in bad_lines:
        problems.add("caption lines malformed", f"{id} {line}")
    if not captions:
        raise InputError("texts without a caption")
    return captions
