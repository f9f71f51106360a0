"""The rows of one file of other people: jsonl, a JSON array, csv or tsv, parquet; each may be packed with gzip.

Nothing is guessed about values: what a csv holds stays text, so that an id ``000001`` keeps its zeros and a caption
``null`` is one. A row that cannot be read is a row with a problem, and the others go on.
"""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from utils.errors import InputError
from utils.files.json_files import parse_json
from utils.files.text_files import decoded, unpacked_lines

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
ENDINGS = (".jsonl", ".ndjson", ".json", ".parquet", *_DELIMITERS)
_LARGEST_FIELD = 2**30  # of a csv, in characters; Python's own limit is 131,072
_ROWS_A_BATCH = 1000  # of a parquet in memory
_BETWEEN = re.compile(r"[\s,]*")  # what stands between the entries of an array
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True)
class SourceRow:
    """A row and its number, from 1. Of one that cannot be read `fields` is None, and `problem` says why."""

    number: int
    fields: dict[str, Any] | None
    problem: str = ""
    text: str = ""


def ending_of(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def rows_of_file(path: Path) -> Iterator[SourceRow]:
    """Every row in order, without blank lines; a .json that does not begin with [ holds one object a line.

    Raises:
        InputError: no such file, or one of which the rest cannot be read.
    """
    ending = ending_of(path)
    if ending == ".parquet":
        yield from _parquet_rows(path)
    elif ending in _DELIMITERS:
        yield from _csv_rows(path, _DELIMITERS[ending])
    elif ending == ".json" and _begins_with_array(path):
        yield from _array_rows(path)
    else:
        for number, line in enumerate(unpacked_lines(path), start=1):
            if line.strip():
                yield _row_of_line(number, line)


def _begins_with_array(path: Path) -> bool:
    first = next((line for line in unpacked_lines(path) if line.strip()), b"")
    return first.lstrip().startswith(b"[")


def _row_of_line(number: int, line: bytes) -> SourceRow:
    try:
        return _row_of_json(number, decoded(line, f"line {number}"))
    except InputError as error:
        return SourceRow(number, None, str(error), line.decode("utf-8", errors="replace"))


def _row_of_json(number: int, text: str) -> SourceRow:
    try:
        value = parse_json(text)
    except json.JSONDecodeError as error:
        return SourceRow(number, None, f"not JSON ({error.msg} at column {error.colno})", text)
    if not isinstance(value, dict):
        return SourceRow(number, None, f"expected a JSON object, found {type(value).__name__}", text)
    return SourceRow(number, value)


def _array_rows(path: Path) -> Iterator[SourceRow]:
    """The entries of a JSON array, one by one, so that a bad one is one bad row. The text is in memory."""
    lines = enumerate(unpacked_lines(path), start=1)
    text = "\n".join(decoded(line, f"{path}:{number}") for number, line in lines)
    start = text.index("[") + 1
    for number in count(1):
        start = _BETWEEN.match(text, start).end()
        if text[start : start + 1] == "]":
            return
        end = _end_of_value(text, start)
        if end is None:
            raise InputError(f"{path}: cannot be read after row {number - 1} (not JSON, or cut off)")
        yield _row_of_json(number, text[start:end])
        start = end


def _end_of_value(text: str, start: int) -> int | None:
    """Where the JSON value that begins at `start` ends; None where it does not."""
    try:
        return json.JSONDecoder(parse_int=float).raw_decode(text, start)[1]
    except (json.JSONDecodeError, RecursionError):
        pass
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text, start):
        if found[0] in ("[", "{"):
            depth += 1
        elif found[0] in ("]", "}"):
            depth -= 1
            if depth < 1:
                return found.end() if depth == 0 else None
    return None


def _csv_rows(path: Path, delimiter: str) -> Iterator[SourceRow]:
    """The rows below the header of a csv, all values as text."""
    csv.field_size_limit(_LARGEST_FIELD)
    undecodable: dict[int, str] = {}
    reader = csv.reader(_csv_lines(unpacked_lines(path), undecodable), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    number, begin = 0, 1
    while True:
        values, problem = [], ""
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):  # the quotation has swallowed all rows after it
                raise InputError(f"{path}:{begin}: a quotation mark that begins here has no end") from None
            problem = f"not CSV ({error})"
        lines, begin = range(begin, reader.line_num + 1), reader.line_num + 1
        problem = next((undecodable[line] for line in lines if line in undecodable), problem)
        if header is None:
            header = _csv_header(path, values, problem)
        elif values or problem:
            number += 1
            if not problem and len(values) != len(header):
                problem = f"expected {len(header)} values, as the header has, got {len(values)}"
            fields = None if problem else dict(zip(header, values, strict=True))
            yield SourceRow(number, fields, problem, delimiter.join(values))


def _csv_lines(lines: Iterator[bytes], undecodable: dict[int, str]) -> Iterator[str]:
    """Lines with their ends, as values in quotation marks may hold some; what is no text goes into `undecodable`."""
    for number, line in enumerate(lines, start=1):
        try:
            yield f"{decoded(line, f'line {number}')}\n"
        except InputError as error:
            undecodable[number] = str(error)
            yield f"{line.decode('utf-8', errors='replace')}\n".replace("\0", "\ufffd")


def _csv_header(path: Path, names: list[str], problem: str) -> list[str]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if problem or not names or twice is not None:
        problem = problem or (f"two columns are called {twice!r}" if names else "no names of columns")
        raise InputError(f"{path}:1: {problem}")
    return names


def _parquet_rows(path: Path) -> Iterator[SourceRow]:
    number = 0
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as stream:
            for batch in pq.ParquetFile(stream).iter_batches(_ROWS_A_BATCH):
                for row in range(batch.num_rows):
                    number += 1
                    yield _row_of_batch(number, batch.slice(row, 1))
    except (pa.ArrowException, OSError, EOFError, zlib.error, ValueError) as error:
        said = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: cannot be read after row {number} ({said})") from None


def _row_of_batch(number: int, row: pa.RecordBatch) -> SourceRow:
    try:
        return SourceRow(number, row.to_pylist()[0])
    except (ValueError, OverflowError) as error:  # bytes that are no text, moments beyond the calendar
        return SourceRow(number, None, f"a value cannot be read ({error})")
