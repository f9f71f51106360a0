"""What GRPO asks: queries drawn from chain-of-thought samples, or from a file of questions without answers."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeVar

import numpy as np

from dataset.cot.questions import Question
from dataset.cot.samples import CotSamples
from models.language.motion_language import MotionLanguage
from models.language.prompts import Query, query_of, query_without_answer

Row = TypeVar("Row")

# Columns of the training set that others name: what is asked, and what an earlier attempt in it earned.
PROMPT, DRAFT_SCORE = "prompt", "draft_score"


@dataclass(frozen=True)
class Prompts:
    """Queries and, for each, every true caption of its clip.

    Attributes:
        epoch_size: how many of them an epoch asks, the next ones each time; None: all.
    """

    queries: tuple[Query, ...]
    references: tuple[tuple[str, ...], ...]
    epoch_size: int | None = None

    @property
    def an_epoch(self) -> int:
        """How many queries an epoch asks."""
        return min(self.epoch_size or len(self.queries), len(self.queries))

    def rows(self, language: MotionLanguage) -> list[dict]:
        """The GRPO training set: one row a query."""
        pairs = zip(self.queries, self.references, strict=True)
        return [prompt_row(query, language, references) for query, references in pairs]


def draw_prompts(samples: CotSamples, tasks: Sequence[str], count: int | None, seed: int, epochs: int = 1) -> Prompts:
    """`count` (None = all) different queries for each of some epochs, in an order drawn by `seed`.

    Tasks take turns while they last. Where there are fewer than all epochs ask, the first ones are asked again when
    all were.
    """
    rows = [[(task, index) for index in np.flatnonzero(samples.usable_for(task)).tolist()] for task in tasks]
    asked, captions = _drawn(rows, count, seed, epochs), samples.captions_by_clip()
    queries = [query_of(samples.sample(index, task)) for task, index in asked]
    return Prompts(tuple(queries), tuple(captions[query.id] for query in queries), count)


def draw_questions(
    questions: Sequence[Sequence[Question]], tasks: Sequence[str], count: int | None, seed: int, epochs: int = 1
) -> Prompts:
    """As `draw_prompts`, of questions for each of the tasks; the caption of a question, if any, is its reference."""
    rows = [[(task, question) for question in some] for task, some in zip(tasks, questions, strict=True)]
    asked = _drawn(rows, count, seed, epochs)
    queries = [query_without_answer(question, task) for task, question in asked]
    references = [(question.caption,) if question.caption else () for _, question in asked]
    return Prompts(tuple(queries), tuple(references), count)


def _drawn(rows: Sequence[list[Row]], count: int | None, seed: int, epochs: int) -> list[Row]:
    """Rows by task -> those that are asked, shuffled, tasks in turns."""
    for number, some in enumerate(rows):
        random.Random(seed + number).shuffle(some)
    in_turns = [row for turn in zip_longest(*rows) for row in turn if row is not None]
    return in_turns if count is None else in_turns[: count * epochs]


def prompt_row(query: Query, language: MotionLanguage, references: Sequence[str]) -> dict:
    """A row of the GRPO training set."""
    return {
        PROMPT: language.prompt(query),
        "task": query.task,
        "caption": query.caption,
        "codes": list(query.codes),
        "references": list(references),
        "clip": query.id,
    }


def query_of_row(row: Mapping[str, Any]) -> Query:
    """The query that `prompt_row` made the row of."""
    return Query(row["task"], row["caption"], tuple(row["codes"]), id=row["clip"])
