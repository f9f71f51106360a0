"""What we write never replaces what somebody else made."""

from collections.abc import Callable, Iterable
from pathlib import Path

from utils.errors import InputError
from utils.wording import listed

# Stands in files that may be made anew, where their kind has a place for it.
MARK = "made by MoRL"
_MARK_WITHIN = 1 << 16  # bytes from the beginning or the end


def carries(path: str | Path, *marks: str) -> bool:
    """Whether one of the marks stands near the beginning or the end of a file."""
    with Path(path).open("rb") as stream:
        start = stream.read(_MARK_WITHIN)
        stream.seek(max(0, Path(path).stat().st_size - _MARK_WITHIN))
        end = stream.read()
    return any(mark.encode() in part for mark in marks for part in (start, end))


def check_replaceable(path: str | Path, ours: Callable[[Path], bool], flag: str = "--out") -> None:
    """Refuse to write over a file that we did not write.

    Args:
        ours: whether a file is of this kind and ours; for one of another form it may fail.

    Raises:
        InputError: the file is there and somebody else's, or a folder.
    """
    path = Path(path)
    check_output_file(path, [], flag)
    if not path.is_file():
        return
    try:
        known = ours(path)
    except (InputError, ValueError, LookupError, TypeError, AttributeError):  # it is of quite another form
        known = False
    if not known:
        raise InputError(
            f"{flag} {path}: is there, and nothing in it says that this command wrote it: give another name, or move "
            "it away"
        )


def check_output_file(path: str | Path, inputs: Iterable[str | Path | None], flag: str = "--out") -> None:
    """Refuse to write over what is read.

    Args:
        inputs: the files that the output is made from; None and names of nothing on this machine are left out.
        flag: that names the output.

    Raises:
        InputError: the output is one of the inputs, also by another name, or a folder.
    """
    path = Path(path)
    _check_parents(path, flag)
    if path.is_dir():
        raise InputError(f"{flag} {path}: is a folder, expected the name of a file")
    for given in inputs:
        if given is not None and path.exists() and Path(given).exists() and path.samefile(given):
            raise InputError(f"{flag} {path}: is what is read here, and would be replaced: give another name")


def check_output_folder(folder: str | Path, marker: str | None, flag: str = "--out-dir") -> None:
    """Refuse to write into a folder that holds files and does not say that it is ours.

    Args:
        marker: name of a file that each of our folders of this kind holds; None: only a new or empty one will do.
        flag: that names the folder.

    Raises:
        InputError: it is a file, or holds something and no `marker`.
    """
    folder = Path(folder)
    _check_parents(folder, flag)
    if folder.is_file():
        raise InputError(f"{flag} {folder}: is a file, expected a folder")
    if not folder.is_dir() or (marker is not None and (folder / marker).exists()):
        return
    found = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    if found:
        shown = listed(found, 3)
        raise InputError(
            f"{flag} {folder}: is not empty: holds {shown}, which this command did not write, and is left alone: "
            "give a new or an empty folder"
        )


def _check_parents(path: Path, flag: str) -> None:
    """Before the work of minutes: no folder can be made below a file."""
    place = next((parent for parent in path.parents if parent.exists()), path.parent)
    if place.exists() and not place.is_dir():
        raise InputError(f"{flag} {path}: {place} is a file, and no folder: give another place")
