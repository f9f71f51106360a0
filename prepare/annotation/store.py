"""A folder keeps the paid answers: every one is on disk before the next is asked for in its place.

annotations.jsonl   accepted: id, task, caption, caption_number, reasoning, answer, and what it was made with
rejected.jsonl      the others: id, task, caption, reason, detail, reply, and the same
reasoning_m2t.jsonl, reasoning_t2m.jsonl   made of annotations.jsonl: id, task, caption and reasoning, for
                    prepare.write_cot_jsonl, which finds a caption by its text
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataset.cot.sample import TASKS
from prepare.cot.inputs import ANNOTATIONS_FILE, reasoning_path
from utils.errors import InputError
from utils.files.journal import Journal
from utils.files.json_files import write_jsonl
from utils.files.lock import locked

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
            for name in (ANNOTATIONS_FILE, "rejected.jsonl")
        )
        self._load()

    def _load(self) -> None:
        self.accepted, self.rejected = self._annotations.rows(), self._rejected.rows()
        _check(self._annotations.path, self.accepted, (*_KEYS, "reasoning"))
        _check(self._rejected.path, self.rejected, _KEYS)
        self._accepted_keys = {_key(row) for row in self.accepted}
        self._rejections = Counter(_key(row) for row in self.rejected)

    def times_rejected(self, key: Key) -> int | None:
        """Answers that were rejected for `key`: (id, task, caption); None once one is accepted."""
        return None if key in self._accepted_keys else self._rejections[key]

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Allow adding, in this process alone. Raises InputError while another one works in the folder."""
        with locked(self.folder):
            self._load()  # another process may have added to it until now
            self._check_reasoning()
            yield

    def _check_reasoning(self) -> None:
        """Refuse reasoning that was not made of our annotations: it would be replaced by what is."""
        for path in (reasoning_path(self.folder, task) for task in TASKS):
            if path.exists() and not self.accepted:
                raise InputError(
                    f"--out-dir {self.folder}: holds {path.name}, which this command did not write, and is left alone: "
                    "give a new or an empty folder"
                )

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
    """One row a caption, those of a clip one after the other."""
    rows = sorted((row for row in accepted if row["task"] == task), key=lambda row: (row["id"], row["caption_number"]))
    for row in rows:
        yield {"id": row["id"], "task": task, "caption": row["caption"], "reasoning": row["reasoning"]}


def _check(path: Path, rows: Iterable[dict[str, Any]], texts: Sequence[str]) -> None:
    """Raise InputError where a row is not what this command writes."""
    for number, row in enumerate(rows, start=1):
        if not all(isinstance(row.get(name), str) for name in texts) or type(row.get("caption_number")) is not int:
            raise InputError(f"{path}:{number}: not an annotation of prepare.generate_cot ({', '.join(texts)})")


def _key(row: dict[str, Any]) -> Key:
    return row["id"], row["task"], row["caption"]
