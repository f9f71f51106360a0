"""What the evaluations of both tasks share: who judges, ranks of one clip among others, means over draws."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.distance import cdist
from scipy.stats import hypergeom

from models.text_motion.evaluator import TextMotionEvaluator
from utils.metrics.report import MetricValue
from utils.metrics.text_motion import GROUP, r_precision, samples_used
from utils.motion.skeleton import Skeleton

# So far from everything that a missing motion or caption is no neighbour of the others.
NOWHERE = 1e6
TOP = 3
Metrics = dict[str, MetricValue]


@dataclass(frozen=True)
class Judge:
    """Who measures.

    Attributes:
        evaluator: None: what needs one is left out; physics and the comparison of captions need none.
        repeats, seed: how many shufflings are taken over all draws, and their seed.
        skeleton: of the motions; None: the evaluator's.
    """

    evaluator: TextMotionEvaluator | None
    repeats: int
    seed: int
    skeleton: Skeleton | None = None

    @property
    def body(self) -> Skeleton:
        """Whose motions are measured."""
        return self.skeleton if self.evaluator is None else self.evaluator.skeleton


@dataclass(frozen=True, eq=False)
class Judged:
    """An evaluation: metrics over all predictions, and scores of each by draw and clip (None: not applicable)."""

    metrics: Metrics
    samples: list[list[dict[str, float | None]]]


def ranks(text: np.ndarray, motion: np.ndarray, usable: np.ndarray) -> dict[str, float]:
    """R-precision of paired rows (N, E) in their order, in groups of 32; a row that is not `usable` is a miss."""
    top = r_precision(text, motion, top_k=TOP, group=GROUP, usable=usable)
    return {f"R@{rank}": float(value) for rank, value in enumerate(top, start=1)}


def sample_matching(text: np.ndarray, motion: np.ndarray, usable: np.ndarray) -> list[dict[str, float | None]]:
    """Per paired row (N, E): distance of caption and motion, and its chance to be among the top 1 to 3 of its group.

    That chance is exact over all groups of 32 that the row could be in (hypergeometric in the number of motions that
    are nearer to the caption), so systems can be compared clip by clip without the noise of one grouping. Motions that
    are as near as its own, such as greedy ones of the same caption, are before it in as many orders as behind it.
    """
    others = len(text) - 1
    distances = cdist(text, motion)
    own = distances.diagonal()
    nearer = (distances < own[:, None]).sum(axis=1)
    as_near = (distances == own[:, None]).sum(axis=1)  # itself too
    places = np.arange(others + 1)
    rows: list[dict[str, float | None]] = [
        {"MM-Dist": float(d) if there else None} for d, there in zip(own, usable, strict=True)
    ]
    for rank in range(1, TOP + 1):
        chances = hypergeom.cdf(rank - 1, others, places, GROUP - 1) if others >= GROUP - 1 else None
        for row, first, count, there in zip(rows, nearer, as_near, usable, strict=True):
            known = None if chances is None else float(chances[first : first + count].mean())
            row[f"R@{rank}"] = known if there or known is None else 0.0
    return rows


def retrieval_counts(clips: int, usable: Sequence[int]) -> dict[str, int]:
    """How many samples stand behind R-precision and MM-Dist, of so many clips and so many usable replies a draw."""
    return {**{f"R@{rank}": samples_used(clips) for rank in range(1, TOP + 1)}, "MM-Dist": min(usable)}


def mean_over_shufflings(measure: Callable[[], dict[str, float]], shufflings: int) -> dict[str, float]:
    """What depends on the order of clips, in the mean over orders: how replies were shuffled says nothing of them."""
    rows = [measure() for _ in range(shufflings)]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def over_draws(
    rows: Sequence[Mapping[str, float]], n: Mapping[str, int], over_clips: Mapping[str, float | None]
) -> Metrics:
    """Metrics with their intervals of one dict of them a draw.

    Args:
        n: samples by metric, of the draw with the fewest.
        over_clips: half-widths of intervals over clips, for one draw; a metric that is not in it has none.
    """
    return {
        name: MetricValue.over_draws([row[name] for row in rows], n[name], over_clips.get(name)) for name in rows[0]
    }


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float64)
