"""A data set folder in the published layout of HumanML3D and KIT-ML is read split by split, and written.

``new_joint_vecs/<id>.npy`` (T, D) float32 features, ``new_joints/<id>.npy`` (T, J, 3), ``texts/<id>.txt``,
``<split>.txt`` with one id a line, ``Mean.npy`` and ``Std.npy``. Reading a split leaves it packed in ``.cache``
(`dataset.humanml.clip_pack`), so that the next reading takes seconds and processes share the memory.
"""

import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.captions.common_words import common_pairs
from dataset.captions.lines import Caption, format_caption_line, parse_captions
from dataset.captions.tagger import CaptionTagger
from dataset.humanml.clip_files import NO_TEXT_FILE, ClipFiles
from dataset.humanml.clip_pack import ClipPack, pack_clips
from dataset.humanml.skipped_clips import SkippedClips
from dataset.humanml.splits import FEWEST_CLIPS
from utils.asset_hints import how_to_get
from utils.errors import InputError
from utils.files.arrays import read_npy, write_npy
from utils.files.atomic import write_text
from utils.files.text_files import numbered_lines
from utils.motion.plausibility import DENORMALISE, NORMALISED
from utils.motion.skeleton import Skeleton

logger = logging.getLogger(__name__)
FEATURES_FOLDER = "new_joint_vecs"
JOINTS_FOLDER = "new_joints"
TEXTS_FOLDER = "texts"
# Made by reading; may be deleted at any time.
CACHE_FOLDER = ".cache"
MEAN_FILE, STD_FILE = "Mean.npy", "Std.npy"
# In the published protocol the seconds of a segment become frames with this rate, also for KIT-ML (12.5 fps).
SEGMENT_FPS = 20
# What stands between the ids of a list that somebody wrote into one line.
_LIST_OF_IDS = re.compile(r"[,;\s]+")


@dataclass(frozen=True, eq=False)
class MotionRecord:
    """One motion with its captions.

    Attributes:
        id: clip id; ``<id>_<i>`` for the segment described by line i (from 0) of the clip's texts.
        features: (T, D) float32, denormalised; a view of the packed clip, or of the segment's part of it.
        captions: at least one, unless a reader asked for clips without; the segment's own caption for a segment.
    """

    id: str
    features: np.ndarray
    captions: tuple[Caption, ...]

    @property
    def num_frames(self) -> int:
        return len(self.features)


def has_texts(root: str | Path, split: str) -> bool:
    """Whether any clip of a split has a text file. Raises InputError as `read_split_ids`."""
    return any(os.path.isfile(clip_files(root, id).text) for id in read_split_ids(root, split))


def read_split(root: str | Path, split: str, skeleton: Skeleton, needs_text: bool = True) -> list[MotionRecord]:
    """Every usable motion of ``<root>/<split>.txt``, in the order of that file, a clip before its segments.

    As published, motions of `skeleton.min_frames` <= T < `skeleton.max_frames` frames are kept, and a clip outside
    that range gives no segments either. Clips with NaN (007975 and M007975 of HumanML3D), missing or broken files and
    malformed caption lines are skipped, and one logged line says how many and which. Raises InputError when the
    folder or the split file is missing, or nothing is usable. Without `needs_text` a clip that has no text file is a
    record without captions.
    """
    skipped = SkippedClips()
    pack = _read_pack(root, split, skeleton, skipped)
    records: list[MotionRecord] = []
    for id, features, text in zip(pack.ids, pack.features, pack.texts, strict=True):
        if text is None and not needs_text and pack.bad_texts[id] == NO_TEXT_FILE:
            records.extend(_records_of_clip(id, features, None, skeleton, skipped))
            continue
        if text is None:
            skipped.add(pack.bad_texts[id], id)
            continue
        captions, bad_lines = parse_captions(text)
        for line in bad_lines:
            skipped.add("caption line malformed", id, line)
        if captions:
            records.extend(_records_of_clip(id, features, captions, skeleton, skipped))
        else:
            skipped.add("no caption in the text", id)
    _log_summary(root, split, len(records), pack, skipped, f"{split}.skipped.txt")
    return records


