"""These functions write a file whole or not at all: a crash never leaves half of one."""

import importlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO


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


def write_text(path: str | Path, text: str) -> None:
    write_atomic(path, lambda stream: stream.write(text.encode("utf-8")))


def remove_unfinished(folder: str | Path) -> None:
    """Delete what `write_atomic` left in `folder` when its process was killed. Nobody may be writing there."""
    for path in Path(folder).glob(".*.tmp"):
        path.unlink(missing_ok=True)


_MOVED = {
    "read_npy": "utils.files.arrays",
    "write_npy": "utils.files.arrays",
    "write_json": "utils.files.json_files",
    "read_jsonl": "utils.files.json_files",
    "write_jsonl": "utils.files.json_files",
}


def __getattr__(name: str) -> Any:
    """Readers and writers of one kind of file have moved to files of their own; imports from here still work."""
    if name == "append_jsonl":
        journal = importlib.import_module("utils.files.journal").Journal
        return lambda path, row: journal(Path(path)).append(row)
    if name not in _MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return vars(importlib.import_module(_MOVED[name]))[name]
