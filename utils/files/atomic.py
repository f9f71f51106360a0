"""These functions write a file whole or not at all: neither a crash nor a full disk leaves half of one."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from utils.files.text_files import encoded


def write_atomic(path: str | Path, write: Callable[[BinaryIO], None]) -> None:
    """Call `write` on a temporary file beside `path`, fsync it, then rename it over `path`.

    Raises:
        OSError: that names `path`; what was there before is there still. `utils.run.command` says it in one line.
    """
    path = Path(path)
    handle, temporary = temporary_beside(path)
    try:
        with os.fdopen(handle, "wb") as stream:
            _write_through(write, stream)
            stream.flush()
            os.fsync(stream.fileno())
        put_in_place(temporary, path)
    except OSError as error:
        raise named(error, path) from error
    finally:
        Path(temporary).unlink(missing_ok=True)  # gone already when the rename was reached


def write_text(path: str | Path, text: str) -> None:
    write_atomic(path, lambda stream: stream.write(encoded(text)))


def remove_unfinished(folder: str | Path) -> None:
    """Delete what `write_atomic` left in `folder` when its process was killed. Nobody may be writing there."""
    for path in Path(folder).glob(".*.tmp"):
        path.unlink(missing_ok=True)


def temporary_beside(path: Path) -> tuple[int, str]:
    """(handle, name) of a new file in the folder of `path`, which is made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Bytes are what a name may have 255 of.
        stem = path.name.encode("utf-8", "ignore")[:80].decode("utf-8", "ignore")
        return tempfile.mkstemp(dir=path.parent, prefix=f".{stem}.", suffix=".tmp")
    except OSError as error:
        raise named(error, path) from error


def put_in_place(temporary: str | Path, path: Path) -> None:
    """Rename a finished temporary file over `path`."""
    os.chmod(temporary, 0o644)  # mkstemp makes 0600, which would surprise whoever shares the folder
    os.replace(temporary, path)


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
