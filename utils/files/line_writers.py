"""Several text files are written line by line at the same time, and all or none of them put in place."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


class LineWriters:
    """Opens a temporary file beside the target of every key that is written to; `finish` renames them.

    A context: what is not finished when it ends is deleted, so that nobody takes a part for the whole.

    Args:
        path_of: where the lines of a key belong.
    """

    def __init__(self, path_of: Callable[[str], Path]) -> None:
        self._path_of = path_of
        self._open: dict[str, tuple[Path, BinaryIO]] = {}

    def __enter__(self) -> "LineWriters":
        return self

    def __exit__(self, *_: object) -> None:
        for temporary, stream in self._open.values():
            stream.close()
            temporary.unlink(missing_ok=True)
        self._open.clear()

    def write(self, key: str, line: str) -> None:
        """Add a line, given without its end."""
        if key not in self._open:
            path = self._path_of(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
            self._open[key] = Path(temporary), os.fdopen(handle, "wb")
        self._open[key][1].write(line.encode("utf-8") + b"\n")

    def finish(self) -> dict[str, Path]:
        """Put every file in place; their paths by key, in the order in which they were begun."""
        for _, stream in self._open.values():
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
        paths = {}
        for key, (temporary, _) in self._open.items():
            paths[key] = self._path_of(key)
            os.chmod(temporary, 0o644)  # mkstemp makes 0600
            os.replace(temporary, paths[key])
        self._open.clear()
        return paths
