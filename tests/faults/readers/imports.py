"""Commands that take in what others made as readers: chains of thought, evaluators, motions, predictions."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.faults.readers.commands import CLIP_FILES, IDS, fresh, prepare_data, prepare_joints
from tests.faults.readers.cot import COT, ODD_LINES, jsonl, objects_of
from tests.faults.readers.reader import Reader, command, lines_of
from tests.faults.readers.replies import T2M_PREDICTIONS
from tests.prepare.random_motions import random_evaluator, write_published_evaluator

# --- chains of thought of others ---

FOREIGN = [
    {"id": "000001", "caption": "a person walks.", "motion_tokens": "1 2 3", "reasoning": "One foot, then the other."},
    {"id": "000002", "caption": "NA", "motion_tokens": "4 5 6", "reasoning": "nan"},
    {"id": "000003", "caption": "null", "motion_tokens": "7 8 9", "reasoning": "None"},
    {"id": "1e5", "caption": "he waves.", "motion_tokens": "1 1 1", "reasoning": ""},
]


def _csv(delimiter: str = ",") -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, FOREIGN[0].keys(), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(FOREIGN)
    return stream.getvalue().encode()


def _parquet(rows: list[dict]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def _imported(name: str) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        out = fresh(folder)
        command("prepare.import_cot", "--source", folder / name, "--out-dir", out)
        lines = [
            json.loads(line) for path in out.glob("cot_*.jsonl") for line in path.read_text("utf-8").split("\n") if line
        ]
        rejected = out / "rejected.jsonl"
        return lines, len(rejected.read_text("utf-8").split("\n")) - 1 if rejected.is_file() else 0

    return read


def _wrong_imported(content: bytes, value: Any) -> str | None:
    lines, _ = value
    for line in lines:
        if not isinstance(line.get("id", ""), str):
            return "an id that is no text"
        if not isinstance(line["caption"], str) or not line["caption"].strip():
            return "a line without a caption"
        if not all(type(code) is int and code >= 0 for code in line["motion_tokens"]):
            return "codes that are no numbers from 0"
    return None


def _wrong_lines(content: bytes, value: Any) -> str | None:
    """Of lines of JSON it is known how many there are: each is a line of ours, a repeated one, or a rejected one."""
    lines = lines_of(content)
    if lines is not None and len(value[0]) + value[1] < len(set(lines)) and b'"captions"' not in content:
        same = {json.dumps({k: v for k, v in row.items() if k in FOREIGN[0]}) for row in objects_of(content) or []}
        if len(value[0]) + value[1] < len(same):
            return f"{len(value[0])} lines and {value[1]} rejected of {len(lines)} rows"
    return _wrong_imported(content, value)


def _wrong_table(content: bytes, value: Any, delimiter: str = ",") -> str | None:
    """Of a table without quotation marks: each line is of one of its rows, and each row is a line or a rejected one."""
    lines = lines_of(content)
    if lines is None or b'"' in content or sorted(lines[0].split(delimiter)) != sorted(FOREIGN[0]):
        return _wrong_imported(content, value)
    header, *rows = (line.split(delimiter) for line in lines)
    whole = [dict(zip(header, row, strict=True)) for row in rows if len(row) == len(header)]
    said = {(row["caption"], _digits(row["motion_tokens"])): set() for row in whole}
    for row in whole:
        said[row["caption"], _digits(row["motion_tokens"])].add((row["id"], row["reasoning"].strip()))
    for line in value[0]:
        own = said.get((line["caption"], tuple(line["motion_tokens"])))
        if own is None:
            return f"the line {line!r:.80} is of no row"
        # An id may be the path of a file, of which its name is taken.
        id, reasoning = line.get("id", ""), line.get("reasoning", "")
        if not any(id == other or (not other.isalnum() and id in other) for other, _ in own):
            return f"the id {id!r} of {line['caption']!r:.40} became of {[other for other, _ in own]!r:.80}"
        if not any(reasoning in other for _, other in own):
            return f"the reasoning {reasoning!r:.40} is of another row"
    if len(value[0]) + value[1] < len(said) + len(rows) - len(whole):
        return f"{len(value[0])} lines and {value[1]} rejected of {len(rows)} rows"
    return _wrong_imported(content, value)


def _digits(cell: str) -> tuple[int, ...]:
    return tuple(int(digits[:30]) for digits in re.findall(r"[0-9]+", cell))


# --- evaluators, pictures, predictions ---


def _prepare_finest(folder: Path) -> None:
    write_published_evaluator(folder / "t2m", folder / "glove")


def _imported_evaluator(folder: Path) -> Any:
    from models.text_motion.evaluator import TextMotionEvaluator

    out = fresh(folder)
    command(
        "prepare.import_evaluator", "--published", folder / "t2m", "--word-vectors", folder / "glove", "--out-dir", out
    )
    return TextMotionEvaluator.load(out / "t2m")


def _wrong_evaluator(content: bytes, evaluator: Any) -> str | None:
    finite = all(bool(tensor.isfinite().all()) for part in evaluator.state().values() for tensor in part.values())
    return None if finite and np.isfinite(evaluator.mean).all() else "weights that are not finite"


_COLUMNS, _PANEL = 3, 40  # frames in a row, pixels of each


def _drawn(folder: Path) -> np.ndarray:
    fresh(folder).mkdir()
    given = ["--motion", folder / "joints/c.npy", "--out", folder / "out/c.png"]
    command("prepare.render_motion", *given, "--columns", _COLUMNS, "--size", 2 * _PANEL)
    with Image.open(folder / "out/c.png") as picture:
        return np.asarray(picture.convert("RGB"))


def _wrong_picture(content: bytes, picture: np.ndarray) -> str | None:
    """That a body with a left and a right stands in each frame of the sheet, and that it was somewhere."""
    motion = np.load(io.BytesIO(content), allow_pickle=False)
    if not np.isfinite(motion).all():
        return "a picture of what is not finite"
    if picture.shape[1] != _COLUMNS * _PANEL or picture.shape[0] <= _PANEL:
        return f"a picture of {picture.shape[1]} x {picture.shape[0]} pixels"
    if motion.ndim == 3 and np.ptp(motion[:, :, 1], axis=1).min() > 0.5 and np.abs(motion).max() < 3:  # a person
        for frame in np.split(picture[-_PANEL:].astype(int), _COLUMNS, axis=1):
            red, blue = frame[..., 0] - frame[..., 2], frame[..., 2] - frame[..., 0]
            if min(red.max(), blue.max()) < 60:
                return "a frame without a left or a right"
    return None


def _prepare_judged(folder: Path) -> None:
    prepare_data(folder)
    random_evaluator().save(folder / "judge")
    rows = [{**row, "id": id} for row, id in zip(T2M_PREDICTIONS[:1] * 4, IDS, strict=True)]
    (folder / "predictions.jsonl").write_bytes(jsonl(rows))


def _judged(folder: Path) -> Any:
    out = fresh(folder)
    files = ["--from-predictions", folder / "predictions.jsonl", "--data-root", folder / "data"]
    models = ["--motion-tokenizer", folder / "t.pth", "--eval-evaluator", folder / "judge", "--device", "cpu"]
    how = ["--eval-task", "t2m", "--repeats", "2", "--temperature", "0.7", "--mm-texts", "2"]
    how += ["--mm-repeats", "2"]
    command("eval_mllm", *files, *models, *how, "--out-dir", out, "--exp-name", "e")
    return json.loads((out / "e/results.json").read_text("utf-8"))


def _wrong_judged(content: bytes, results: Any) -> str | None:
    numbers = [metric["mean"] for metrics in results["rows"].values() for metric in metrics.values()]
    return None if all(number is None or np.isfinite(number) for number in numbers) else "a number that is not finite"


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


READERS = [
    Reader(
        "import_cot: jsonl",
        "cot.jsonl",
        "jsonl",
        lambda f: _put(f / "cot.jsonl", jsonl(COT)),
        _imported("cot.jsonl"),
        _wrong_lines,
        ODD_LINES,
        0.4,
    ),
    Reader(
        "import_cot: csv",
        "cot.csv",
        "text",
        lambda f: _put(f / "cot.csv", _csv()),
        _imported("cot.csv"),
        _wrong_table,
        {"a quote that never ends": _csv() + b'"x', "a column twice": _csv().replace(b"reasoning", b"caption", 1)},
        0.4,
    ),
    Reader(
        "import_cot: tsv",
        "cot.tsv",
        "text",
        lambda f: _put(f / "cot.tsv", _csv("\t")),
        _imported("cot.tsv"),
        lambda content, value: _wrong_table(content, value, "\t"),
        share=0.3,
    ),
    Reader(
        "import_cot: json",
        "cot.json",
        "json",
        lambda f: _put(f / "cot.json", json.dumps(FOREIGN).encode()),
        _imported("cot.json"),
        _wrong_imported,
        share=0.4,
    ),
    Reader(
        "import_cot: parquet",
        "cot.parquet",
        "bytes",
        lambda f: _put(f / "cot.parquet", _parquet(FOREIGN)),
        _imported("cot.parquet"),
        _wrong_imported,
        {
            "whole numbers": _parquet([{"caption": "x", "motion_tokens": [1, 2], "id": 7}]),
            "lists of texts": _parquet([{"caption": ["x", "y"], "motion_tokens": ["<Motion_1>"], "id": None}]),
        },
        0.4,
    ),
    Reader(
        "import_evaluator", "t2m/finest.tar", "torch", _prepare_finest, _imported_evaluator, _wrong_evaluator, share=0.5
    ),
    Reader(
        "import_evaluator: std", "t2m/std.npy", "npy", _prepare_finest, _imported_evaluator, _wrong_evaluator, share=0.3
    ),
    Reader(
        "import_evaluator: opt.txt",
        "t2m/opt.txt",
        "text",
        _prepare_finest,
        _imported_evaluator,
        _wrong_evaluator,
        share=0.3,
    ),
    Reader("render_motion", "joints/c.npy", "npy", prepare_joints, _drawn, _wrong_picture, CLIP_FILES, 0.15),
    Reader("eval_mllm: predictions", "predictions.jsonl", "jsonl", _prepare_judged, _judged, _wrong_judged, share=0.3),
]
