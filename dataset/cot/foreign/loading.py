"""The rows of foreign data sets are streamed: from a hub id, or from files of json, jsonl, parquet or csv.

In memory is a batch of rows at a time; of a JSON array it is the whole text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset.cot.foreign.files import ENDINGS, SourceRow, ending_of, rows_of_file
from utils.errors import InputError

# Files that stand beside data sets and hold no rows.
_NO_DATA = re.compile(
    r"dataset_infos?\.json|dataset_dict\.json|state\.json|statistics\.json|.*\.source\.json|rejected\.jsonl"
)
_SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "eval"),
}
SPLIT_NAMES = tuple(name for names in _SPLITS.values() for name in names)
_MESSAGE = 300  # longest error of another library that is passed on, in characters


@dataclass(frozen=True, eq=False)
class SourcePart:
    """A file, or a split of a data set of the hub.

    Attributes:
        name: of the file or split, for messages.
        split: ``train``, ``val``, ``test`` or the hub's own name.
        path: of the file; None for a split of the hub.
        streamed: rows of the split of the hub; None for a file.
    """

    name: str
    split: str
    path: Path | None = None
    streamed: Any = None

    def rows(self) -> Iterator[SourceRow]:
        """Every row in order, without blank lines. Raises InputError where the rest cannot be read."""
        return _streamed_rows(self.name, self.streamed) if self.path is None else rows_of_file(self.path)


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
    from datasets import load_dataset

    try:
        found = load_dataset(name, config, streaming=True)
    except _unreadable() as error:
        raise InputError(
            f"{name} is no file here and cannot be loaded from the hub ({_in_short(error)}); another configuration: "
            "--config NAME; downloaded files: --source FILE ..."
        ) from error
    prefix = f"{name} {config}" if config else name
    return [SourcePart(f"{prefix} {split}", split_of(split) or split, streamed=found[split]) for split in found]


def _data_files(path: Path) -> list[Path]:
    if path.is_file():
        if ending_of(path) not in ENDINGS:
            raise InputError(f"{path}: expected a file that ends in {', '.join(ENDINGS)}, or one of them with .gz")
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder, and no id of the hub")
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and ending_of(file) in ENDINGS
        and not _NO_DATA.fullmatch(file.name)
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    if not files:
        raise InputError(f"{path}: no file in it ends in {', '.join(ENDINGS)}")
    return files


def _file_part(path: Path) -> SourcePart:
    folder = next((split for split, names in _SPLITS.items() if path.parent.name.lower() in names), "train")
    return SourcePart(str(path), split_of(path.name) or folder, path)


def _streamed_rows(name: str, data: Any) -> Iterator[SourceRow]:
    stream, number = iter(data), 0
    while True:
        try:
            row = next(stream)
        except StopIteration:
            return
        except _unreadable() as error:
            raise InputError(f"{name}: cannot be read after row {number} ({_in_short(error)})") from error
        number += 1
        yield SourceRow(number, row)


def _unreadable() -> tuple[type[Exception], ...]:
    """What reading raises for damaged files and hubs that cannot be reached (pyarrow's errors are ValueErrors)."""
    from datasets.exceptions import DatasetsError

    return OSError, ValueError, EOFError, DatasetsError


def _in_short(error: BaseException) -> str:
    """The message of an error in one line, cut to a readable length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MESSAGE else f"{text[:_MESSAGE]}..."
