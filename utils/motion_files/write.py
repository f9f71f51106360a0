"""A motion is written into the kind of file that its name asks for, by one function for every command."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.errors import InputError
from utils.files.arrays import write_npy
from utils.files.atomic import write_text
from utils.files.outputs import MARK, carries, check_replaceable
from utils.motion.pictures import is_ours as is_picture
from utils.motion.pictures import save_animation, save_sheet
from utils.motion.skeleton import Skeleton
from utils.motion.stick_figure import DrawnClip
from utils.motion_files.bvh import is_ours as is_bvh
from utils.motion_files.bvh import write_bvh
from utils.motion_files.glb import write_glb
from utils.motion_files.posing import pose
from utils.motion_files.rigs import rig
from utils.report.player import PlayedMotion, is_page, page, player


@dataclass(frozen=True, eq=False)
class WrittenMotion:
    """A motion as files hold it.

    Attributes:
        joints: (T, J, 3) metres, Y up, left at +X (`Skeleton.in_metres`).
        skeleton: of the joints.
        fps: frames a second.
        title: a line about it, such as its caption.
    """

    joints: np.ndarray
    skeleton: Skeleton
    fps: float
    title: str = ""


def write_motions(path: str | Path, motions: Sequence[WrittenMotion], rig_name: str = "mixamo") -> list[Path]:
    """Write motions into files of the kind that the ending of `path` names.

    Pictures and pages hold several motions side by side. Of the other kinds each motion gets a file of its own: the
    only one gets `path`, several get ``name-1.bvh``, ``name-2.bvh``, ...

    Args:
        rig_name: joint names of .bvh and .glb, one of `utils.motion_files.rigs.RIGS`.

    Returns:
        the files

    Raises:
        InputError: another ending than those of pictures, pages, .bvh, .glb and .npy, or a motion with values that are
            not finite.
    """
    path = Path(path)
    check_ending(path, (*_TOGETHER, *_ALONE))
    for motion in motions:
        if not np.isfinite(motion.joints).all():
            frame = int(np.argmax(~np.isfinite(motion.joints).all(axis=(1, 2))))
            raise InputError(f"{path}: frame {frame} of {motion.title!r} holds values that are not finite (NaN)")
    if (together := _TOGETHER.get(path.suffix.lower())) is not None:
        together(path, motions)
        return [path]
    places = places_of(path, len(motions))
    for place, motion in zip(places, motions, strict=True):
        _ALONE[path.suffix.lower()](place, motion, rig_name)
    return places


def check_written(path: Path, count: int) -> None:
    """Refuse, for so many motions, to write over a file that we did not write; of .npy and .npz nobody can tell.

    Raises InputError, which names the file.
    """
    places = [path] if path.suffix.lower() in _TOGETHER else places_of(path, count)
    for place in places:
        check_replaceable(place, _OURS.get(path.suffix.lower(), lambda _: False))


def places_of(path: Path, count: int) -> list[Path]:
    """The files of so many motions that get one each."""
    return [path] if count == 1 else [path.with_stem(f"{path.stem}-{number + 1}") for number in range(count)]


def check_ending(path: str | Path, endings: Sequence[str] | None = None) -> None:
    """Raise InputError for a name that ends in none of `endings`, by default in nothing we write."""
    endings = ENDINGS if endings is None else endings
    if Path(path).suffix.lower() not in endings:
        raise InputError(f"{path}: expected a name that ends in {', '.join(endings)}")


def _drawn(motions: Sequence[WrittenMotion]) -> list[DrawnClip]:
    return [DrawnClip(motion.joints, motion.title) for motion in motions]


def _animation(path: Path, motions: Sequence[WrittenMotion]) -> None:
    save_animation(path, _drawn(motions), motions[0].fps)


def _sheet(path: Path, motions: Sequence[WrittenMotion]) -> None:
    save_sheet(path, _drawn(motions), motions[0].fps)


def _page(path: Path, motions: Sequence[WrittenMotion]) -> None:
    first = motions[0]
    played = [PlayedMotion(motion.title, motion.joints) for motion in motions]
    write_text(path, page(first.title or path.stem, player("motion", played, first.skeleton, first.fps)))


def _bvh(path: Path, motion: WrittenMotion, rig_name: str) -> None:
    write_bvh(path, pose(motion.joints, rig(rig_name, motion.skeleton), motion.fps))


def _glb(path: Path, motion: WrittenMotion, rig_name: str) -> None:
    write_glb(path, pose(motion.joints, rig(rig_name, motion.skeleton), motion.fps), motion.title)


def _npy(path: Path, motion: WrittenMotion, rig_name: str) -> None:
    # As data sets hold them, so that what reads those reads this: in the skeleton's unit, a metre for HumanML3D.
    write_npy(path, motion.skeleton.from_metres(motion.joints).astype(np.float32))


_TOGETHER: dict[str, Callable[[Path, Sequence[WrittenMotion]], None]] = {
    ".gif": _animation,
    ".mp4": _animation,
    ".png": _sheet,
    ".html": _page,
}
_ALONE: dict[str, Callable[[Path, WrittenMotion, str], None]] = {".bvh": _bvh, ".glb": _glb, ".npy": _npy}
_OURS: dict[str, Callable[[Path], bool]] = {
    **dict.fromkeys((".gif", ".mp4", ".png"), is_picture),
    ".html": is_page,
    ".bvh": is_bvh,
    ".glb": lambda path: carries(path, MARK),
}
# Written by whoever knows more of a motion than its joints: what a model said, and a body.
JSON_ENDING, AMASS_ENDING = ".json", ".npz"
ENDINGS = (*_TOGETHER, *_ALONE, JSON_ENDING, AMASS_ENDING)
