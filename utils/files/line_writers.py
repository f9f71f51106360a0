"""Several text files are written line by line at the same time, and all or none of them put in place."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from utils.files.atomic import discard, put_in_place, temporary_beside
from utils.files.text_files import encoded


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
            discard(stream, temporary)
            stream.close()
        self._open.clear()

    def write(self, key: str, line: str) -> None:
        """Add a line, given without its end."""
        if key not in self._open:
            handle, temporary = temporary_beside(self._path_of(key))
            self._open[key] = Path(temporary), os.fdopen(handle, "wb")
        self._open[key][1].write(encoded(line) + b"\n")

    def finish(self) -> dict[str, Path]:
        """Put every file in place; their paths by key, in the order in which they were begun."""
        for _, stream in self._open.values():  # all are on the disk before the first is in place
            stream.flush()
            os.fsync(stream.fileno())
        paths = {}
        for key in list(self._open):
            temporary, stream = self._open[key]
            paths[key] = self._path_of(key)
            put_in_place(stream, temporary, paths[key])
            del self._open[key]
            stream.close()
        return paths
