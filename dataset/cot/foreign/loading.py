"""The rows of foreign data sets are streamed: from a hub id, or from files of json, jsonl, parquet or csv.

In memory is a batch of rows at a time (`datasets` reads them); of a JSON array it is the whole array.
"""

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import load_dataset
from datasets.exceptions import DatasetsError

from utils.errors import InputError
from utils.files.json_files import parse_json

# What `datasets` reads a file with, by its ending; a .json that does not begin with [ holds one object a line.
_LINES, _ARRAY = "text", "json"
_BUILDERS = {".jsonl": _LINES, ".ndjson": _LINES, ".json": _ARRAY, ".parquet": "parquet", ".csv": "csv", ".tsv": "csv"}
# Files that stand beside data sets and hold no rows.
_NO_DATA = re.compile(
    r"dataset_infos?\.json|dataset_dict\.json|state\.json|statistics\.json|.*\.source\.json|rejected\.jsonl"
)
_SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "eval"),
}
# What reading raises for damaged files and hubs that cannot be reached (pyarrow's errors are ValueErrors).
_UNREADABLE = (OSError, ValueError, EOFError, DatasetsError)
_MESSAGE = 300  # longest error of another library that is passed on, in characters


@dataclass(frozen=True)
class SourceRow:
    """A row and its number, from 1. Where a line of a file is no object, `fields` is None and `problem` says why."""

    number: int
    fields: dict[str, Any] | None
    problem: str = ""
    text: str = ""


@dataclass(frozen=True, eq=False)
class SourcePart:
    """A file, or a split of a data set of the hub.

    Attributes:
        name: of the file or split, for messages.
        split: ``train``, ``val``, ``test`` or the hub's own name.
        builder: the loader of `datasets` that reads the part.
        data: the streamed rows.
    """

    name: str
    split: str
    builder: str
    data: Any

    def rows(self) -> Iterator[SourceRow]:
        """Every row in order, without blank lines. Raises InputError where the rest cannot be read."""
        stream, number = iter(self.data), 0
        while True:
            try:
                row = next(stream)
            except StopIteration:
                return
            except _UNREADABLE as error:
                raise InputError(f"{self.name}: cannot be read after row {number} ({_in_short(error)})") from error
            number += 1
            if self.builder != _LINES:
                yield SourceRow(number, row)
            elif row["text"].strip():
                yield _row_of_line(number, row["text"])


def source_parts(source: Sequence[str], config: str | None = None) -> list[SourcePart]:
    """The parts of a hub id, or of files and folders.

    Args:
        source: one hub id, or paths. A file belongs to the split that a word of its name says (``cot_val.jsonl``),
            else to the one that its folder is called after, else to train.
        config: name of a configuration of the hub's data set.

    Raises:
        InputError: nothing can be read there.
    """
    if len(source) == 1 and not Path(source[0]).exists() and re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source[0]):
        return _hub_parts(source[0], config)
    files = [file for path in source for file in _data_files(Path(path))]
    return [_file_part(file) for file in files]


def split_of(name: str) -> str | None:
    """The split that a word of a file name says: ``cot_val.jsonl`` -> ``val``. None where no word says one."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((split for split, names in _SPLITS.items() if set(names) & set(words)), None)


def _hub_parts(name: str, config: str | None) -> list[SourcePart]:
    try:
        found = load_dataset(name, config, streaming=True)
    except _UNREADABLE as error:
        raise InputError(
            f"{name} is no file here and cannot be loaded from the hub ({_in_short(error)}); another configuration: "
            "--config NAME; downloaded files: --source FILE ..."
        ) from error
    prefix = f"{name} {config}" if config else name
    return [SourcePart(f"{prefix} {split}", split_of(split) or split, "hub", found[split]) for split in found]


def _data_files(path: Path) -> list[Path]:
    if path.is_file():
        if _ending(path) not in _BUILDERS:
            raise InputError(f"{path}: expected a file that ends in {', '.join(_BUILDERS)}, or one of them with .gz")
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder, and no id of the hub")
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and _ending(file) in _BUILDERS
        and not _NO_DATA.fullmatch(file.name)
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    if not files:
        raise InputError(f"{path}: no file in it ends in {', '.join(_BUILDERS)}")
    return files


def _ending(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def _file_part(path: Path) -> SourcePart:
    builder = _BUILDERS[_ending(path)]
    if builder == _ARRAY and not _begins_with_array(path):
        builder = _LINES
    options = {"sep": "\t"} if _ending(path) == ".tsv" else {"encoding": "utf-8-sig"} if builder == _LINES else {}
    try:
        data = load_dataset(builder, data_files=str(path), split="train", streaming=True, **options)
    except _UNREADABLE as error:
        raise InputError(f"{path}: cannot be read ({_in_short(error)})") from error
    folder = next((split for split, names in _SPLITS.items() if path.parent.name.lower() in names), "train")
    return SourcePart(str(path), split_of(path.name) or folder, builder, data)


def _begins_with_array(path: Path) -> bool:
    with (gzip.open if path.name.endswith(".gz") else open)(path, "rb") as stream:
        return stream.read(100).decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n").startswith("[")


def _row_of_line(number: int, line: str) -> SourceRow:
    try:
        value = parse_json(line)
    except json.JSONDecodeError as error:
        return SourceRow(number, None, f"not JSON ({error.msg} at column {error.colno})", line)
    if not isinstance(value, dict):
        return SourceRow(number, None, f"expected a JSON object, found {type(value).__name__}", line)
    return SourceRow(number, value)


def _in_short(error: BaseException) -> str:
    """The message of an error in one line, cut to a readable length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MESSAGE else f"{text[:_MESSAGE]}..."
