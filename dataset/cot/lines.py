"""The lines of a CoT jsonl are parsed once into a table on disk.

The first reading of a file parses it into ``.cache/<file>.<nb_code>-<stamp>.arrow`` beside it (about as large; may be
deleted), which `datasets` maps into memory: 140,000 lines open in a fraction of a second, and processes share them.
The stamp names the size and times of the jsonl, so an edited file is parsed again, and what was parsed of its former
content is deleted.
"""

import json
import logging
import math
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
from filelock import FileLock

from dataset.captions.tags import tag_in
from dataset.cot.sample import TASKS
from utils.errors import InputError
from utils.files.atomic import is_unfinished, write_atomic
from utils.files.fingerprints import fingerprint
from utils.files.json_files import is_number, parse_json
from utils.files.text_files import decoded, unpacked_lines

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

_FORMAT_VERSION = 3  # of the parsed file: raise it when `parse_line` gives something else for the same line
_LINES_A_BATCH = 1000  # lines in memory while a file is parsed
_CODE_LIMIT = 2**31  # codes are stored as int32
_WRITTEN_CODE = re.compile(r"-?[0-9]{1,18}")
DRAFT_COLUMNS = ("draft_reasoning", "draft_caption", "draft_lacking_t2m", "draft_lacking_m2t")
_NO_DRAFT = dict.fromkeys(DRAFT_COLUMNS, "")
_EMPTY = {
    "id": "",
    "task": "",
    "caption": "",
    "codes": [],
    "reasoning": "",
    "sample_weight": 1.0,
    **_NO_DRAFT,
    "problem": "",
}


def parsed_lines(path: Path, nb_code: int | None) -> "Dataset":
    """Every line that is not blank, mapped from a parsed file, which is made first unless an earlier reading left it.

    Columns: id, task, caption, codes, reasoning, sample_weight, those of the draft, and problem, which is empty but
    for malformed lines (``line: what is wrong``).

    The parsed file lies beside the jsonl, or, where nothing can be written there, in the cache of the datasets library
    (HF_DATASETS_CACHE). One process makes it while others wait.
    """
    from datasets import config

    state = path.stat()
    stamp = fingerprint(f"{_FORMAT_VERSION} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}")
    kind = f"{path.name}.{nb_code}-"
    beside = path.parent / ".cache"
    try:
        return _load_or_make(path, nb_code, beside, kind, stamp)
    except (OSError, NotImplementedError) as error:  # NotImplementedError: the file system has no locks
        elsewhere = Path(config.HF_DATASETS_CACHE) / "cot_jsonl" / fingerprint(str(path.parent.resolve()))
        logger.warning(f"{beside} cannot be used ({error}): {path.name} is parsed into {elsewhere}")
    return _load_or_make(path, nb_code, elsewhere, kind, stamp)


def _load_or_make(path: Path, nb_code: int | None, folder: Path, kind: str, stamp: str) -> "Dataset":
    from datasets import Dataset

    target = folder / f"{kind}{stamp}.arrow"
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{path.name}.lock"):
            if not target.is_file():  # another process may have made it meanwhile
                # Left over: parsed files of the former content, and unfinished ones whose process is gone.
                parsed = rf"{re.escape(kind)}[0-9a-f]{{12}}\.arrow"
                for file in folder.iterdir():
                    if re.fullmatch(parsed, file.name) or is_unfinished(file.name, parsed):
                        file.unlink()
                write_atomic(target, lambda stream: _write_parsed(path, nb_code, stream))
    return Dataset.from_file(str(target))


def _write_parsed(path: Path, nb_code: int | None, stream: BinaryIO) -> None:
    from datasets import Features, List, Value

    text = Value("string")
    types = dict.fromkeys(_EMPTY, text) | {"codes": List(Value("int32")), "sample_weight": Value("float64")}
    schema = Features(types).arrow_schema
    lines = enumerate(unpacked_lines(path), start=1)
    rows = (row for number, line in lines if (row := _parse_row(line, number, nb_code)))
    with pa.RecordBatchStreamWriter(stream, schema) as writer:
        while batch := list(islice(rows, _LINES_A_BATCH)):
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))


