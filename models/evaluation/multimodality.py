"""MultiModality of generated motions: how far apart are motions made for the same caption?

Published protocol (Guo et al., CVPR 2022): 100 captions, 30 motions each, 10 random pairs of motions per caption (two
draws of 10 of the 30 without repetition, paired in order, the same for all captions), mean distance in the evaluator's
space; an evaluation repeats the drawing some 20 times. A motion may so be paired with itself, which makes the value
1 / samples too small: values are comparable only between equal numbers of samples.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from models.text_motion.evaluator import TextMotionEvaluator, fit_length
from utils.metrics.report import OVER_PAIRS, MetricValue
from utils.metrics.text_motion import multimodality

PAIRS = 10
SAMPLES = 30


class HasMotion(Protocol):
    """Anything with a motion (T, D) of denormalised features, or None: a `Rollout`, a `Prediction`."""

    @property
    def motion(self) -> np.ndarray | None: ...


def multimodality_metric(
    evaluator: TextMotionEvaluator,
    rollouts_per_text: Sequence[Sequence[HasMotion]],
    pairs: int = PAIRS,
    repeats: int = 20,
    seed: int = 0,
) -> MetricValue:
    """MultiModality of several replies to each of T captions, with its interval over the drawings of pairs: with other
    replies it may differ by more.

    A reply without a usable motion (none, or fewer than 4 frames) is left out; a caption with fewer than two usable
    ones is left out too, and one with fewer than `pairs` uses as many pairs as it has motions. Every caption counts
    the same.

    Returns:
        A value whose `n` is the number of captions that count; not computed (mean None) where none does.
    """
    motions = [
        [reply.motion for reply in replies if reply.motion is not None and fit_length(len(reply.motion)) > 0]
        for replies in rollouts_per_text
    ]
    motions = [own for own in motions if len(own) > 1]
    if not motions:
        return MetricValue(None, None, 0, repeats)
    embeddings = evaluator.embed_features([motion for own in motions for motion in own])
    rows = np.split(embeddings.cpu().numpy(), np.cumsum([len(own) for own in motions])[:-1])
    return multimodality_of_embeddings(rows, pairs, repeats, seed)


def multimodality_of_embeddings(rows: Sequence[np.ndarray], pairs: int, repeats: int, seed: int) -> MetricValue:
    """The metric of T captions with (S_t, E) embeddings each, S_t >= 2."""
    by_size = {size: np.stack([own for own in rows if len(own) == size]) for size in sorted({len(own) for own in rows})}
    rng = np.random.default_rng(seed)

    def draw() -> float:
        sums = [len(group) * multimodality(group, min(pairs, size), rng) for size, group in by_size.items()]
        return float(sum(sums) / len(rows))

    found = MetricValue.over_repeats([draw() for _ in range(repeats)], len(rows))
    return found if found.interval is None else replace(found, over=OVER_PAIRS)
