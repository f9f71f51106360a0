"""Reading and writing chain-of-thought jsonl (design: formats), one JSON object a line.

Files are memory-mapped through `datasets`, so that 140,000 lines load fast and are never held in memory.
"""

import json
import math
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value, load_dataset

from dataset.sample import TASKS, Sample
from utils.errors import InputError
from utils.files import write_jsonl

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
    """Open a CoT jsonl (plain or .gz).

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
    lines = load_dataset("text", data_files=str(path), split="train", keep_linebreaks=False)
    rows = lines.map(
        _parse_row,
        with_indices=True,
        remove_columns=["text"],
        features=_FEATURES,
        fn_kwargs={"nb_code": nb_code},
        desc=f"reading {path.name}",
    )
    bad = rows.filter(lambda problem: problem != "", input_columns="problem")
    if len(bad) and not skip_bad_lines:
        raise InputError(f"{path}:{bad[0]['problem']}" + (f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""))
    rows = rows.filter(
        lambda problem, row_task, caption: problem == "" and caption != "" and (not task or row_task in ("", task)),
        input_columns=["problem", "task", "caption"],
    )
    if len(rows) == 0:
        wanted = f" for task {task}" if task else ""
        raise InputError(f"{path} holds no usable line{wanted} ({len(bad)} malformed)")
    return CotSamples(rows, dropped=len(bad))


class CotSamples:
    """Lazy rows of a CoT jsonl; `samples(task)` gives them as `Sample`."""

    def __init__(self, rows: Dataset, dropped: int = 0) -> None:
        self.rows = rows
        self.dropped = dropped

    def __len__(self) -> int:
        return len(self.rows)

    def sample(self, index: int, task: str) -> Sample:
        """Row `index` as a sample of `task`."""
        row = self.rows[index]
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
        return self.rows[index]["task"]

    def at_most(self, max_codes: int) -> "CotSamples":
        """Only the rows whose motion has at most `max_codes` codes."""
        rows = self.rows.filter(lambda codes: len(codes) <= max_codes, input_columns="codes")
        return CotSamples(rows, self.dropped)

    def mean_weight(self) -> float:
        """Mean sample weight; 1 where it would be no divisor."""
        mean = sum(self.rows["sample_weight"]) / len(self)
        return mean if mean > 0 else 1.0

    def captions_by_clip(self) -> dict[str, tuple[str, ...]]:
        """Every caption of each clip id: the references of a motion."""
        captions: dict[str, list[str]] = {}
        for index, (clip, caption) in enumerate(zip(self.rows["id"], self.rows["caption"], strict=True)):
            captions.setdefault(clip or str(index), []).append(caption)
        return {clip: tuple(items) for clip, items in captions.items()}

    def split(self, fraction: float, seed: int) -> tuple["CotSamples", "CotSamples"]:
        """(rest, held out): a fixed share of the clips, never a clip's captions on both sides."""
        keys = [row_id or str(index) for index, row_id in enumerate(self.rows["id"])]
        clips = sorted(set(keys))
        random.Random(seed).shuffle(clips)
        held_out = set(clips[: max(1, round(fraction * len(clips)))])
        inside = [index for index, key in enumerate(keys) if key in held_out]
        outside = [index for index, key in enumerate(keys) if key not in held_out]
        if not outside:
            raise InputError(f"{len(clips)} clip(s) are too few to hold some out for validation")
        return CotSamples(self.rows.select(outside)), CotSamples(self.rows.select(inside))


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


def _parse_row(row: dict[str, str], index: int, nb_code: int | None) -> dict[str, Any]:
    line = row["text"].strip()
    if not line:
        return dict(_EMPTY)  # a blank line is no sample and no mistake
    try:
        return _parse_line(line, nb_code)
    except (ValueError, TypeError) as error:
        return {**_EMPTY, "problem": f"{index + 1}: {error}"}


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
    return {
        "id": str(value.get("id") or ""),
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
    worst = max(value) if nb_code is not None and max(value) >= nb_code else min(value)
    if worst < 0 or (nb_code is not None and worst >= nb_code):
        raise ValueError(f"motion token {worst} is outside the codebook [0, {nb_code})")
    return value