def _parse_row(line: bytes, number: int, nb_code: int | None) -> dict[str, Any] | None:
    """A row of the table, or None for a blank line, which is neither a sample nor a mistake."""
    try:
        text = decoded(line, str(number)).strip()
        return parse_line(text, nb_code) if text else None
    except InputError as error:
        return {**_EMPTY, "problem": str(error)}
    except (ValueError, OverflowError) as error:
        return {**_EMPTY, "problem": f"{number}: {error}"}


def parse_line(line: str, nb_code: int | None) -> dict[str, Any]:
    """A line that is not blank -> a row of `parsed_lines`. Raises ValueError, which says what is wrong with it."""
    try:
        value = parse_json(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno})") from error
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, found {type(value).__name__}")
    caption = value.get("caption")
    if not isinstance(caption, str) or not caption.strip():
        raise ValueError("'caption' must be a non-empty string")
    task = value.get("task") or ""
    if task not in ("", *TASKS):
        raise ValueError(f"'task' must be one of {', '.join(TASKS)}, found {str(task)[:60]!r}")
    reasoning = value.get("reasoning", "")
    if not isinstance(reasoning, str | None):
        raise ValueError("'reasoning' must be a string")
    # "reward" and "advantage" are other names for the weight in foreign files.
    weight = next((value[key] for key in ("sample_weight", "reward", "advantage") if value.get(key) is not None), 1.0)
    if not is_number(weight) or not math.isfinite(weight):
        raise ValueError(f"the sample weight must be a finite number, found {str(weight)[:60]!r}")
    row = {
        "id": clip_id(value.get("id")),
        "task": task,
        "caption": caption.strip(),
        "codes": parse_codes(value.get("motion_tokens"), nb_code),
        "reasoning": (reasoning or "").strip(),
        "sample_weight": float(weight),
        **_parse_draft(value.get("draft")),
        "problem": "",
    }
    for name in ("caption", "reasoning", *DRAFT_COLUMNS):
        check_text(row[name], repr(name))
    return row


def clip_id(value: Any) -> str:
    """The id of a line as text, empty where it has none. Raises ValueError for what no id can be.

    A whole number is its digits; whoever has written it may have lost zeros in front.
    """
    if value is None or isinstance(value, str):
        return (value or "").strip()
    if type(value) is not int:
        raise ValueError(f"'id' must be text, found {str(value)[:60]} (a number by mistake?)")
    return str(value)


def check_text(text: str, what: str) -> None:
    """Raise ValueError where a text holds a tag of replies, which would end the part of the reply it stands in."""
    if tag := tag_in(text):
        raise ValueError(f"{what} holds {tag}, a tag that no text may hold: remove it")


def _parse_draft(value: Any) -> dict[str, str]:
    if value is None:
        return _NO_DRAFT
    lacking = value.get("lacking", {}) if isinstance(value, dict) else None
    if not isinstance(lacking, dict):
        raise ValueError("'draft' must be an object with 'reasoning', 'caption' and 'lacking' by task")
    parts = (value.get("reasoning", ""), value.get("caption", ""), lacking.get("t2m", ""), lacking.get("m2t", ""))
    if not all(isinstance(part, str) for part in parts) or not any(parts[:2]):
        raise ValueError("'draft' must hold texts, and a reasoning or a caption")
    return dict(zip(DRAFT_COLUMNS, map(str.strip, parts), strict=True))


def parse_codes(value: Any, nb_code: int | None) -> list[int]:
    if isinstance(value, str):
        written = value.split()
        if not all(map(_WRITTEN_CODE.fullmatch, written)):
            raise ValueError("'motion_tokens' given as a string must be space-separated integers")
        value = list(map(int, written))
    if not isinstance(value, list) or not value or any(type(code) is not int for code in value):
        raise ValueError("'motion_tokens' must be a non-empty list of integers (codebook indices)")
    limit = _CODE_LIMIT if nb_code is None else nb_code
    worst = max(value) if max(value) >= limit else min(value)
    if not 0 <= worst < limit:
        raise ValueError(f"motion token {worst} is outside the codebook [0, {limit})")
    return value
