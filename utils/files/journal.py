"""A journal is a .jsonl that grows line by line while a command works, and survives that the command is killed."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from utils.errors import InputError
from utils.files.atomic import named
from utils.files.json_files import json_line, parse_object, write_jsonl
from utils.files.text_files import encoded


@dataclass(frozen=True)
class Journal:
    """Rows in a file, one line each. A kill may tear the last line; such a line is no row, and no row is glued to it.
    A last line that lacks only its line break is a row.

    Nothing is held in memory: every method looks at the file as it is now. Only one process may append.

    Attributes:
        path: of the file; it and its folder are made by the first row.
        row: what each line must be, for the message about one that is not, for example "a reply; delete the file".
            None: such lines are left out, because whoever writes the rows can write them again.
        keys: names that every row has.
        kinds: of what each key holds, where that matters; True and False are no numbers.
        durable: rows are on the disk when `append` returns, for rows that have been paid for.
    """

    path: Path
    row: str | None = None
    keys: tuple[str, ...] = ()
    durable: bool = False
    kinds: tuple[type, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """All rows, none of a file that does not exist; reading changes nothing.

        Raises:
            InputError: (with ``file:line``) a line that is no row of this journal.
        """
        return list(self._rows())

    def append(self, *rows: dict[str, Any]) -> None:
        """Add rows, and cut off what a kill has left of the last line."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as stream:
                _mend_last_line(stream)
                stream.write(encoded("".join(map(json_line, rows))))
                if self.durable:
                    stream.flush()
                    os.fsync(stream.fileno())
        except OSError as error:
            raise named(error, self.path) from error

    def replace(self, rows: Iterable[dict[str, Any]]) -> None:
        """Hold these rows and no others; a kill leaves the old ones or the new ones."""
        write_jsonl(self.path, rows)

    def forget_after(self, step: int) -> None:
        """Drop rows of a ``step`` beyond `step`: a run that continues from there writes them again."""
        if self.path.is_file():
            kept = ((row, row.get("step", 0)) for row in self._rows())
            self.replace([row for row, own in kept if isinstance(own, (int, float)) and own <= step])

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def _rows(self) -> Iterator[dict[str, Any]]:
        if not self.path.is_file():
            return
        *whole, last = self.path.read_bytes().split(b"\n")
        for number, line in enumerate([*whole, *([] if _is_torn(last) else [last])], start=1):
            try:
                row = parse_object(line, str(self.path))
                if not row.keys() >= set(self.keys):
                    raise InputError("it lacks a key")
                if any(type(row[key]) is not kind for key, kind in zip(self.keys, self.kinds, strict=False)):
                    raise InputError("it holds something else")
            except InputError:
                if self.row is None:
                    continue
                raise InputError(f"{self.path}:{number}: not {self.row}") from None
            yield row


def _is_torn(line: bytes) -> bool:
    """Whether bytes without a line break are no object: no beginning of an object is one itself."""
    try:
        parse_object(line, "")
    except InputError:
        return True
    return False


def _mend_last_line(stream: BinaryIO) -> None:
    """End the last line of a file that is open for reading and appending, or cut it off where it is torn."""
    size = stream.seek(0, os.SEEK_END)
    if size == 0:
        return
    stream.seek(-1, os.SEEK_END)
    if stream.read(1) == b"\n":
        return
    stream.seek(0)
    content = stream.read()
    start = content.rfind(b"\n") + 1
    if _is_torn(content[start:]):
        stream.truncate(start)
    else:
        stream.write(b"\n")
