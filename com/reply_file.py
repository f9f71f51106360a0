"""The replies of an evaluation that is not finished are kept in files, and read back when it goes on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils.errors import InputError
from utils.files.journal import Journal


class ReplyFile:
    """Finished replies of an evaluation, which survive its interruption.

    A row holds the number of the query, the draw, text and finished; with Chain-of-Motion also trace and cost.

    Several processes that share the queries have a file each. All files are read, so nothing is asked again where the
    next command has another number of processes.

    Args:
        path: of the file where one process works alone.
        part: of the work that this process does, such as ``2-of-8``; its file is ``replies-2-of-8.part.jsonl`` where
            `path` is ``replies.part.jsonl``.
        decoding: how this process draws replies, as signatures say it; rows keep it. None: nobody knows.

    Attributes:
        rows: by draw and number of the query.
    """

    def __init__(self, path: Path, part: str = "", decoding: str | None = None) -> None:
        self._path = path
        self._decoding = decoding
        self._own = _journal(_named(path, f"-{part}" if part else ""))
        self.rows: dict[tuple[int, int], dict[str, Any]] = {}
        self.read()

    def read(self) -> None:
        """Read what all processes have written up to now."""
        for file in parts_of(self._path):
            self.rows.update({(row["draw"], row["query"]): row for row in _journal(file).rows()})

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Append finished replies and keep them; a copy of an earlier one is drawn as that was."""
        if self._decoding is not None:
            rows = [{"decoding": self._decoding, **row} for row in rows]
        self._own.append(*rows)
        self.rows.update({(row["draw"], row["query"]): row for row in rows})

    def drawn_as(self, more: bool = False) -> str | None:
        """How all replies were drawn: what a signature may say of them. Rows of earlier versions do not tell.

        Args:
            more: this process is going to add some.

        Raises:
            InputError: they are not, or would not be, drawn alike: on another device, or by another engine.
        """
        ways = {way for row in self.rows.values() if isinstance(way := row.get("decoding"), str)}
        if more or not ways:
            ways |= {self._decoding} - {None}
        if len(ways) > 1:
            raise InputError(
                f"{self._path}: not all replies are drawn alike ({' and '.join(sorted(ways))}): go on as the "
                "evaluation was begun (--device, --precision, --engine), or use another --exp-name"
            )
        return next(iter(ways), None)


def parts_of(path: Path) -> list[Path]:
    """The files of all processes that keep replies at `path`; what one process alone has kept comes first."""
    return [*([path] if path.is_file() else []), *sorted(path.parent.glob(_named(path, "-*-of-*").name))]


def _named(path: Path, part: str) -> Path:
    name, _, rest = path.name.partition(".")
    return path.with_name(f"{name}{part}.{rest}")


def _journal(path: Path) -> Journal:
    kinds = {"draw": int, "query": int, "id": str, "text": str, "finished": bool}
    wanted = "a reply of an interrupted evaluation; delete this line, and that reply is asked for again"
    return Journal(path, wanted, tuple(kinds), kinds=tuple(kinds.values()))
