"""Reading and writing chain-of-thought jsonl (design: formats), one JSON object a line.

The first reading of a file parses it into ``.cache/<file>.<nb_code>-<stamp>.arrow`` beside it (about as large; may be
deleted), which `datasets` maps into memory: 140,000 lines open in a fraction of a second, processes share them, and
what a process itself holds is 4 bytes a row. The stamp names the size and times of the jsonl, so an edited file is
parsed again, and what was parsed of its former content is deleted.
"""

import gzip
import json
import logging
import math
import random
import zlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import datasets.config
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, Features, List, Value
from filelock import FileLock

from dataset.sample import TASKS, Sample
from utils.errors import InputError
from utils.files import fingerprint, write_atomic, write_jsonl

logger = logging.getLogger(__name__)

_FORMAT_VERSION = 1  # of the parsed file: raise it when `_parse_line` gives something else for the same line
_LINES_A_BATCH = 1000  # what is held while a file is parsed
_CODE_LIMIT = 2**31  # codes are kept as int32
_GZIP_MAGIC = b"\x1f\x8b"
_FEATURES = Features(
    {
        "id": Value("string"),
        "task": Value("string"),
        "caption": Value("string"),
        "codes": List(Value("int32")),
        "reasoning": Value("string"),
        "sample_weight": Value("float64"),
        "problem": Value("string"),
    }
)
_EMPTY = {"id": "", "task": "", "caption": "", "codes": [], "reasoning": "", "sample_weight": 1.0, "problem": ""}


