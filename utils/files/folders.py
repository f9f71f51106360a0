"""A folder of files that belong together is written whole or not at all."""

import filecmp
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from utils.errors import InputError
from utils.files.atomic import named, put_in_place, unfinished_name
from utils.files.lock import LOCK_FILE, locked


def write_folder(
    folder: str | Path, write: Callable[[Path], None], may_replace: bool = True, last: str | None = None
) -> None:
    """Call `write` on a new folder; what it made goes into `folder` when all of it is there, each file as a whole.

    A folder that is not there yet appears at once. In one that is, files go in one by one, and files of other names
    stay. What a killed process left is cleared away by the next one.

    Args:
        last: name of the file that says that all are there: it goes in behind all others.
        may_replace: a file of the same name is replaced. Otherwise one of another content is refused.

    Raises:
        InputError: a file of another content is there, and may not be replaced, or another process is writing there;
            nothing was changed.
        OSError: that names `folder`.
    """
    folder = Path(folder)
    # Inside of what is there, which may be a disk of its own: a file cannot be renamed onto another disk.
    place = folder if folder.is_dir() else folder.parent
    temporary = place / unfinished_name(folder.name)
    try:
        with locked(temporary):
            try:
                _clear(temporary)
                write(temporary)
                _move(temporary, folder, may_replace, last)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise named(error, folder) from error


def _move(temporary: Path, folder: Path, may_replace: bool, last: str | None) -> None:
    files = [path for path in temporary.rglob("*") if path.is_file() and path.name != LOCK_FILE]
    files.sort(key=lambda path: (path == temporary / (last or ""), path.stat().st_mtime_ns))
    targets = [(file, folder / file.relative_to(temporary)) for file in files]
    for file, target in targets:
        if not may_replace and target.exists() and not filecmp.cmp(file, target, shallow=False):
            raise InputError(f"{target}: is another file than the one to be written (nothing was changed)")
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
    if not folder.exists():
        for file in files:
            os.chmod(file, 0o644)
        (temporary / LOCK_FILE).unlink(missing_ok=True)
        os.rename(temporary, folder)
        return
    for file, target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as stream:
            put_in_place(stream, file, target)


def _clear(temporary: Path) -> None:
    for path in temporary.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK_FILE:
            path.unlink()
