"""The replies of an evaluation that is not finished are kept in this file, and read back when it goes on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils.files.journal import Journal


class ReplyFile:
    """Finished replies of an evaluation, which survive its interruption.

    A row holds the number of the query, the draw, text and finished; with Chain-of-Motion also trace and cost.

    Attributes:
        rows: by draw and number of the query.
    """

    def __init__(self, path: Path) -> None:
        kinds = {"draw": int, "query": int, "id": str, "text": str, "finished": bool}
        wanted = "a reply of an interrupted evaluation; delete this line, and that reply is asked for again"
        self._journal = Journal(path, wanted, tuple(kinds), kinds=tuple(kinds.values()))
        self.rows = {(row["draw"], row["query"]): row for row in self._journal.rows()}

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Append finished replies and keep them."""
        self._journal.append(*rows)
        self.rows.update({(row["draw"], row["query"]): row for row in rows})
