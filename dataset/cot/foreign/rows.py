"""A row of foreign chain-of-thought data becomes lines of our jsonl."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from dataset.cot.foreign.columns import Columns
from dataset.cot.foreign.replies import (
    caption_in_query,
    codes_in_text,
    codes_of,
    last_exchange,
    split_reply,
    text_of,
    without_tags,
)
from dataset.cot.lines import clip_id, parse_line

_FILE_ENDINGS = (".npy", ".npz", ".mp4", ".txt", ".json", ".bvh")
# How foreign data call the tasks; the empty task serves both.
_TASKS = {
    "t2m": (
        "t2m",
        "text_to_motion",
        "text2motion",
        "motion_generation",
        "generation",
        "generate",
        "mogen",
        "mogen_cot",
    ),
    "m2t": (
        "m2t",
        "motion_to_text",
        "motion2text",
        "motion_understanding",
        "understanding",
        "motion_captioning",
        "captioning",
        "mound",
        "mound_cot",
    ),
    "": ("", "both", "t2m_m2t", "none", "null"),
}


def task_in_name(name: str) -> str:
    """The task that the name of a file or split says (mogen_cot.jsonl: t2m); empty where it says none or both."""
    said = {task for task in ("t2m", "m2t") if re.search("|".join(_TASKS[task]), name.lower())}
    return said.pop() if len(said) == 1 else ""


@dataclass(frozen=True)
class ConvertedLine:
    """A line of JSON and a hash, by which lines of equal caption, codes, reasoning and task are found in a process."""

    text: str
    content: int


class RowConverter:
    """Converts rows that have the same columns.

    Args:
        columns: the columns by role.
        codes: codes by id, in place of those of the rows; None: the rows hold them.
        nb_code: codes must be below it; None skips that check.
        task: of every row; None: each row says it, by a task or by whether its query or its reply holds the codes.
        default_task: of a row that does not say it.
    """

    def __init__(
        self,
        columns: Columns,
        codes: Mapping[str, Any] | None = None,
        nb_code: int | None = None,
        task: str | None = None,
        default_task: str = "",
    ) -> None:
        self._columns, self._codes, self._nb_code = columns, codes, nb_code
        self._task, self._default_task = task, default_task

    def lines(self, row: Mapping[str, Any]) -> Iterator["ConvertedLine"]:
        """A line for every caption of the row. Raises ValueError, which says what is wrong with the row."""
        texts = self._texts(row)
        fields: dict[str, Any] = {"motion_tokens": self._codes_of(row, texts)}
        if texts.reasoning:
            fields["reasoning"] = texts.reasoning
        if task := self._task_of(row, texts):
            fields["task"] = task
        if (weight := self._value(row, "sample_weight")) is not None:
            fields["sample_weight"] = _number(weight) if isinstance(weight, str) else weight
        if clip := self._id(row):
            fields["id"] = clip
        for caption in self._captions(row, texts):
            line = json.dumps({"caption": caption, **fields}, ensure_ascii=False)
            parse_line(line, self._nb_code)  # refuses here what a later reading would refuse
            said = caption, tuple(fields["motion_tokens"]), texts.reasoning, task
            yield ConvertedLine(line, hash(said))

    def _texts(self, row: Mapping[str, Any]) -> "_RowTexts":
        query, context = text_of(self._value(row, "query")), text_of(self._value(row, "context"))
        answer = text_of(self._value(row, "reply"))
        if "conversation" in self._columns:
            query, answer = last_exchange(self._value(row, "conversation"))
            context = ""
        reply = split_reply(answer)
        told = text_of(self._value(row, "reasoning"))
        thoughts = split_reply(told)
        goes_on = "caption" in self._columns and thoughts.answer and "<answer>" not in told.lower()
        stray = reply.stray or ("" if reply.answer or goes_on else thoughts.answer and thoughts.stray)
        if stray:
            raise ValueError(f"the thoughts of the reply have no end, or two: {stray} stands beside them")
        if not thoughts.reasoning or goes_on:  # all of it is reasoning, and what is wrong with it is said later
            thoughts = replace(thoughts, reasoning=told.strip(), answer="")
        return _RowTexts(query, context, reply.answer or thoughts.answer, reply.reasoning or thoughts.reasoning)

    def _codes_of(self, row: Mapping[str, Any], texts: "_RowTexts") -> list[int]:
        if self._codes is not None:
            clip = self._id(row)
            if clip not in self._codes:
                raise ValueError(f"there are no codes of {clip[:60]!r}")
            return [int(code) for code in self._codes[clip]]
        if "motion_tokens" in self._columns:
            return codes_of(self._value(row, "motion_tokens"))
        if texts.asked is not None and texts.replied is not None:
            raise ValueError("there are motion codes in the query and in the reply: a line holds one motion")
        found = texts.asked if texts.asked is not None else texts.replied
        if found is None:
            raise ValueError("there are no motion codes in the query or the reply")
        return found

    def _captions(self, row: Mapping[str, Any], texts: "_RowTexts") -> list[str]:
        value = self._value(row, "caption")
        if value is not None:
            captions = value if isinstance(value, list) else [value]
        elif texts.asked is not None or (texts.replied is None and texts.answer):
            captions = [without_tags(texts.answer)]
        else:
            captions = [texts.context.strip() or caption_in_query(texts.query)]
        if not captions or not all(isinstance(caption, str) and caption.strip() for caption in captions):
            raise ValueError("there is no caption")
        return captions

    def _task_of(self, row: Mapping[str, Any], texts: "_RowTexts") -> str:
        if self._task is not None:
            return self._task
        value = self._value(row, "task")
        if value is None:
            return texts.task or self._default_task
        name = re.sub(r"[^a-z0-9]+", "_", str(value).lower()).strip("_")
        task = next((task for task, names in _TASKS.items() if name in names), None)
        if task is None:
            raise ValueError(f"the task {str(value)[:60]!r} is neither t2m nor m2t (--task says it for all rows)")
        return task

    def _id(self, row: Mapping[str, Any]) -> str:
        value = self._value(row, "id")
        if isinstance(value, float) and value.is_integer():  # a table reader makes such of ids where one is missing
            value = int(value)
        name = PurePosixPath(clip_id(value)).name
        return next((name.removesuffix(ending) for ending in _FILE_ENDINGS if name.endswith(ending)), name)

    def _value(self, row: Mapping[str, Any], role: str) -> Any:
        """The value of a role; None where no column holds it or the row leaves it empty."""
        value = row.get(self._columns.by_role[role]) if role in self._columns else None
        is_missing_text = isinstance(value, float) and math.isnan(value) and role != "sample_weight"
        return None if value == "" or is_missing_text else value


def _number(text: str) -> float:
    """The weight that a csv holds as text."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"the sample weight must be a number, found {text[:60]!r}") from None


@dataclass(frozen=True)
class _RowTexts:
    """The texts of a row: its query, the context of the query, the answer, and the reasoning before it."""

    query: str
    context: str
    answer: str
    reasoning: str

    @property
    def asked(self) -> list[int] | None:
        """The codes that the query is about; None where it holds none."""
        return codes_in_text(f"{self.query} {self.context}")

    @property
    def replied(self) -> list[int] | None:
        """The codes of the answer; None where it holds none."""
        return codes_in_text(self.answer)

    @property
    def task(self) -> str:
        """The task by the place of the codes: in the query (m2t) or in the answer (t2m); empty where in neither."""
        return "m2t" if self.asked is not None else "t2m" if self.replied is not None else ""