def read_cot_jsonl(
    path: str | Path, nb_code: int | None, task: str | None = None, skip_bad_lines: bool = False
) -> "CotSamples":
    """Open a CoT jsonl (plain or gzip).

    Args:
        path: the file.
        nb_code: codes must be below it; None skips that check.
        task: keep the lines usable for this task (a line without ``task`` serves both); None keeps all.
        skip_bad_lines: drop malformed lines and count them instead of stopping at the first.

    Raises:
        InputError: no such file, malformed line (with ``file:line``), or nothing left to train on.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no such CoT jsonl file: {path}")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty: expected one JSON object a line with 'caption' and 'motion_tokens'")
    lines = _parsed(path, nb_code)
    is_bad = pc.binary_length(lines.data.column("problem")).to_numpy() > 0
    bad = np.flatnonzero(is_bad)
    if len(bad) and not skip_bad_lines:
        first = lines[int(bad[0])]["problem"]
        raise InputError(f"{path}:{first}" + (f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""))
    samples = CotSamples(lines, np.flatnonzero(~is_bad), dropped=len(bad))
    if task:
        samples = samples.only(samples.usable_for(task))
    if len(samples) == 0:
        wanted = f" for task {task}" if task else ""
        raise InputError(f"{path} holds no usable line{wanted} ({len(bad)} malformed)")
    return samples


class CotSamples:
    """N lazy rows of a CoT jsonl; `sample(index, task)` gives one as `Sample`.

    Args:
        lines: all parsed lines, mapped from disk.
        index: (N,) which of them are the rows. What is asked of all rows is computed on whole columns, so it is this
            array alone that selecting rows makes anew.
        dropped: malformed lines that were left out.
    """

    def __init__(self, lines: Dataset, index: np.ndarray, dropped: int = 0) -> None:
        self._lines = lines
        self._index = index.astype(np.int32)
        self.dropped = dropped

    def __len__(self) -> int:
        return len(self._index)

    @cached_property
    def rows(self) -> Dataset:
        """The N rows with all their columns."""
        return self._lines.select(self._index)

    def sample(self, index: int, task: str) -> Sample:
        """Row `index` as a sample of `task`."""
        row = self._lines[int(self._index[index])]
        return Sample(
            task=task,
            caption=row["caption"],
            codes=tuple(row["codes"]),
            reasoning=row["reasoning"],
            weight=row["sample_weight"],
            id=row["id"] or str(index),
        )

    def task_of(self, index: int) -> str:
        """``t2m``, ``m2t`` or empty (usable for both)."""
        return self._lines[int(self._index[index])]["task"]

    def usable_for(self, task: str) -> np.ndarray:
        """(N,) bool: rows of `task` and rows that serve both."""
        return pc.is_in(self._lines.data.column("task"), pa.array(["", task])).to_numpy()[self._index]

    def only(self, keep: np.ndarray) -> "CotSamples":
        """The rows where `keep` (N,) is True."""
        return CotSamples(self._lines, self._index[keep], self.dropped)

    def at_most(self, max_codes: int) -> "CotSamples":
        """Only the rows whose motion has at most `max_codes` codes."""
        lengths = pc.list_value_length(self._lines.data.column("codes")).to_numpy()
        return self.only(lengths[self._index] <= max_codes)

    def mean_weight(self) -> float:
        """Mean sample weight; 1 where it would be no divisor."""
        mean = float(self._lines.data.column("sample_weight").to_numpy()[self._index].mean())
        return mean if mean > 0 else 1.0

    def captions_by_clip(self) -> dict[str, tuple[str, ...]]:
        """Every caption of each clip id: the references of a motion."""
        captions: dict[str, list[str]] = {}
        for clip, caption in zip(self._clips().to_pylist(), self._column("caption").to_pylist(), strict=True):
            captions.setdefault(clip, []).append(caption)
        return {clip: tuple(items) for clip, items in captions.items()}

    def split(self, fraction: float, seed: int) -> tuple["CotSamples", "CotSamples"]:
        """(rest, held out): a fixed share of the clips, never a clip's captions on both sides."""
        encoded = self._clips().dictionary_encode().combine_chunks()
        clips = pc.sort_indices(encoded.dictionary).to_numpy()  # in an order that is the ids' own, not the file's
        shuffled = list(range(len(clips)))
        random.Random(seed).shuffle(shuffled)
        is_held_out = np.zeros(len(clips), dtype=bool)
        is_held_out[clips[shuffled[: max(1, round(fraction * len(clips)))]]] = True
        inside = is_held_out[encoded.indices.to_numpy()]
        if inside.all():
            raise InputError(f"{len(clips)} clip(s) are too few to hold some out for validation")
        return CotSamples(self._lines, self._index[~inside]), CotSamples(self._lines, self._index[inside])

    def _column(self, name: str) -> pa.ChunkedArray:
        return self._lines.data.column(name).take(pa.array(self._index))

    def _clips(self) -> pa.ChunkedArray:
        """(N,) clip ids; a row without one is a clip of its own, named by its number."""
        ids = self._column("id")
        missing = pc.equal(ids, "")
        if not pc.any(missing).as_py():
            return ids
        return pc.if_else(missing, pa.array(np.arange(len(self))).cast(pa.string()), ids)


def write_cot_jsonl(path: str | Path, samples: Iterable[Sample], both_tasks: bool = True) -> int:
    """Write samples as CoT jsonl; with `both_tasks` a line carries no task and serves both. Returns the count."""
    rows = []
    for sample in samples:
        row: dict[str, Any] = {"caption": sample.caption, "motion_tokens": list(sample.codes)}
        if sample.reasoning:
            row["reasoning"] = sample.reasoning
        if not both_tasks:
            row["task"] = sample.task
        if sample.weight != 1.0:
            row["sample_weight"] = sample.weight
        if sample.id:
            row["id"] = sample.id
        rows.append(row)
    write_jsonl(path, rows)
    return len(rows)


