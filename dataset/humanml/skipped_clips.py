"""What a reader could not use: counted by reason in one line, named in full in a file."""

import contextlib
from pathlib import Path

from utils.files.atomic import write_text

_NAMED_PER_REASON = 5


class SkippedClips:
    """Collects ids with a reason each; the same id may come with several."""

    def __init__(self) -> None:
        self._by_reason: dict[str, list[tuple[str, str]]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_reason)

    def add(self, reason: str, id: str, detail: str = "") -> None:
        """Count `id` under `reason`; `detail` is what only this one has, such as a line number."""
        self._by_reason.setdefault(reason, []).append((id, detail))

    def report(self, list_path: Path) -> str:
        """``reason: count (first ids); ...``.

        When ids are left out, all go to `list_path`, a line each of id and reason with a tab between, and the report
        names that file; where it cannot be written, it does not. Otherwise a list of an earlier reading is removed.
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
