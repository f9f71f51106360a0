"""An asset is installed: fetched aside, verified, then moved into its folder; nothing that is there is replaced.

Everything is fetched and unpacked in DEST/.downloads/NAME, on the disk of the target, so that moving in is a rename.
That folder survives a failure, for the next try, and is removed when the asset is complete.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from prepare.assets.archives import DiskFull, check_archive, unpack
from prepare.assets.catalogue import Asset
from prepare.assets.fetch import SourceUnavailable, fetch_archive, fetch_from_drive
from prepare.assets.state import receipt_path, write_receipt
from utils.errors import InputError
from utils.files.fingerprints import sha256_file
from utils.files.manifest import ListedFile, differences, list_files
from utils.wording import listed

STAGING_FOLDER = ".downloads"
_DEPTH = 3  # levels of an archive at which the asset's own folder is looked for
Source = Literal["auto", "hub", "drive"]


@dataclass(frozen=True)
class Wish:
    """What the user wants as the source: one of them, or an own archive (a file or an address) with its SHA-256."""

    source: Source = "auto"
    archive: str | None = None
    sha256: str | None = None


def install(asset: Asset, dest: Path, wish: Wish) -> list[ListedFile]:
    """Bring an asset into `dest` and return the files of its receipt.

    Raises InputError where the asset cannot be fetched, does not verify, or does not fit on the disk, and where other
    files are in its place.
    """
    staging, target = dest / STAGING_FOLDER / asset.name, asset.target(dest)
    try:
        staging.mkdir(parents=True, exist_ok=True)
        with _alone(staging):
            root, paths, origin = _fetch(asset, staging, wish)
            brought = _move_in(root, paths, target)
            files = write_receipt(asset, target, brought, origin)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(
                f"the disk of {dest} is full: make room, or give --dest on another one; what was downloaded is kept in "
                f"{staging}"
            ) from None
        raise InputError(f"{error.filename or dest}: {error.strerror or error}") from None
    tidy(asset, dest)
    return files


def is_begun(asset: Asset, dest: Path) -> bool:
    """Whether a download was killed before it wrote its receipt, perhaps when all of its files were in place."""
    return (dest / STAGING_FOLDER / asset.name).is_dir() and not receipt_path(asset, asset.target(dest)).is_file()


def tidy(asset: Asset, dest: Path) -> None:
    """Remove what was downloaded of an asset that is complete: a kill after its last file was in place leaves it."""
    staging = dest / STAGING_FOLDER / asset.name
    shutil.rmtree(staging, ignore_errors=True)
    with contextlib.suppress(OSError):  # fails while other downloads use the folder
        (staging.parent / f"{asset.name}.lock").unlink()
        staging.parent.rmdir()


@contextlib.contextmanager
def _alone(staging: Path) -> Iterator[None]:
    lock = FileLock(staging.parent / f"{staging.name}.lock", timeout=0)
    try:
        with lock:
            yield
    except Timeout:
        raise InputError(f"another download works in {staging}: wait for it to end") from None


def _fetch(asset: Asset, staging: Path, wish: Wish) -> tuple[Path, list[str], str]:
    """The verified asset: its folder, the paths of its files below that, and where they come from."""
    if wish.archive is not None:
        name = asset.drive.archive if asset.drive else f"{asset.name}.zip"
        return _from_archive(asset, fetch_archive(wish.archive, name, staging), staging, wish.archive, wish.sha256)
    if wish.source != "drive" and asset.hub is not None:
        from prepare.assets.hub import fetch_from_hub

        try:
            return fetch_from_hub(asset.hub, staging / "hub")
        except SourceUnavailable as error:
            if wish.source == "hub" or asset.drive is None:
                raise
            print(f"{asset.name}: {error}\n{asset.name}: so it is fetched from Google Drive")
    if wish.source == "hub" or asset.drive is None:
        raise InputError(f"there is no --source {wish.source} of it")
    sha256 = wish.sha256 or asset.drive.sha256
    return _from_archive(asset, fetch_from_drive(asset.drive, staging), staging, asset.drive.url, sha256)


def _from_archive(
    asset: Asset, archive: Path, staging: Path, origin: str, sha256: str | None
) -> tuple[Path, list[str], str]:
    try:
        found = _verified(asset, archive, sha256)
        unpacked = staging / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)  # an earlier try may have unpacked half of it
        unpack(archive, unpacked)
    except DiskFull:
        raise
    except InputError:
        if archive.parent == staging:
            archive.unlink()  # the next try fetches it anew
        raise
    root = _root_in(unpacked, asset)
    paths = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    return root, paths, f"{origin}, SHA-256 {found}"


def _verified(asset: Asset, archive: Path, sha256: str | None) -> str:
    size = archive.stat().st_size
    known = asset.drive.size if asset.drive else None
    if known is not None and size != known:
        raise InputError(f"{archive}: {size} bytes, expected {known}")
    check_archive(archive)
    found = sha256_file(archive)
    if sha256 is not None and found != sha256.lower():
        raise InputError(f"{archive}: SHA-256 {found}, expected {sha256.lower()}")
    return found


def _root_in(unpacked: Path, asset: Asset) -> Path:
    """The topmost folder that is a complete asset: archives hold it under a name of their own."""
    level = [unpacked]
    for _ in range(_DEPTH):
        for folder in level:
            if asset.is_complete(folder):
                return folder
        level = [child for folder in level for child in sorted(folder.iterdir()) if child.is_dir()]
    names = sorted(path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file())
    raise InputError(f"the archive does not hold what is needed; it holds {listed(names) or 'no file'}")


def _move_in(root: Path, paths: list[str], target: Path) -> list[str]:
    """Move files into place by renaming. A file that is there already stays; with other content it is an InputError."""
    there = [path for path in paths if (target / path).exists()]
    other = differences(target, list_files(root, there))
    if other:
        raise InputError(
            f"{target} holds other files of these names ({listed(other, between='; ')}): move them away, or give "
            "--dest (nothing was changed)"
        )
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        if path not in there:
            os.replace(root / path, target / path)
    return paths
