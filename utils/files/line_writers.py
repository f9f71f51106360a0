"""Several text files are written line by line at the same time, and all or none of them put in place."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from utils.files.atomic import discard, named, put_in_place, temporary_beside
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
            with suppress(OSError):  # what is in memory still cannot be written; what ended the block is said
                discard(stream, temporary)
            with suppress(OSError):
                stream.close()
        self._open.clear()

    def write(self, key: str, line: str) -> None:
        """Add a line, given without its end. Raises OSError that names the file that the line belongs to."""
        if key not in self._open:
            handle, temporary = temporary_beside(self._path_of(key))
            self._open[key] = Path(temporary), os.fdopen(handle, "wb")
        try:
            self._open[key][1].write(encoded(line) + b"\n")
        except OSError as error:
            raise named(error, self._path_of(key)) from error

    def finish(self) -> dict[str, Path]:
        """Put every file in place; their paths by key, in the order in which they were begun.

        Raises:
            OSError: that names the file; none, or those before it, are in place.
        """
        paths = {key: self._path_of(key) for key in self._open}
        for key, (_, stream) in self._open.items():  # all are on the disk before the first is in place
            try:
                stream.flush()
                os.fsync(stream.fileno())
            except OSError as error:
                raise named(error, paths[key]) from error
        for key, path in paths.items():
            temporary, stream = self._open[key]
            try:
                put_in_place(stream, temporary, path)
            except OSError as error:
                raise named(error, path) from error
            del self._open[key]
            stream.close()
        return paths
