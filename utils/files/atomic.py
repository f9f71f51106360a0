"""These functions write a file whole or not at all: neither a crash nor a full disk leaves half of one.

The names of unfinished files are given, and told from those of others, here alone.
"""

import errno
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, BinaryIO

from utils.files.text_files import encoded

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_TOGETHER = ContextVar("files of many go to the disk together", default=False)

# What an unfinished file has behind its name to be; with eight letters where another process has the plain one.
_UNFINISHED = r"\.new(-[a-z0-9_]{8})?\.tmp"
# Why a temporary file cannot be taken over: it is somebody else's, or no file.
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.EISDIR)


def write_atomic(path: str | Path, write: Callable[[BinaryIO], None]) -> None:
    """Call `write` on a temporary file beside `path`, fsync it, then rename it over `path`.

    Raises:
        OSError: that names `path`; what was there before is there still. `utils.run.command` says it in one line.
    """
    path = Path(path)
    handle, temporary = temporary_beside(path)
    try:
        with os.fdopen(handle, "wb") as stream:
            try:
                _write_through(write, stream)
                put_in_place(stream, temporary, path)
            except BaseException:
                discard(stream, temporary)
                raise
    except OSError as error:
        raise named(error, path) from error


def write_text(path: str | Path, text: str) -> None:
    write_atomic(path, lambda stream: stream.write(encoded(text)))


@contextmanager
def synced_together() -> Iterator[None]:
    """Files that are written in here go to the disk together at its end, which is many times as fast for small ones.

    A killed process leaves each of them whole or not at all, as ever; after a power cut before the end any of them may
    be damaged. So this is for files that are all made anew unless something written after the end says that they are
    there.
    """
    if not hasattr(os, "sync"):  # Windows
        yield
        return
    before = _TOGETHER.set(True)
    try:
        yield
    finally:
        _TOGETHER.reset(before)
    os.sync()


def remove_unfinished(folder: str | Path) -> None:
    """Delete what `write_atomic` left in `folder` when its process was killed. Nobody may be writing there.

    What is a folder, or a link, or has another name is somebody else's, and stays.
    """
    for path in Path(folder).glob(".*.tmp"):
        if is_unfinished(path.name) and path.is_file() and not path.is_symlink():
            path.unlink(missing_ok=True)


def unfinished_name(name: str) -> str:
    """What a file or folder `name` is called, in the same folder, while it is written."""
    return f".{_stem(name)}.new.tmp"


def is_unfinished(name: str, of: str = ".+") -> bool:
    """Whether this is what a file is called while it is written, whose own name matches `of`."""
    return re.fullmatch(rf"\.(?:{of}){_UNFINISHED}", name, re.DOTALL) is not None


def _stem(name: str) -> str:
    # Bytes are what a name may have 255 of.
    return name.encode("utf-8", "ignore")[:80].decode("utf-8", "ignore")


def temporary_beside(path: Path) -> tuple[int, str]:
    """(handle, name) of an empty file in the folder of `path`, which is made; no other process writes to it.

    Its name follows from that of `path`, so that what a killed process left of a file is used by the next one that
    writes it, and nothing is left for ever. Where another process is writing `path` now, it is a name of its own.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / unfinished_name(path.name)
        handle = _alone_in(temporary)
        if handle is not None:
            return handle, str(temporary)
        return tempfile.mkstemp(dir=path.parent, prefix=f".{_stem(path.name)}.new-", suffix=".tmp")
    except OSError as error:
        raise named(error, path) from error


def put_in_place(stream: BinaryIO, temporary: str | Path, path: Path) -> None:
    """Bring a finished temporary file to the disk and rename it over `path`. Afterwards the stream may be closed."""
    stream.flush()
    if not _TOGETHER.get():
        os.fsync(stream.fileno())
    if fcntl is None:
        stream.close()  # Windows renames no open file; elsewhere it is locked until it is closed
    os.chmod(temporary, 0o644)  # as made it is 0600, which would surprise whoever shares the folder
    os.replace(temporary, path)


def discard(stream: BinaryIO, temporary: str | Path) -> None:
    """Delete a temporary file that will not be put in place. Afterwards the stream may be closed."""
    if fcntl is None:
        stream.close()
    Path(temporary).unlink(missing_ok=True)


def _alone_in(temporary: Path) -> int | None:
    """The handle of a file that is made, or was left by a killed process, emptied; None where it cannot be had."""
    if fcntl is None:
        return None
    while True:
        try:
            handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            if error.errno in _NOT_OURS:
                return None
            raise
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_current = os.path.samestat(os.fstat(handle), os.stat(temporary))
        except FileNotFoundError:
            is_current = False
        except BlockingIOError:  # somebody is writing it
            os.close(handle)
            return None
        except OSError:  # a file system without locks
            temporary.unlink(missing_ok=True)
            os.close(handle)
            return None
        if is_current:
            os.ftruncate(handle, 0)
            return handle
        os.close(handle)  # its writer has just put it in place


def named(error: OSError, path: Path) -> OSError:
    """The error with the name of the file that was to be written: that of the system knows a temporary one, or none."""
    return OSError(error.errno, error.strerror or str(error), str(path))


def _write_through(write: Callable[[BinaryIO], None], stream: BinaryIO) -> None:
    """Let `write` write; what the system refused is raised even where `write` makes another exception of it."""
    watched = _Watched(stream)
    try:
        write(watched)
    except Exception:
        if watched.refused is not None:
            raise watched.refused from None
        raise


class _Watched:
    """A stream that remembers what the system refused: torch makes a RuntimeError about positions of a full disk."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.refused: OSError | None = None

    def write(self, content: Any) -> int:
        try:
            return self._stream.write(content)
        except OSError as error:
            self.refused = error
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
