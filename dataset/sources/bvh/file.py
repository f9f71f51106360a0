"""A BVH file is read into local transforms of its own joints; `dataset.sources.bvh.joint_mapping` makes them ours.

The reader is our own because the maintained ones are strict about the layout of lines or refuse position channels below
the root, which real files have (Bandai-Namco's on every joint). A position channel replaces its component of the OFFSET
of its joint: adding the two would double the skeleton. Below the root, channels of a joint that are 0 throughout say
nothing.
"""

import re
from pathlib import Path

import numpy as np

from dataset.sources.bvh.frames import read_frames, warn_once
from dataset.sources.bvh.hierarchy import BvhJoint, read_hierarchy
from dataset.sources.bvh.motion import BvhMotion
from utils.errors import InputError
from utils.files.text_files import byte_lines, unreadable

_AXES = {"X": 0, "Y": 1, "Z": 2}
_MOTION_LINE = re.compile(r"^[ \t]*MOTION\b", re.MULTILINE | re.IGNORECASE)
# What stands behind the last number of files that went through other systems.
_END_MARKS = {"\0": "NUL bytes", "\x1a": "Ctrl-Z (the end mark of DOS)", ";": "a semicolon"}


def read_bvh(path: str | Path, fps: float | None = None) -> BvhMotion:
    """Read one file; `fps` overrides its frame time. Raises InputError (``path:line: reason``) for a broken file."""
    path = Path(path)
    text = _read_text(path)
    start = _MOTION_LINE.search(text)
    joints = read_hierarchy(path, text[: start.start()] if start else text)
    if start is None:
        raise InputError(f"{path}: not a whole BVH file: no MOTION section")
    num_channels = sum(len(joint.channels) for joint in joints)
    values, file_fps = read_frames(path, text, start.end(), num_channels, fps)
    offsets = np.array([joint.offset for joint in joints], dtype=np.float64)
    translations, rotations = _local_transforms(joints, offsets, values)
    names, parents = tuple(joint.name for joint in joints), tuple(joint.parent for joint in joints)
    ends = tuple((index, tuple(joint.end)) for index, joint in enumerate(joints) if joint.end is not None)
    return BvhMotion(names, parents, offsets, translations, rotations, file_fps, ends)


def _read_text(path: Path) -> str:
    """The file, its lines ended by line feeds, without marks behind its end, which are warned about.

    A line feed at the very end says that the last line is whole. Names in another encoding stay distinct. Raises
    InputError for a file that cannot be read.
    """
    try:
        with path.open("rb") as stream:
            text = "\n".join(line.decode("utf-8", errors="backslashreplace") for line in byte_lines(stream, path))
            stream.seek(max(stream.tell() - 2, 0))  # two bytes: in UTF-16 a line feed is not the last one
            has_last_break = any(byte in stream.read() for byte in (b"\n", b"\r"))
    except OSError as error:
        raise unreadable(path, error) from None
    body = text.rstrip("".join(_END_MARKS) + " \t\n\r\f\v")
    behind = text[len(body) :]
    if found := [name for mark, name in _END_MARKS.items() if mark in behind]:
        warn_once(f"{path}:{1 + body.count(chr(10))}: {' and '.join(found)} behind the last number: left out")
    return body + "\n" if has_last_break or set(behind) - {"\0"} else body


def _local_transforms(joints: list[BvhJoint], offsets: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, channels) values -> translations (T, J, 3), rotations (T, J, 4) (w, x, y, z)."""
    from scipy.spatial.transform import Rotation

    translations = np.tile(offsets, (len(values), 1, 1))
    rotations = np.zeros((len(values), len(joints), 4))
    rotations[..., 0] = 1
    column = 0
    for index, joint in enumerate(joints):
        columns = dict(zip(joint.channels, range(column, column + len(joint.channels)), strict=True))
        column += len(columns)
        turns = [channel for channel in joint.channels if channel.endswith("rotation")]
        places = [channel for channel in joint.channels if channel not in turns]
        if joint.parent >= 0 and not values[:, [columns[channel] for channel in places]].any():
            places = []  # some exporters write channels that they do not fill: the OFFSET holds
        for channel in places:
            translations[:, index, _AXES[channel[0]]] = values[:, columns[channel]]
        if turns:
            # Capital letters: each axis turns with the ones before it, R = R_first R_second R_third.
            order = "".join(channel[0] for channel in turns)
            angles = values[:, [columns[channel] for channel in turns]]
            turn = Rotation.from_euler(order, angles, degrees=True)
            rotations[:, index] = turn.as_quat(scalar_first=True)
    return translations, rotations
