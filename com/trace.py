"""The traces of Chain-of-Motion: what every candidate was, for files and for eyes."""

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from com.chain_of_motion import Chain
from models.language.rollout import Rollout
from utils.errors import InputError
from utils.files.json_files import numbered_rows, write_jsonl

_WIDTH = 110
# What is shown of a candidate, and what each value is.
_WHOLE, _TEXT, _NUMBER, _NONE = (int,), (str,), (int, float), type(None)
_SHOWN = {
    **dict.fromkeys(("draw", "query", "round", "index"), _WHOLE),
    **dict.fromkeys(("id", "text"), _TEXT),
    "chosen": (bool,),
    "total": _NUMBER,
    "scores": (dict,),
    "duplicate_of": (*_WHOLE, _NONE),
    "lacking": (*_TEXT, _NONE),
}


def trace_rows(chain: Chain[Rollout], reflections: Mapping[int, str]) -> list[dict[str, Any]]:
    """One row a candidate: round, index, chosen, total, scores, duplicate_of, tokens drawn and kept, lacking, text,
    finished, codes (t2m).

    `reflections` are by round what the reflection said the best attempt lacked.
    """
    return [
        {
            "round": attempt.round,
            "index": attempt.index,
            "chosen": attempt.chosen,
            "total": attempt.score.total,
            "scores": dict(attempt.score.parts),
            "duplicate_of": attempt.duplicate_of,
            "tokens": attempt.candidate.drawn_tokens,
            "kept": attempt.candidate.given_tokens,
            "lacking": reflections.get(attempt.round),
            "text": attempt.candidate.text,
            "finished": attempt.candidate.finished,
            "codes": _codes(attempt.candidate),
        }
        for attempt in chain.trace
    ]


def write_trace(path: Path, draws: Sequence[Sequence[dict[str, Any]]]) -> None:
    """trace.jsonl: every candidate of every reply (rows of ``com.answering``), one a line."""
    write_jsonl(
        path,
        (
            {"draw": row["draw"], "id": row["id"], "query": row["query"], **attempt}
            for rows in draws
            for row in rows
            for attempt in row["trace"]
        ),
    )


def readable_traces(path: Path, count: int) -> Iterator[str]:
    """The first `count` replies of a trace.jsonl as text: by round, the chosen candidate marked with ``*``."""
    if not count:
        return
    if not path.is_file():
        raise InputError(
            f"{path} has gone: leave --show-trace out, or delete finished.json beside it to have it searched again"
        )
    rows = (_checked(row, f"{path}:{number}") for number, row in numbered_rows(path))
    replies = itertools.groupby(rows, key=lambda row: (row["draw"], row["query"], row["id"]))
    for (draw, _, clip), own in itertools.islice(replies, count):
        yield "\n".join([f"{clip}" + (f", draw {draw + 1}" if draw else ""), *_lines(list(own))])


def _checked(row: dict[str, Any], where: str) -> dict[str, Any]:
    """The row. Raises InputError where it is no line of `write_trace`."""
    scores = row.get("scores")
    values = scores.values() if isinstance(scores, dict) else [scores]
    bad = [name for name, kinds in _SHOWN.items() if name not in row or type(row[name]) not in kinds]
    bad += ["scores"] if any(type(value) not in (int, float, type(None)) for value in values) else []
    if bad:
        raise InputError(f"{where}: not a candidate of Chain-of-Motion ({', '.join(bad)}); evaluate again")
    return row


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    round_number = None
    for row in rows:
        if row["round"] != round_number:
            round_number = row["round"]
            yield f"  round {round_number + 1}{_asked_for(row)}"
        scores = "  ".join(
            f"{name} {'-' if value is None else format(value, '.3f')}" for name, value in row["scores"].items()
        )
        again = "" if row["duplicate_of"] is None else f"  (same as {row['duplicate_of'] + 1})"
        yield f"  {'*' if row['chosen'] else ' '} {row['index'] + 1:3d}  {row['total']:.3f}  {scores}{again}"
        if row["duplicate_of"] is None:
            text = row["text"].replace("</think><answer>", " => ").removesuffix("</answer>")
            yield textwrap.fill(text, _WIDTH, initial_indent=" " * 11, subsequent_indent=" " * 11)


def _asked_for(row: Mapping[str, Any]) -> str:
    """What a round was to do, by its first candidate."""
    if row["round"] == 0:
        return ""
    kept = row.get("kept")  # earlier versions only reflected
    lacking = "" if row["lacking"] is None else f", lacking: {row['lacking'] or '-'}"
    return f": better than the best so far{lacking}" + (f", whose first {kept} tokens stay at least" if kept else "")


def _codes(rollout: Rollout) -> list[int] | None:
    return rollout.codes.tolist() if rollout.task == "t2m" and rollout.codes is not None else None
