"""Long takes become clips: equal parts of at most some seconds, each with the captions of its time."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import ceil

import numpy as np

from dataset.captions.lines import Caption
from dataset.sources.conversion import Cut, SourceClip, read_clip
from utils.errors import InputError
from utils.motion.skeleton import Skeleton
from utils.progress import Progress

# A caption of a time belongs to a part in which at least so many seconds of it are, or all of it.
_OVERLAP = 0.5


# Captions may end a little after their clip, by rounding or by frames that were cut off: they end with it then.
_AFTER_THE_END = 1.0


def goes_beyond(captions: Iterable[Caption], seconds: float) -> bool:
    """Whether one of the captions is about a time that a motion of so many seconds does not have."""
    return any(
        caption.is_segment and (caption.start >= min(seconds, caption.end) or caption.end > seconds + _AFTER_THE_END)
        for caption in captions
    )


def check_cut_seconds(seconds: float, skeleton: Skeleton) -> None:
    """Refuse parts that no reader takes: the shortest are half as long as the longest."""
    least = (2 * skeleton.min_frames + 1) / skeleton.fps
    if seconds < least:
        raise InputError(
            f"--cut-seconds {seconds:g}: parts could become shorter than the {skeleton.min_frames / skeleton.fps:g} "
            f"seconds that readers take at least: give {least:g} or more"
        )


def longest_whole(skeleton: Skeleton) -> float:
    """Seconds of the longest take that readers of text and motion take whole."""
    return skeleton.max_frames / skeleton.fps


@dataclass
class _LastTake:
    """Reads takes, and keeps the last one: its parts are asked for one after the other."""

    clip: SourceClip | None = None
    joints: np.ndarray | None = None

    def of(self, clip: SourceClip) -> np.ndarray:
        if self.joints is None or clip is not self.clip:
            self.clip, self.joints = None, None  # one take at a time in memory
            self.joints, self.clip = clip.read(), clip
        return self.joints


def cut_takes(takes: Iterable[SourceClip], skeleton: Skeleton, seconds: float) -> list[SourceClip]:
    """The takes, those of more than `seconds` as parts ``<id>_s0``, ``<id>_s1``, ... of equal length.

    A part shares its last frame with the next one, since features have one frame less than joints. A take that cannot
    be read stays as it is, and is found to be bad when it is converted.
    """
    last, clips = _LastTake(), []
    for take in Progress(list(takes), desc="measuring takes", unit="take"):
        try:
            frames = len(read_clip(take)) - 1  # of features
        except InputError:
            clips.append(take)
            continue
        count = ceil(frames / (int(seconds * skeleton.fps + 1e-6) - 1))
        if count <= 1:
            clips.append(take)
            continue
        edges = [round(index * frames / count) for index in range(count + 1)]
        for index, (start, end) in enumerate(pairwise(edges)):
            clips.append(
                replace(
                    take,
                    id=f"{take.id}_s{index}",
                    read=partial(_part, partial(last.of, take), start, end + 1),
                    part=f"{take.part} frames {start} {end}".strip(),
                    cut=Cut(take.id, start / skeleton.fps, end / skeleton.fps),
                )
            )
    return clips


def _part(read: Callable[[], np.ndarray], start: int, end: int) -> np.ndarray:
    return read()[start:end].copy()


def captions_of_part(captions: Iterable[Caption], cut: Cut) -> tuple[Caption, ...]:
    """Of the captions of a take those of one part, with the part's own times.

    A caption without times is one of every part. One with times is one of each part in which half a second of it is,
    clipped to it; where it covers all of the part it describes the part as a whole.
    """
    return tuple(_of_part(captions, cut))


def _of_part(captions: Iterable[Caption], cut: Cut) -> Iterator[Caption]:
    length = cut.end - cut.start
    for caption in captions:
        if not caption.is_segment:
            yield caption
            continue
        start, end = max(caption.start - cut.start, 0.0), min(caption.end - cut.start, length)
        if end <= start or end - start < min(_OVERLAP, caption.end - caption.start) - 1e-6:
            continue
        whole = start == 0 and end == length
        yield replace(caption, start=0.0 if whole else round(start, 3), end=0.0 if whole else round(end, 3))
