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
        self._journal = Journal(path, "a reply of an interrupted evaluation; delete the file", ("draw", "query"))
        self.rows = {(row["draw"], row["query"]): row for row in self._journal.rows()}

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Append finished replies and keep them."""
        self._journal.append(*rows)
        self.rows.update({(row["draw"], row["query"]): row for row in rows})
