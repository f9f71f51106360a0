"""Downloaded archives are tested, and unpacked only if nothing in them can leave its folder."""

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from utils.errors import InputError
from utils.files.manifest import relative_path

_ENCRYPTED = 0x1
# Zeros shrink a thousandfold, weights and motions a few times: what grows to more than this, and is not small, was made
# to fill a disk.
_MOST_GROWTH, _SMALL = 100, 1 << 28
_LONGEST_NAME, _SHOWN = 1000, 60
_NOISE = ("__MACOSX", ".DS_Store")  # left out
# What zipfile raises for damaged or unknown contents.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError)


class DiskFull(InputError):
    """The disk has no room for files that are good themselves."""


def check_archive(path: Path) -> None:
    """Read every member and compare its checksum.

    Raises:
        InputError: a file that is no whole zip archive, or one that `unpack` refuses.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _checked_members(archive, path)
            bad = archive.testzip()
    except _DAMAGED as error:
        raise InputError(f"{path}: {_why_no_archive(path)} ({error})") from None
    if bad is not None:
        raise InputError(f"{path}: damaged: {bad} does not have its checksum")


def _why_no_archive(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(512).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html")):
        return "a web page, not an archive: the server refused the download (often: too many downloads today)"
    if start.startswith(b"pk\x03\x04"):
        return "a truncated or damaged zip archive"
    return "not a zip archive"


def unpack(path: Path, folder: Path) -> None:
    """Unpack a zip archive into `folder`, regular files only.

    Raises InputError, before anything is written, where a member is an absolute path, leads out of the folder, is a
    link or a device, is encrypted, or is in the archive twice; where the archive grows as none of data does; and where
    the disk has too little room for all members.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _checked_members(archive, path)
            _check_room(sum(info.file_size for info, _ in members), folder)
            for info, name in members:
                place = folder / name
                place.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(info) as source, place.open("wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
    except _DAMAGED as error:
        raise InputError(f"{path}: {_why_no_archive(path)} ({error})") from None


def _checked_members(archive: zipfile.ZipFile, path: Path) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    members, seen = [], set()
    size = sum(info.file_size for info in archive.infolist())
    if size > max(_SMALL, _MOST_GROWTH * path.stat().st_size):
        raise InputError(
            f"{path}: refused: {path.stat().st_size} bytes would unpack to {size}, which no data does (nothing was "
            "unpacked)"
        )
    for info in archive.infolist():
        if len(info.orig_filename) > _LONGEST_NAME:
            shown = f"{info.orig_filename[:_SHOWN]!r}..."
            raise InputError(f"{path}: refused: the name {shown} is too long (nothing was unpacked)")
        try:
            # The name as stored is checked too: `filename` is cut at a NUL and has this system's separators.
            relative_path(info.orig_filename)
            name = relative_path(info.filename)
        except ValueError as error:
            raise InputError(f"{path}: refused: {error} (nothing was unpacked)") from None
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InputError(f"{path}: refused: {info.filename!r} is a link or a device (nothing was unpacked)")
        if info.flag_bits & _ENCRYPTED:
            raise InputError(f"{path}: refused: {info.filename!r} is encrypted (nothing was unpacked)")
        if info.is_dir() or any(part in _NOISE for part in name.parts):
            continue
        if (key := str(name).casefold()) in seen:
            raise InputError(f"{path}: refused: {info.filename!r} is in it twice (nothing was unpacked)")
        seen.add(key)
        members.append((info, name))
    return members


def _check_room(needed: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(folder).free) < needed:
        raise DiskFull(f"{folder}: the disk is full: unpacking needs {needed} bytes, {free} are free")
