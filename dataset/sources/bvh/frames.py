"""The MOTION section of a BVH file is read: frames of numbers, whatever its head says of their count.

A file whose end is lost still has the frames before it, so a count that is off and a torn last frame are warnings. What
would shift the numbers of later frames (a value missing in the middle) is an error with its line.
"""

import logging
import re
from pathlib import Path

import numpy as np

from dataset.sources.bvh.frame_time import frame_rate
from dataset.sources.bvh.hierarchy import LARGEST_NUMBER, finite_number, shown
from utils.errors import InputError
from utils.motion.resampling import check_frame_rate

logger = logging.getLogger(__name__)
_SAID: set[str] = set()

_HEAD = re.compile(r"\s*Frames\s*:\s*(\S+)\s+Frame\s*Time\s*:\s*(\S+)", re.IGNORECASE)
# The beginning of a number, where the end of the file cut it.
_CUT_NUMBER = re.compile(r"[-+]?(\d*\.?\d*)([eE][-+]?)?", re.ASCII)
# What a word that is no number may have in it, and what that means.
_HINTS = {
    ",": "numbers have a decimal point and stand apart by blanks",
    ";": "numbers stand apart by blanks",
    "\0": "a NUL byte, the file is damaged: copy it again",
    "\x1a": "Ctrl-Z, the end mark of DOS, with more behind it",
}
# Rows whose last number tells how many decimals the numbers of a file have.
_DECIMALS_OF = 5
# A count of so many digits is no count of frames.
_DIGITS_OF_A_COUNT = 10
_SHOWN_DIGITS = 20


def read_frames(path: Path, text: str, start: int, channels: int, fps: float | None) -> tuple[np.ndarray, float]:
    """The MOTION section from `start` on -> ((T, channels) values, frames per second). Raises InputError.

    Args:
        fps: in place of what the file says.
    """
    head = _HEAD.match(text, start)
    if head is None:
        line = _line_at(text, start)
        raise InputError(f"{path}:{line}: expected 'Frames: N' and 'Frame Time: seconds' after MOTION")
    line = _line_at(text, head.start(1))
    if not (head[1].isascii() and head[1].isdecimal()):
        raise InputError(f"{path}:{line}: expected one frame or more, got {shown(head[1])}")
    if channels == 0:
        raise InputError(f"{path}: no joint has a channel: nothing moves")
    if fps is None:
        try:
            fps, note = frame_rate(head[2])
        except InputError as error:
            raise InputError(f"{path}:{_line_at(text, head.start(2))}: {error}") from None
        if note is not None:
            warn_once(f"{path}:{_line_at(text, head.start(2))}: {note}", about=note)
    check_frame_rate(fps)
    rows, numbers = _read_rows(path, text, head.end())
    announced = int(head[1]) if len(head[1]) < _DIGITS_OF_A_COUNT else None
    # Mostly a frame a line, or any layout of lines, where the numbers are one stream.
    if np.mean([len(row) == channels for row in rows[:-1]] or [not rows or len(rows[0]) <= channels]) <= 0.5:
        values = _stream(path, rows, numbers, channels, announced)
    else:
        values = _frame_a_line(path, rows, numbers, channels, _last_is_cut(text))
    if len(values) == 0:
        raise InputError(f"{path}:{line}: expected one frame or more, got {shown(head[1])} and no whole frame")
    if len(values) != announced:
        warn_once(f"{path}:{line}: 'Frames: {head[1][:_SHOWN_DIGITS]}', but {len(values)} are there: those are taken")
    return values, fps


def _read_rows(path: Path, text: str, start: int) -> tuple[list[np.ndarray], list[int]]:
    """The numbers of each line from `start` on that is not blank, and the numbers of those lines. Raises InputError."""
    first = _line_at(text, start)
    lines = [(number, line) for number, line in enumerate(text[start:].split("\n"), start=first) if line.strip()]
    rows = [_numbers(path, number, line.split()) for number, line in lines[:-1]]
    for number, line in lines[-1:]:
        words = line.split()
        # Without a line break the end of the file may be in the middle of a number.
        if not text.endswith("\n") and finite_number(words[-1]) is None and _CUT_NUMBER.fullmatch(words[-1]):
            words.pop()
        rows.append(_numbers(path, number, words))
    return rows, [number for number, _ in lines]


def _frame_a_line(
    path: Path, rows: list[np.ndarray], numbers: list[int], channels: int, last_is_cut: bool
) -> np.ndarray:
    """(T, channels) of lines that are a frame each, without a torn last one. Raises InputError for others."""
    for row, number in zip(rows, numbers, strict=True):
        if len(row) > channels or (len(row) < channels and number != numbers[-1]):
            raise InputError(
                f"{path}:{number}: {len(row)} values, a frame has {channels}: the file is damaged here, or its "
                "CHANNELS are those of another"
            )
    if rows and (len(rows[-1]) < channels or last_is_cut):
        _torn(path, numbers[-1], len(rows.pop()), channels)
    return np.stack(rows) if rows else np.zeros((0, channels))


def _stream(path: Path, rows: list[np.ndarray], numbers: list[int], channels: int, announced: int | None) -> np.ndarray:
    """(T, channels) of numbers in any layout of lines: their count must be that of the frames, or off by one."""
    values = np.concatenate(rows)
    whole, rest = divmod(values.size, channels)
    if announced is None or abs(announced - whole) > 1 or len(rows) == announced:
        raise InputError(
            f"{path}:{numbers[0]}: {values.size} values in {len(rows)} lines are not the frames announced, of "
            f"{channels} channels each: the file is damaged, or its CHANNELS are those of another"
        )
    if rest:
        _torn(path, numbers[-1], rest, channels)
    return values[: whole * channels].reshape(whole, channels)


def _numbers(path: Path, line: int, words: list[str]) -> np.ndarray:
    """The words of a line as numbers. Raises InputError with the first that is none."""
    try:
        values = np.array(words, dtype=np.float64)
    except ValueError:
        values = np.full(1, np.nan)
    if not (np.abs(values) <= LARGEST_NUMBER).all() or any("_" in word or "\0" in word for word in words):
        word = next(word for word in words if finite_number(word) is None)
        hint = next((f": {hint}" for mark, hint in _HINTS.items() if mark in word), "")
        raise InputError(f"{path}:{line}: expected a finite number in the motion, got {shown(word)}{hint}")
    return values


def _last_is_cut(text: str) -> bool:
    """Whether the file ends within its last number: it has fewer decimals than all in its place before have."""
    if text.endswith("\n"):
        return False
    rows = [line.split() for line in text.rsplit("\n", _DECIMALS_OF + 1)[1:]]
    decimals = [len(words[-1].partition(".")[2]) for words in rows if words]
    return len(decimals) > _DECIMALS_OF and len(set(decimals[:-1])) == 1 and decimals[-1] < decimals[0]


def _torn(path: Path, line: int, values: int, channels: int) -> None:
    warn_once(f"{path}:{line}: the last frame is torn ({values} of {channels} values) and left out")


def warn_once(message: str, about: str | None = None) -> None:
    """Say it, but for each `about` (default: itself) once: files are read again for their mirror images, and a frame
    time is that of all files of a folder."""
    if (key := about or message) not in _SAID:
        _SAID.add(key)
        logger.warning("%s", message)


def _line_at(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1
