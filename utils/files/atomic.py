"""Writing files so that a crash never leaves half of one, and naming content by a fingerprint."""

import json
import os
import tempfile
import tokenize
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from utils.errors import InputError

# What numpy raises for damaged files: their headers are Python literals, and a file may begin like a zip archive.
_DAMAGED = (OSError, ValueError, EOFError, SyntaxError, MemoryError, tokenize.TokenError, zipfile.BadZipFile)


def write_atomic(path: str | Path, write: Callable[[BinaryIO], None]) -> None:
    """Call `write` on a temporary file beside `path`, fsync it, then rename it over `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes 0600, which would surprise whoever shares the folder
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)  # gone already when the rename was reached


def remove_unfinished(folder: str | Path) -> None:
    """Delete what `write_atomic` left in `folder` when its process was killed. Nobody may be writing there."""
    for path in Path(folder).glob(".*.tmp"):
        path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    write_atomic(path, lambda stream: stream.write(text.encode("utf-8")))


def write_json(path: str | Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_jsonl(path: str | Path, rows: Iterable[dict]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_jsonl(path: str | Path) -> list[dict]:
    """What `write_jsonl` wrote; empty lines are skipped."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]


def write_npy(path: str | Path, array: np.ndarray) -> None:
    write_atomic(path, lambda stream: np.save(stream, array))


def read_npy(path: str | Path) -> np.ndarray:
    """One array of numbers; never unpickles. Raises InputError (with the path) when there is none."""
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except _DAMAGED as error:
        raise InputError(f"{path}: not a readable .npy file ({error})") from None
    if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.number):
        raise InputError(f"{path}: does not hold one array of numbers")
    return array


def append_jsonl(path: str | Path, row: dict) -> None:
    """Add one line; used for logs, where a torn last line is better than a lost file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row, ensure_ascii=False) + "\n")
