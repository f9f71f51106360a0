"""A folder keeps the paid answers: every one is on disk before the next is asked for in its place.

annotations.jsonl   accepted: id, task, caption, caption_number, reasoning, answer, and what it was made with
rejected.jsonl      the others: id, task, caption, reason, detail, reply, and the same
reasoning_m2t.jsonl, reasoning_t2m.jsonl   made of annotations.jsonl: one line a clip, for prepare.write_cot_jsonl
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dataset.cot.sample import TASKS
from prepare.cot.inputs import reasoning_path
from utils.errors import InputError
from utils.files.journal import Journal
from utils.files.json_files import write_jsonl

Key = tuple[str, str, str]
_KEYS = ("id", "task", "caption")


class AnnotationStore:
    """What `folder` holds. Reading changes nothing; `opened` allows adding.

    Attributes:
        accepted, rejected: rows in the order of their answers.

    Raises:
        InputError: a line that is no row of ours; the last one may be torn by a kill and is then left out.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._annotations, self._rejected = (
            Journal(self.folder / name, "an annotation with id, task and caption", _KEYS, durable=True)
            for name in ("annotations.jsonl", "rejected.jsonl")
        )
        self._load()

    def _load(self) -> None:
        self.accepted, self.rejected = self._annotations.rows(), self._rejected.rows()
        self._accepted_keys = {_key(row) for row in self.accepted}
        self._rejections = Counter(_key(row) for row in self.rejected)

    def times_rejected(self, key: Key) -> int | None:
        """Answers that were rejected for `key`: (id, task, caption); None once one is accepted."""
        return None if key in self._accepted_keys else self._rejections[key]

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Allow adding, in this process alone. Raises InputError while another one works in the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / ".lock", timeout=0):
                self._load()  # another process may have added to it until now
                yield
        except Timeout:
            raise InputError(
                f"another process is writing to {self.folder}: wait for it, or give another --out-dir"
            ) from None

    def accept(self, row: dict[str, Any]) -> None:
        self._annotations.append(row)
        self.accepted.append(row)
        self._accepted_keys.add(_key(row))

    def reject(self, row: dict[str, Any]) -> None:
        self._rejected.append(row)
        self.rejected.append(row)
        self._rejections[_key(row)] += 1

    def write_reasoning(self) -> list[Path]:
        """Make the reasoning files anew; returns those that hold something."""
        written = []
        for task in TASKS:
            path = reasoning_path(self.folder, task)
            if rows := list(reasoning_rows(self.accepted, task)):
                write_jsonl(path, rows)
                written.append(path)
        return written


def reasoning_rows(accepted: Iterable[dict[str, Any]], task: str) -> Iterator[dict[str, Any]]:
    """One row a clip: place i of its list is the reasoning for its caption i.

    A place whose caption has none takes the clip's first, so that whoever deals the list out in the order of captions
    gives every caption its own where it has one.
    """
    clips: dict[str, dict[int, str]] = {}
    for row in accepted:
        if row["task"] == task:
            clips.setdefault(row["id"], {})[row["caption_number"]] = row["reasoning"]
    for id, texts in sorted(clips.items()):
        first = texts[min(texts)]
        yield {"id": id, "task": task, "reasoning": [texts.get(place, first) for place in range(max(texts) + 1)]}


def _key(row: dict[str, Any]) -> Key:
    return row["id"], row["task"], row["caption"]
