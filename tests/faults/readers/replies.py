"""Readers of what models said: predictions, annotations, replies, traces of Chain-of-Motion."""

from pathlib import Path
from typing import Any

import numpy as np

from com.reply_file import ReplyFile
from com.trace import readable_traces
from models.evaluation.predictions_file import read_predictions
from prepare.annotation.store import AnnotationStore
from tests.faults.contents.damage_arrays import npy_bytes
from tests.faults.readers.cot import holds, jsonl, objects_of
from tests.faults.readers.reader import Reader
from tests.prepare.random_motions import random_tokenizer, smooth_motion
from utils.motion.skeleton import T2M

T2M_PREDICTIONS = [
    {"id": "000001", "caption": "a person walks.", "codes": [1, 2, 3]},
    {"id": "000001", "draw": 1, "text": "<think>x</think><answer><Motion><Motion_4><Motion_5></Motion></answer>"},
    {"id": "000002", "motion": "m.npy"},
    {"id": "000003", "text": "<think>", "finished": False},
    {"id": "000004", "codes": "1 2 3"},
]
M2T_PREDICTIONS = [
    {"id": "000001", "answer": "a person walks."},
    {"id": "000001", "draw": 1, "text": "<think>x</think><answer>he\u2028walks.</answer>"},
    {"id": "000002", "answer": "", "finished": True},
]
ANNOTATIONS = [
    {"id": "000001", "task": "t2m", "caption": "he walks.", "caption_number": 0, "reasoning": "x", "answer": "y"},
    {"id": "000002", "task": "m2t", "caption": "he waves.", "caption_number": 1, "reasoning": "x", "answer": "y"},
]
_TRIED = {"scores": {"format": 0.2, "physical": None}, "tokens": 3, "finished": True, "codes": [1, 2]}
TRACE = [
    {
        "draw": 0,
        "id": "a",
        "query": 0,
        "round": n // 2,
        "index": n % 2,
        "chosen": n == 0,
        "total": 0.5,
        "lacking": None,
        "text": "<think>x</think><answer>y</answer>",
        "duplicate_of": None,
        **_TRIED,
    }
    for n in range(4)
]
REPLIES = [
    {"draw": 0, "query": 0, "id": "0000", "text": "x", "finished": True},
    {"draw": 0, "query": 1, "id": "0001", "text": "y\u2028z", "finished": True},
]


def _predictions(task: str) -> Any:
    tokenizer = random_tokenizer() if task == "t2m" else None
    return lambda folder: read_predictions(folder / "predictions.jsonl", task, T2M, tokenizer)


def _prepare_predictions(rows: list[dict]) -> Any:
    def prepare(folder: Path) -> None:
        (folder / "m.npy").write_bytes(npy_bytes(smooth_motion(np.random.default_rng(0))))
        (folder / "predictions.jsonl").write_bytes(jsonl(rows))

    return prepare


def _wrong_predictions(content: bytes, predictions: Any) -> str | None:
    rows = objects_of(content)
    if rows is None:
        return "predictions of a file with a line that is no object"
    if len(predictions) != len(rows):
        return f"{len(predictions)} predictions of {len(rows)} lines"
    for prediction in predictions:
        if not isinstance(prediction.id, str):
            return "an id that is no text"
        if prediction.motion is not None and not np.isfinite(prediction.motion).all():
            return "a motion that is not finite"
    return None


def _store(folder: Path) -> Any:
    store = AnnotationStore(folder)
    store.write_reasoning()
    return store


def _wrong_store(content: bytes, store: Any) -> str | None:
    lines = content.split(b"\n")
    whole = [line for line in lines[:-1] if line.strip()]
    return "an accepted answer is gone" if len(store.accepted) < len(whole) else None


def _wrong_replies(content: bytes, file: Any) -> str | None:
    whole = [line for line in content.split(b"\n")[:-1] if line.strip()]
    return "a finished reply is gone" if len(file.rows) < len(set(whole)) else None


_SHOWN = 3  # replies of a trace


def _wrong_trace(content: bytes, shown: list[str]) -> str | None:
    """That each reply is shown with all of its candidates: their places, totals, marks and scores."""
    groups: list[list[dict]] = []
    rows, broken = _rows_until_broken(content)
    for row in rows:
        key = row["draw"], row["query"], row["id"]
        if not groups or key != tuple(groups[-1][0][name] for name in ("draw", "query", "id")):
            groups.append([])
        groups[-1].append(row)
    if broken and len(groups) <= _SHOWN:
        return "a trace with a line that is no object"
    if len(shown) != min(_SHOWN, len(groups)):
        return f"{len(shown)} replies of {len(groups)}"
    for text, group in zip(shown, groups, strict=False):
        for row in group:
            mark = "*" if row["chosen"] else " "
            parts = ["-" if value is None else f"{value:.3f}" for value in row["scores"].values()]
            start = f"  {mark} {row['index'] + 1:3d}  {row['total']:.3f}  "
            line = next((line for line in text.split("\n") if line.startswith(start)), "")
            if not line or not all(part in line for part in parts):
                return "a candidate that is not shown, or with other numbers"
    return None


def _rows_until_broken(content: bytes) -> tuple[list[dict], bool]:
    """The objects of a .jsonl up to its first line that is none, and whether there is one: replies are read lazily."""
    lines = content.split(b"\n")
    whole = [objects_of(b"\n".join(lines[:count])) for count in range(len(lines) + 1)]
    good = next((count for count in range(len(lines), -1, -1) if whole[count] is not None), 0)
    return whole[good] or [], good < len(lines)


READERS = [
    Reader(
        "predictions t2m",
        "predictions.jsonl",
        "jsonl",
        _prepare_predictions(T2M_PREDICTIONS),
        _predictions("t2m"),
        _wrong_predictions,
        {
            "a motion outside": jsonl([{"id": "a", "motion": "/dev/zero"}]),
            "a motion that is a folder": jsonl([{"id": "a", "motion": "."}]),
            "a motion with a NUL": b'{"id": "a", "motion": "\\u0000"}\n',
        },
        1.5,
    ),
    Reader(
        "predictions m2t",
        "predictions.jsonl",
        "jsonl",
        _prepare_predictions(M2T_PREDICTIONS),
        _predictions("m2t"),
        _wrong_predictions,
        {"torn": jsonl(M2T_PREDICTIONS)[:-9]},
    ),
    Reader(
        "annotations",
        "annotations.jsonl",
        "jsonl",
        holds("annotations.jsonl", jsonl(ANNOTATIONS)),
        _store,
        _wrong_store,
    ),
    Reader(
        "trace of Chain-of-Motion",
        "trace.jsonl",
        "jsonl",
        holds("trace.jsonl", jsonl(TRACE)),
        lambda folder: list(readable_traces(folder / "trace.jsonl", _SHOWN)),
        _wrong_trace,
        {
            "a total that is a text": jsonl([{**TRACE[0], "total": "0.5"}]),
            "a score that is a text": jsonl([{**TRACE[0], "scores": {"format": "0.2"}}]),
            "two replies": jsonl([*TRACE, {**TRACE[0], "query": 1, "total": 0.25}]),
            "a huge total": jsonl([{**TRACE[0], "total": 1e300}]),
        },
    ),
    Reader(
        "replies of an interrupted evaluation",
        "replies.jsonl",
        "jsonl",
        holds("replies.jsonl", jsonl(REPLIES)),
        lambda folder: ReplyFile(folder / "replies.jsonl"),
        _wrong_replies,
    ),
]