def read_motions(root: str | Path, split: str, skeleton: Skeleton, min_frames: int) -> list[np.ndarray]:
    """The clips of a split without their texts: (T, D) float32 each, whole, T >= `min_frames`, in the split's order.

    As the published tokenizer training reads them: no upper length limit, no segments, no caption needed. Skips,
    logs and raises as `read_split` does.
    """
    skipped = SkippedClips()
    pack = _read_pack(root, split, skeleton, skipped)
    motions = []
    for id, features in zip(pack.ids, pack.features, strict=True):
        if len(features) >= min_frames:
            motions.append(features)
        else:
            skipped.add(f"fewer than {min_frames} frames", id)
    _log_summary(root, split, len(motions), pack, skipped, f"{split}.skipped-motions.txt")
    return motions


def tagger_of(root: str, skeleton: Skeleton) -> CaptionTagger:
    """The tagger for generated captions: spaCy where it is installed, else a lexicon of the training captions, or of
    common words where there are none."""
    if not has_texts(root, "train"):
        return CaptionTagger.default(common_pairs())
    records = read_split(root, "train", skeleton)
    return CaptionTagger.default((caption.text, caption.tokens) for record in records for caption in record.captions)


def pack_split(root: str | Path, split: str, ids: Sequence[str], skeleton: Skeleton) -> ClipPack:
    """The pack of the clips `ids`, in ``.cache`` under the name of their split (see `pack_clips`)."""
    clips = [clip_files(root, id) for id in ids]
    return pack_clips(clips, skeleton.feature_dim, Path(root) / CACHE_FOLDER, split)


def clip_files(root: str | Path, id: str) -> ClipFiles:
    """Where the features and texts of clip `id` are, or would be."""
    root = Path(root)
    return ClipFiles(id, root / FEATURES_FOLDER / f"{id}.npy", root / TEXTS_FOLDER / f"{id}.txt")


def read_split_ids(root: str | Path, split: str, is_clip: Callable[[str], bool] | None = None) -> list[str]:
    """The ids of ``<root>/<split>.txt`` in order, each once.

    Args:
        is_clip: whether an id is that of a clip; default: the folder has a motion of it.

    Raises:
        InputError: the file cannot be read, or (with ``file:line``) has several ids in a line.
    """
    return list(dict.fromkeys(_listed_ids(Path(root), split, is_clip)))


