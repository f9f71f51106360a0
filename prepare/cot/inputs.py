"""Chain-of-thought data are made of these jsonl files: codes and reasoning, by clip id."""

import json
from collections.abc import Iterator
from pathlib import Path

from utils.errors import InputError


def read_jsonl(path: Path) -> Iterator[tuple[int, dict]]:
    """Yield (line number, object with a string `id`) for every line. Raises InputError with file:line."""
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{path}:{number}: not JSON ({error.msg})") from error
            if not isinstance(value, dict) or not isinstance(value.get("id"), str):
                raise InputError(f"{path}:{number}: expected an object with a string 'id'")
            yield number, value


def reasoning_path(folder: str | Path, task: str) -> Path:
    """The file in which prepare.generate_cot leaves the reasoning of a task."""
    return Path(folder) / f"reasoning_{task}.jsonl"


def read_reasoning(path: Path) -> dict[str, list[str]]:
    """The reasonings of each clip, by its id. Raises InputError with file:line."""
    found = {}
    for number, row in read_jsonl(path):
        value = row.get("reasoning")
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
            raise InputError(f"{path}:{number}: 'reasoning' must be a non-empty string or list of them")
        found[row["id"]] = texts
    return found
