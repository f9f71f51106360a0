"""Clips of joint positions from any source become clips of a data set in the HumanML3D layout.

Every command that makes a data set uses this (``prepare.motions_from_*``).
"""

import logging
import os
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dataset.humanml.layout import write_motion
from dataset.humanml.splits import mirror_id
from dataset.sources.config import ConversionConfig, check_offsets
from dataset.sources.mirroring import mirror_joints
from utils.errors import InputError
from utils.files.text_files import unreadable
from utils.motion.bones import offsets_of_frame
from utils.motion.skeleton import Skeleton

logger = logging.getLogger(__name__)

# What the values of a file can make numpy, scipy and torch raise where no check of ours has seen them before: numbers
# too large, shapes that fit no memory, texts in the place of numbers.
_OF_A_FILE = (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
# Bytes of a file name on common file systems, and what the names of a clip's files have behind its id.
_LONGEST_NAME, _ENDING = 255, ".npy"


@dataclass(frozen=True)
class Cut:
    """Where a clip is in the longer take that it is a part of.

    Attributes:
        take: id that the whole take would have.
        start, end: seconds of the take.
    """

    take: str
    start: float
    end: float


@dataclass(frozen=True)
class SourceClip:
    """A motion somewhere on disk.

    Attributes:
        id: of the clip in the data set.
        paths: the files that the clip is made from; when their content changes, the clip is converted again.
        read: gives (T, J, 3) joints at the skeleton's frame rate, in its unit, Y up; raises InputError with the path.
        part: which part of the files the clip is, where it is not all of them.
        mirrored: the clip is the mirror image of what its files hold.
        up: which axis of the files was taken for the one that points up (``--up``); None where no flag says it.
        cut: where it is in a longer take; None where it is all of one. A mirror image has that of its original.
    """

    id: str
    paths: tuple[Path, ...]
    read: Callable[[], np.ndarray]
    part: str = ""
    mirrored: bool = False
    up: str | None = None
    cut: Cut | None = None


def source_files(folder: Path, ending: str, below: bool = False) -> list[Path]:
    """The files of one `ending` (``.npy``, in any capitals) in `folder`, and `below` it if wanted, sorted.

    ``._x`` beside ``x`` is what macOS keeps about a file on foreign disks and in archives: left out, with their count
    as a warning.
    """
    found = _files_below(folder) if below else folder.iterdir()
    # A link to nothing is a clip that cannot be read, and said so.
    paths = sorted(path for path in found if path.suffix.lower() == ending and (path.is_file() or path.is_symlink()))
    files = [path for path in paths if not path.name.startswith("._")]
    if len(files) < len(paths):
        logger.warning("%s: left out what macOS keeps about files (._*): %d", folder, len(paths) - len(files))
    return files


def _files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, behind links to other folders too; a folder that is reached on two ways comes once."""

    def refuse(error: OSError) -> None:
        raise error  # a folder that may not be read would be left out without a word

    seen: set[str] = set()
    places = [str(folder)]  # links come last: what is there without one has the name that it has there
    while places:
        for place, folders, files in os.walk(places.pop(0), onerror=refuse):
            real = os.path.realpath(place)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            places += sorted(path for name in folders if os.path.islink(path := os.path.join(place, name)))
            yield from (Path(place, name) for name in files)


def source_id(folder: Path, path: Path) -> str:
    """The id of the clip of a file below `folder`: its path without the ending, folders joined by ``_``."""
    return "_".join(path.relative_to(folder).with_suffix("").parts)


def mirrored(clip: SourceClip, skeleton: Skeleton) -> SourceClip:
    """The clip with left and right exchanged, named as HumanML3D does it (``M<id>``)."""
    return replace(clip, id=mirror_id(clip.id), read=lambda: mirror_joints(clip.read(), skeleton), mirrored=True)


def problem_of_id(id: str) -> str | None:
    """Why an id cannot be the name of files and a line of a split file; None where it can."""
    if any(unicodedata.category(character) == "Cs" for character in id):
        return "its name is no text (undecodable bytes): rename the file"
    if any(unicodedata.category(character) == "Cc" for character in id):
        return "its name holds a line break or another control character: rename the file"
    if not id or id != id.strip() or id.startswith((".", "\ufeff")) or "/" in id:
        return "its name is empty, holds a /, begins with a dot, or begins or ends with a blank: rename the file"
    longest = _LONGEST_NAME - len(_ENDING)
    if len(os.fsencode(id)) > longest:
        return f"its name is {len(os.fsencode(id))} bytes long, {longest} can be: rename the file"
    return None


def skeleton_of_clip(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(J, 3) offsets of the first frame of (T, J, 3). Raises InputError where they are not of a person's size."""
    if len(joints) == 0:
        raise InputError("no frame to take the skeleton from")
    offsets = offsets_of_frame(joints[0], skeleton)
    check_offsets(offsets, skeleton)
    return offsets


def read_clip(clip: SourceClip) -> np.ndarray:
    """The joints (T, J, 3) of a clip. Raises InputError for whatever is wrong with its files."""
    try:
        return clip.read()
    except OSError as error:
        raise unreadable(error.filename or clip.paths[0], error) from None
    except _OF_A_FILE as error:
        raise _unusable(clip, error) from None


def convert_motion(root: str | Path, clip: SourceClip, config: ConversionConfig, skeleton: Skeleton) -> int:
    """Write joints and features of one clip and return its number of frames.

    As published, the joints that are written are recovered from the features, so they have one frame less than given.

    Raises:
        InputError: the clip's files cannot be used.
        OSError: what is made of them cannot be written.
    """
    from utils.motion.features import features_from_joints, joints_from_features  # late: of torch

    joints = read_clip(clip)
    try:
        with np.errstate(all="ignore"):  # numbers that are too large are refused when they are written
            features = features_from_joints(joints, skeleton, config.offsets)
            recovered = joints_from_features(features, skeleton)
    except _OF_A_FILE as error:
        raise _unusable(clip, error) from None
    write_motion(root, clip.id, features, recovered)
    return len(features)


def _unusable(clip: SourceClip, error: Exception) -> InputError:
    return InputError(f"{clip.paths[0]}: cannot be used ({type(error).__name__}: {error})")