def _parsed(path: Path, nb_code: int | None) -> Dataset:
    """Every line that is not blank, mapped from the file that an earlier reading left or that is made now.

    That file lies beside the jsonl, or, where nothing can be written there, in the datasets library's cache (where
    HF_DATASETS_CACHE says). One process makes it while others wait.
    """
    state = path.stat()
    stamp = fingerprint(f"{_FORMAT_VERSION} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}")
    kind = f"{path.name}.{nb_code}-"
    beside = path.parent / ".cache"
    try:
        return _load_or_make(path, nb_code, beside, kind, stamp)
    except (OSError, NotImplementedError) as error:  # the latter: a file system without locks
        elsewhere = Path(datasets.config.HF_DATASETS_CACHE) / "cot_jsonl" / fingerprint(str(path.parent.resolve()))
        logger.warning(f"{beside} cannot be used ({error}): {path.name} is parsed into {elsewhere}")
    return _load_or_make(path, nb_code, elsewhere, kind, stamp)


def _load_or_make(path: Path, nb_code: int | None, folder: Path, kind: str, stamp: str) -> Dataset:
    target = folder / f"{kind}{stamp}.arrow"
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{path.name}.lock"):
            if not target.is_file():  # another process may have made it meanwhile
                for file in folder.iterdir():  # of the former content, or unfinished and its process gone
                    if file.name.lstrip(".").startswith(kind.lstrip(".")):
                        file.unlink()
                write_atomic(target, lambda stream: _write_parsed(path, nb_code, stream))
    return Dataset.from_file(str(target))


def _write_parsed(path: Path, nb_code: int | None, stream: BinaryIO) -> None:
    schema = _FEATURES.arrow_schema
    rows = (row for number, line in enumerate(_lines(path), start=1) if (row := _parse_row(line, number, nb_code)))
    with pa.RecordBatchStreamWriter(stream, schema) as writer:
        while batch := list(islice(rows, _LINES_A_BATCH)):
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        compressed = stream.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    try:
        with gzip.open(path) if compressed else path.open("rb") as stream:
            yield from stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip file ({error})") from error


def _parse_row(line: bytes, number: int, nb_code: int | None) -> dict[str, Any] | None:
    """None for a blank line, which is no sample and no mistake."""
    try:
        text = line.decode("utf-8").strip()
        return _parse_line(text, nb_code) if text else None
    except (ValueError, TypeError, OverflowError) as error:
        return {**_EMPTY, "problem": f"{number}: {error}"}


def _parse_line(line: str, nb_code: int | None) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno})") from error
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, found {type(value).__name__}")
    caption = value.get("caption")
    if not isinstance(caption, str) or not caption.strip():
        raise ValueError("'caption' must be a non-empty string")
    task = value.get("task") or ""
    if task not in ("", *TASKS):
        raise ValueError(f"'task' must be one of {', '.join(TASKS)}, found {task!r}")
    reasoning = value.get("reasoning") or ""
    if not isinstance(reasoning, str):
        raise ValueError("'reasoning' must be a string")
    weight = next((value[key] for key in ("sample_weight", "reward", "advantage") if value.get(key) is not None), 1.0)
    if not isinstance(weight, (int, float)) or isinstance(weight, bool) or not math.isfinite(weight):
        raise ValueError(f"the sample weight must be a finite number, found {weight!r}")
    clip = str(value.get("id") or "")
    for words in (caption, reasoning, clip):
        words.encode()  # raises ValueError for half a surrogate pair, which JSON can escape and Arrow cannot hold
    return {
        "id": clip,
        "task": task,
        "caption": caption.strip(),
        "codes": _parse_codes(value.get("motion_tokens"), nb_code),
        "reasoning": reasoning.strip(),
        "sample_weight": float(weight),
        "problem": "",
    }


def _parse_codes(value: Any, nb_code: int | None) -> list[int]:
    if isinstance(value, str):
        try:
            value = [int(part) for part in value.split()]
        except ValueError as error:
            raise ValueError("'motion_tokens' given as a string must be space-separated integers") from error
    if not isinstance(value, list) or not value or any(type(code) is not int for code in value):
        raise ValueError("'motion_tokens' must be a non-empty list of integers (codebook indices)")
    limit = _CODE_LIMIT if nb_code is None else nb_code
    worst = max(value) if max(value) >= limit else min(value)
    if not 0 <= worst < limit:
        raise ValueError(f"motion token {worst} is outside the codebook [0, {limit})")
    return value
