"""One process at a time works in a folder, or writes a file.

A second one is told who is there, instead of undoing the first one's work. The system drops the lock when its process
ends, however it ends; no lock is left behind by a kill.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from utils.errors import InputError
from utils.files.atomic import named

try:
    import fcntl
except ImportError:  # Windows: there is no lock, as before there was one
    fcntl = None

LOCK_FILE = ".lock"
_LONGEST = 60  # characters of a file's name within that of its lock


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Work alone in `folder` for the length of the block.

    The folder is made; one that is empty at the end is removed again.

    Raises:
        InputError: another process works there; its id and machine are named.
        OSError: the folder cannot be made or written to.
    """
    with _held(Path(folder) / LOCK_FILE, str(folder), "is working here", "another folder"):
        yield


@contextmanager
def locked_part(folder: str | Path, part: str) -> Iterator[None]:
    """Work in `folder` beside others that do other parts, for the length of the block; nobody works there `locked`.

    Args:
        part: names what this process does; two processes cannot do the same.

    Raises:
        InputError: another process does this part, or works here alone; its id and machine are named.
        OSError: the folder cannot be made or written to.
    """
    folder = Path(folder)
    with (
        _held(folder / LOCK_FILE, str(folder), "is working here", "another folder", shared=True),
        _held(folder / f".{part}{LOCK_FILE}", f"{folder}, {part}", "is doing this", "another part"),
    ):
        yield


@contextmanager
def locked_output(path: str | Path) -> Iterator[None]:
    """Write one file alone for the length of the block; others may write other files of its folder.

    Raises:
        InputError: another process writes it; its id and machine are named.
        OSError: its folder cannot be made or written to.
    """
    path = Path(path)
    name = f".{path.name[:_LONGEST]}{LOCK_FILE}"
    with _held(path.with_name(name), str(path), "is writing it", "another file"):
        yield


@contextmanager
def _held(lock: Path, place: str, doing: str, instead: str, shared: bool = False) -> Iterator[None]:
    if fcntl is None:
        yield
        return
    made = _make(lock.parent)
    try:
        handle = _take(lock, place, doing, instead, shared)
        try:
            yield
        finally:
            if shared:  # others may hold it still; who works here alone removes it
                os.close(handle)
            else:
                _leave(lock, handle)
    finally:
        for folder in made:
            try:
                folder.rmdir()
            except OSError:  # it holds something, or has been renamed
                break


def _leave(lock: Path, handle: int) -> None:
    """Give a lock up. What stands under its name may be another one by now, where the folder was moved away."""
    if _is_current(handle, lock):
        lock.unlink(missing_ok=True)
    os.close(handle)


def _is_current(handle: int, path: Path) -> bool:
    """Whether an open file is the one that stands under its name."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _make(folder: Path) -> list[Path]:
    """Make a folder; what had to be made, the innermost first."""
    if folder.is_file():
        raise InputError(f"{folder}: is a file, expected a folder: give another place")
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError:  # in /proc and the like
        raise InputError(f"{folder}: no folder can be made there: give another place") from None
    except OSError as error:
        raise named(error, folder) from error
    return missing


def _take(path: Path, place: str, doing: str, instead: str, shared: bool) -> int:
    """The handle that holds the lock; `shared`: with others that share it."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise named(error, path) from error
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(handle, 200).decode("utf-8", "replace").strip()
            os.close(handle)
            said = f"{place}: {owner or 'another process'} {doing}"
            raise InputError(f"{said}: wait for it, end it, or use {instead}") from None
        except OSError:  # a file system without locks
            return handle
        if _is_current(handle, path):
            break
        os.close(handle)  # of a file that its owner has just removed
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    except OSError as error:  # a full disk
        _leave(path, handle)
        raise named(error, path) from error
    return handle
