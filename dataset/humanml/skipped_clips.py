"""The clips that a reader skips are counted by reason in one line and named in full in a file."""

import contextlib
from pathlib import Path

from utils.files.atomic import write_text

_NAMED_PER_REASON = 5  # ids that stand in the line itself


class SkippedClips:
    """Collects ids with a reason each; the same id may come with several."""

    def __init__(self) -> None:
        self._by_reason: dict[str, list[tuple[str, str]]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_reason)

    def add(self, reason: str, id: str, detail: str = "") -> None:
        """Count `id` under `reason`; `detail` belongs to this id alone, such as the number of a line."""
        self._by_reason.setdefault(reason, []).append((id, detail))

    def report(self, list_path: Path) -> str:
        """``reason: count (first ids); ...``.

        When the line leaves ids out, all of them go to `list_path`, a line each of id and reason with a tab between,
        and the report names that file if it could be written. Otherwise the list of an earlier reading is removed.
        """
        parts = [_in_words(reason, entries) for reason, entries in self._by_reason.items()]
        if any(len(entries) > _NAMED_PER_REASON for entries in self._by_reason.values()):
            with contextlib.suppress(OSError):
                write_text(list_path, self._full_list())
                parts.append(f"all of them in {list_path}")
        else:
            with contextlib.suppress(OSError):
                list_path.unlink(missing_ok=True)
        return "; ".join(parts)

    def _full_list(self) -> str:
        lines = []
        for reason, entries in self._by_reason.items():
            lines += [f"{id}\t{reason}{f': {detail}' if detail else ''}\n" for id, detail in entries]
        return "".join(lines)


def _in_words(reason: str, entries: list[tuple[str, str]]) -> str:
    named = [f"{id} {detail}".rstrip() for id, detail in entries[:_NAMED_PER_REASON]]
    more = ["..."] if len(entries) > _NAMED_PER_REASON else []
    return f"{reason}: {len(entries)} ({', '.join(named + more)})"
