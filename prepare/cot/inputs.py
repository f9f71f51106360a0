"""Chain-of-thought data are made of these jsonl files: codes and reasoning, by clip id."""

from collections.abc import Iterator
from pathlib import Path

from utils.errors import InputError
from utils.files.json_files import numbered_rows


def rows_of_clips(path: Path) -> Iterator[tuple[int, dict]]:
    """Yield (line number, object with a string `id`) for every line. Raises InputError with file:line."""
    for number, row in numbered_rows(path):
        if not isinstance(row.get("id"), str):
            raise InputError(f"{path}:{number}: expected an object with a string 'id'")
        yield number, row


def reasoning_path(folder: str | Path, task: str) -> Path:
    """The file in which prepare.generate_cot leaves the reasoning of a task."""
    return Path(folder) / f"reasoning_{task}.jsonl"


def read_reasoning(path: Path) -> dict[str, list[str]]:
    """The reasonings of each clip, by its id. Raises InputError with file:line."""
    found = {}
    for number, row in rows_of_clips(path):
        value = row.get("reasoning")
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
            raise InputError(f"{path}:{number}: 'reasoning' must be a non-empty string or list of them")
        found[row["id"]] = texts
    return found
