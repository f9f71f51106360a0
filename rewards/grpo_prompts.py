"""What GRPO asks: queries drawn from chain-of-thought samples."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataset.cot_samples import CotSamples
from models.prompts import Query, query_of


@dataclass(frozen=True)
class Prompts:
    """Queries and, for each, every true caption of its clip."""

    queries: tuple[Query, ...]
    references: tuple[tuple[str, ...], ...]


def draw_prompts(samples: CotSamples, tasks: Sequence[str], count: int | None, seed: int) -> Prompts:
    """`count` (None = all) different queries, tasks in turn, in an order drawn by `seed`."""
    by_task = []
    for number, task in enumerate(tasks):
        indices = np.flatnonzero(samples.usable_for(task)).tolist()
        random.Random(seed + number).shuffle(indices)
        by_task.append([(task, index) for index in indices])
    rows = [row for turn in zip(*by_task, strict=False) for row in turn] if len(by_task) > 1 else by_task[0]
    captions = samples.captions_by_clip()
    queries = [query_of(samples.sample(index, task)) for task, index in rows[:count]]
    return Prompts(tuple(queries), tuple(captions[query.id] for query in queries))