def read_mean_std(root: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """(D,) float32 mean and standard deviation of the features. Raises InputError if absent or not usable."""
    arrays = []
    for name in (MEAN_FILE, STD_FILE):
        path = Path(root) / name
        if not path.is_file():
            raise InputError(f"{path}: no such file (prepare.compute_motion_stats makes it)")
        arrays.append(read_npy(path).astype(np.float32))
    mean, std = arrays
    fit = mean.ndim == 1 and mean.shape == std.shape
    if not fit or not (np.isfinite(mean) & np.isfinite(std) & (std > 0)).all():
        raise InputError(f"{root}: Mean.npy {mean.shape} and Std.npy {std.shape} must be finite (D,), Std positive")
    return mean, std


def write_record(
    root: str | Path, id: str, features: np.ndarray, joints: np.ndarray, captions: Iterable[Caption]
) -> None:
    """Write the files of one clip. The features come last, so where they exist all files of the clip do.

    A clip without captions gets no text file; one that is there is left alone. Raises InputError as `write_motion`.
    """
    if text := caption_text(captions):
        write_text(clip_files(root, id).text, text)
    write_motion(root, id, features, joints)


def caption_text(captions: Iterable[Caption]) -> str:
    """The content of a text file with these captions."""
    return "".join(f"{format_caption_line(caption)}\n" for caption in captions)


def write_motion(root: str | Path, id: str, features: np.ndarray, joints: np.ndarray) -> None:
    """Write joints (T, J, 3) and features (T, D) of one clip, the features last.

    Raises InputError, and writes neither, where float32 cannot hold a value, or a value is no number.
    """
    joints, features = _finite("joints", joints), _finite("features", features)
    write_npy(Path(root) / JOINTS_FOLDER / f"{id}.npy", joints)
    write_npy(clip_files(root, id).motion, features)


def _finite(what: str, values: np.ndarray) -> np.ndarray:
    """`values` as float32. Raises InputError unless all are finite numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.asarray(values, dtype=np.float32)
    if not np.isfinite(values).all():
        raise InputError(f"{what} would hold values that are not finite numbers (NaN or inf); nothing was written")
    return values


def write_splits(root: str | Path, splits: Mapping[str, Sequence[str]]) -> None:
    """Write ``<split>.txt`` for each entry, ids in the given order."""
    for split, ids in splits.items():
        write_text(Path(root) / f"{split}.txt", "".join(f"{id}\n" for id in ids))


def write_mean_std(root: str | Path, mean: np.ndarray, std: np.ndarray) -> None:
    """Write the statistics (D,). Raises InputError, and writes neither, where a value is no finite number."""
    mean, std = _finite("Mean.npy", mean), _finite("Std.npy", std)
    write_npy(Path(root) / MEAN_FILE, mean)
    write_npy(Path(root) / STD_FILE, std)


def _listed_ids(root: Path, split: str, is_clip: Callable[[str], bool] | None = None) -> list[str]:
    if not root.is_dir():
        raise InputError(f"{root}: no such data set folder; {how_to_get('humanml3d')}")
    path = root / f"{split}.txt"
    if not path.is_file():
        raise InputError(f"{path}: no such split file")
    is_clip = is_clip or (lambda id: os.path.isfile(clip_files(root, id).motion))
    ids = []
    for number, line in numbered_lines(path):
        id = line.strip()
        first = _LIST_OF_IDS.split(id, maxsplit=1)[0]
        if first != id and is_clip(first) and not is_clip(id):  # ids may hold blanks and commas themselves
            raise InputError(f"{path}:{number}: expected one id a line, got {id[:60]!r}")
        ids.append(id)
    return ids


def _read_pack(root: str | Path, split: str, skeleton: Skeleton, skipped: SkippedClips) -> ClipPack:
    counts = Counter(_listed_ids(Path(root), split))  # keeps the order
    pack = pack_split(root, split, list(counts), skeleton)
    for id, reason in pack.bad_motions.items():
        skipped.add(reason, id)
    for id, count in counts.items():
        if count > 1:
            skipped.add("listed more than once, used once", id)
    return pack


def _log_summary(
    root: str | Path, split: str, count: int, pack: ClipPack, skipped: SkippedClips, list_name: str
) -> None:
    """Log in one line what was read and skipped. Raises InputError when nothing was read, or most is normalised."""
    root, clips = Path(root), len(pack.ids) + len(pack.bad_motions)
    problems = skipped.report(root / CACHE_FOLDER / list_name)
    if not clips:
        raise InputError(
            f"{root / f'{split}.txt'} lists no clip: from {FEWEST_CLIPS} clips on (a clip and its mirror image count "
            "as one) each split gets one, so add clips and run the command that made the data set again, or write ids "
            "into the file"
        )
    normalised = [id for id, reason in pack.bad_motions.items() if reason == NORMALISED]
    if 2 * len(normalised) >= max(clips, 1):
        found = f"{len(normalised)} of its {clips} clips ({', '.join(normalised[:3])}) hold {NORMALISED}"
        raise InputError(f"{root / f'{split}.txt'}: {found}; {DENORMALISE}")
    if not count:
        raise InputError(f"{root / f'{split}.txt'}: none of its {clips} clips is usable: {problems}")
    summary = f"{root} {split}: {count} motions from {clips} clips"
    if problems:
        logger.warning(f"{summary}, skipped: {problems}")
    else:
        logger.info(summary)


def _records_of_clip(
    id: str, features: np.ndarray, captions: list[Caption] | None, skeleton: Skeleton, skipped: SkippedClips
) -> list[MotionRecord]:
    """The whole clip with the captions that describe all of it, then each described segment with its own caption.

    Without captions (None) the clip alone.
    """
    allowed = range(skeleton.min_frames, skeleton.max_frames)
    if len(features) not in allowed:
        skipped.add(f"fewer than {allowed.start} or at least {allowed.stop} frames", id)
        return []
    if captions is None:
        return [MotionRecord(id, features, ())]
    records = []
    whole = tuple(caption for caption in captions if not caption.is_segment)
    if whole:
        records.append(MotionRecord(id, features, whole))
    for index, caption in enumerate(captions):
        if not caption.is_segment:
            continue
        start, end = (_frame_at(seconds, len(features)) for seconds in (caption.start, caption.end))
        part = features[start:end]
        if len(part) in allowed:
            records.append(MotionRecord(f"{id}_{index}", part, (caption,)))
        else:
            skipped.add(f"segment of fewer than {allowed.start} frames", f"{id}_{index}")
    return records


def _frame_at(seconds: float, num_frames: int) -> int:
    """The frame of a moment, kept within the clip: written moments may be negative, too late or infinite."""
    return int(min(max(seconds * SEGMENT_FPS, 0), num_frames))
