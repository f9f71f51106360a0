"""A BVH file is read into local transforms of its own joints; `dataset.sources.bvh.joint_mapping` makes them ours.

The reader is our own because the maintained ones are strict about the layout of lines or refuse position channels below
the root, which real files have (Bandai-Namco's on every joint). A position channel replaces its component of the OFFSET
of its joint: adding the two would double the skeleton.
"""

import math
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from dataset.sources.bvh.hierarchy import BvhJoint, finite_number, read_hierarchy
from dataset.sources.bvh.motion import BvhMotion
from utils.errors import InputError

_AXES = {"X": 0, "Y": 1, "Z": 2}
_MOTION_LINE = re.compile(r"^[ \t]*MOTION\b", re.MULTILINE | re.IGNORECASE)
_MOTION_HEAD = re.compile(r"\s*Frames\s*:\s*(\S+)\s+Frame\s*Time\s*:\s*(\S+)", re.IGNORECASE)
# A frame rate at most this share off a whole one counts as whole, if the digits of the frame time allow for it.
_WHOLE_RATE_TOLERANCE = 0.005
_SHORTEST_FRAME = 1e-6


def read_bvh(path: str | Path, fps: float | None = None) -> BvhMotion:
    """Read one file; `fps` overrides its frame time. Raises InputError (``path:line: reason``) for a broken file."""
    path = Path(path)
    try:
        # Names in another encoding stay distinct; a file that is no text at all has no HIERARCHY.
        text = path.read_text(encoding="utf-8-sig", errors="backslashreplace")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    start = _MOTION_LINE.search(text)
    joints = read_hierarchy(path, text[: start.start()] if start else text)
    if start is None:
        raise InputError(f"{path}: not a whole BVH file: no MOTION section")
    num_channels = sum(len(joint.channels) for joint in joints)
    values, file_fps = _read_motion(path, text, start.end(), num_channels, fps)
    offsets = np.array([joint.offset for joint in joints], dtype=np.float64)
    translations, rotations = _local_transforms(joints, offsets, values)
    names, parents = tuple(joint.name for joint in joints), tuple(joint.parent for joint in joints)
    return BvhMotion(names, parents, offsets, translations, rotations, file_fps)


def _read_motion(path: Path, text: str, start: int, num_channels: int, fps: float | None) -> tuple[np.ndarray, float]:
    """The MOTION section from `start` on -> ((T, channels) values, frames per second). Raises InputError."""
    line = text.count("\n", 0, start) + 1
    head = _MOTION_HEAD.match(text, start)
    if head is None:
        raise InputError(f"{path}:{line}: expected 'Frames: N' and 'Frame Time: seconds' after MOTION")
    line = text.count("\n", 0, head.start(1)) + 1
    if not head[1].isdecimal() or int(head[1]) == 0:
        raise InputError(f"{path}:{line}: expected one frame or more, got {head[1]!r}")
    frames = int(head[1])
    if num_channels == 0:
        raise InputError(f"{path}: no joint has a channel: nothing moves")
    if fps is None:
        fps = _frame_rate(head[2])
        if fps is None:
            line = text.count("\n", 0, head.start(2)) + 1
            raise InputError(f"{path}:{line}: the frame time must be seconds above 0, got {head[2]!r}")
    elif not (math.isfinite(fps) and fps > 0):
        raise InputError(f"frame rates must be positive, got {fps}")
    try:
        values = np.array(text[head.end() :].split(), dtype=np.float64)
    except ValueError:
        raise _bad_value(path, text, head.end()) from None
    if not np.isfinite(values).all():
        raise _bad_value(path, text, head.end())
    if values.size != frames * num_channels:
        what = "the motion is truncated" if values.size < frames * num_channels else "the motion is too long"
        raise InputError(
            f"{path}:{line}: {what}: {frames} frames x {num_channels} channels = {frames * num_channels} values "
            f"expected, {values.size} found ({values.size / num_channels:.6g} frames)"
        )
    return values.reshape(frames, num_channels), fps


def _local_transforms(joints: list[BvhJoint], offsets: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, channels) values -> translations (T, J, 3), rotations (T, J, 4) (w, x, y, z)."""
    translations = np.tile(offsets, (len(values), 1, 1))
    rotations = np.zeros((len(values), len(joints), 4))
    rotations[..., 0] = 1
    column = 0
    for index, joint in enumerate(joints):
        columns = dict(zip(joint.channels, range(column, column + len(joint.channels)), strict=True))
        column += len(columns)
        turns = [channel for channel in joint.channels if channel.endswith("rotation")]
        for channel in columns.keys() - turns:
            translations[:, index, _AXES[channel[0]]] = values[:, columns[channel]]
        if turns:
            # Capital letters: each axis turns with the ones before it, R = R_first R_second R_third.
            order = "".join(channel[0] for channel in turns)
            angles = values[:, [columns[channel] for channel in turns]]
            turn = Rotation.from_euler(order, angles, degrees=True)
            rotations[:, index] = turn.as_quat(scalar_first=True)
    return translations, rotations


def _frame_rate(frame_time: str) -> float | None:
    """Frames per second of a frame time as written; None where it is not above 0.

    Frame times are written with few digits: 0.033333 is 30 fps. Read as 30.0003 it would lose the last frame of a
    resampled clip and drift by millimetres. So a whole rate is taken where the digits allow for it.
    """
    seconds = finite_number(frame_time)
    if seconds is None or seconds < _SHORTEST_FRAME:
        return None
    fps, whole = 1 / seconds, round(1 / seconds)
    last_digit = 10.0 ** Decimal(frame_time).as_tuple().exponent
    if whole and abs(fps / whole - 1) < _WHOLE_RATE_TOLERANCE and abs(1 / whole - seconds) < last_digit:
        return float(whole)
    return fps


def _bad_value(path: Path, text: str, start: int) -> InputError:
    """The error that names the first word after `start` that is not a finite number."""
    lines = enumerate(text[start:].split("\n"), start=text.count("\n", 0, start) + 1)
    line, word = next((number, word) for number, line in lines for word in line.split() if finite_number(word) is None)
    return InputError(f"{path}:{line}: expected a finite number in the motion, got {word[:40]!r}")
