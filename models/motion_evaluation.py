"""From predictions to the numbers of the field, text to motion (design: evaluation protocol).

A prediction that cannot be used stays in: it is a miss in R-precision, it has no part in the metrics that need a
motion (FID, MM-Dist, Diversity, physics), and its share is a metric of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.distance import cdist
from scipy.stats import hypergeom

from dataset.humanml_layout import MotionRecord
from models.predictions import Prediction
from models.real_motion_metrics import EmbeddedRecords
from models.text_motion_evaluator import TextMotionEvaluator, fit_length
from utils.metric_report import MetricValue, collect_repeats
from utils.motion_features import joints_in_metres
from utils.motion_metrics import r_precision
from utils.physics_metrics import bone_length_drift, float_mm, mean_jerk, penetration_mm, skating_ratio
from utils.skeleton import Skeleton
from utils.text_motion_protocol import GROUP, evaluate_text_to_motion

# So far from everything that a missing motion or caption is no neighbour of the others.
NOWHERE = 1e6
TOP = 3

Metrics = dict[str, MetricValue]


@dataclass(frozen=True)
class Judge:
    """Who measures, how often, and from which seed."""

    evaluator: TextMotionEvaluator
    repeats: int
    seed: int


@dataclass(frozen=True, eq=False)
class Judged:
    """An evaluation: metrics over all predictions, and scores of each by draw and clip (None: not applicable)."""

    metrics: Metrics
    samples: list[list[dict[str, float | None]]]


def judge_motions(
    draws: Sequence[Sequence[Prediction]], captions: Sequence[Sequence[str]], real: Sequence[np.ndarray], judge: Judge
) -> Judged:
    """Metrics of generated motions, averaged over draws and repeats.

    Args:
        draws: one list of predictions per draw, each in the order of `captions`.
        captions: ``word/POS`` tokens of the caption that each prediction was asked for.
        real: real motions (T, D), the reference of FID.
    """
    text = to_numpy(judge.evaluator.embed_captions(captions))
    real_embeddings = to_numpy(judge.evaluator.embed_features(real))
    usable = [np.array([_is_embeddable(prediction.motion) for prediction in row]) for row in draws]
    motions = [
        _embed_where(judge.evaluator, [prediction.motion for prediction in row], mask)
        for row, mask in zip(draws, usable, strict=True)
    ]
    rng = np.random.default_rng(judge.seed)

    def measure(draw: int) -> dict[str, float]:
        mask, order = usable[draw], rng.permutation(len(text))
        row = evaluate_text_to_motion(text[mask], motions[draw][mask], real_embeddings, rng)
        return {**row, **ranks(text[order], motions[draw][order], mask[order])}

    physics = [[_physics(prediction.motion, judge.evaluator.skeleton) for prediction in row] for row in draws]
    shares = [np.mean([prediction.well_formed for prediction in row]) for row in draws]
    metrics = {
        **over_draws(measure, len(draws), judge.repeats, len(text)),
        **_mean_physics([scores for row in physics for scores in row if scores]),
        "Well-formed": MetricValue.over_repeats(shares, len(text)),
    }
    samples = []
    for draw, row in enumerate(physics):
        matching = sample_matching(text, motions[draw], usable[draw])
        samples.append([{**own, **body} for own, body in zip(matching, row, strict=True)])
    return Judged(metrics, samples)


def real_motion_metrics(records: Sequence[MotionRecord], judge: Judge) -> Metrics:
    """The same metrics of the real motions themselves, a random caption each: what a perfect generator would score."""
    rows = EmbeddedRecords.of(judge.evaluator, records).repeats(judge.repeats, np.random.default_rng(judge.seed))
    physics = [_physics(record.features, judge.evaluator.skeleton) for record in records]
    return {**collect_repeats(rows, len(records)), **_mean_physics(physics)}


def ranks(text: np.ndarray, motion: np.ndarray, usable: np.ndarray) -> dict[str, float]:
    """R-precision of paired rows (N, E) in their order, in groups of 32; a row that is not `usable` is a miss."""
    top = r_precision(text, motion, top_k=TOP, group=GROUP, usable=usable)
    return {f"R@{rank}": float(value) for rank, value in enumerate(top, start=1)}


def sample_matching(text: np.ndarray, motion: np.ndarray, usable: np.ndarray) -> list[dict[str, float | None]]:
    """Per paired row (N, E): distance of caption and motion, and its chance to be among the top 1 to 3 of its group.

    That chance is exact over all groups of 32 that the row could be in (hypergeometric in the number of motions that
    are nearer to the caption), so systems can be compared clip by clip without the noise of one grouping.
    """
    others = len(text) - 1
    distances = cdist(text, motion)
    own = distances.diagonal()
    nearer = (distances < own[:, None]).sum(axis=1)
    rows: list[dict[str, float | None]] = []
    for index in range(len(text)):
        row: dict[str, float | None] = {"MM-Dist": float(own[index]) if usable[index] else None}
        for rank in range(1, TOP + 1):
            chance = hypergeom.cdf(rank - 1, others, nearer[index], GROUP - 1) if others >= GROUP - 1 else np.nan
            chance = float(chance) if usable[index] else 0.0
            row[f"R@{rank}"] = chance if np.isfinite(chance) else None
        rows.append(row)
    return rows


def over_draws(measure: Callable[[int], dict[str, float]], draws: int, repeats: int, n: int) -> Metrics:
    """Metrics over `repeats` shufflings, dealt out over the draws.

    What varies between evaluations is what was generated, not how it was shuffled: with several draws the interval
    is over the draws, each the mean of its shufflings. With one draw it can only be over the shufflings.
    """
    shufflings = -(-repeats // draws)
    rows = [[measure(draw) for _ in range(shufflings)] for draw in range(draws)]
    if draws == 1:
        return collect_repeats(rows[0], n)
    return collect_repeats([{name: float(np.mean([row[name] for row in own])) for name in own[0]} for own in rows], n)


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float64)


def _physics(motion: np.ndarray | None, skeleton: Skeleton) -> dict[str, float]:
    """The metrics of `utils.physics_metrics` of one motion (T, D); none without a motion."""
    if motion is None or len(motion) == 0:
        return {}
    joints = joints_in_metres(motion, skeleton)
    return {
        "Skating": skating_ratio(joints, skeleton.fps),
        "Penetration-mm": penetration_mm(joints),
        "Float-mm": float_mm(joints),
        "Jerk": mean_jerk(joints, skeleton.fps),
        "Bone-drift": bone_length_drift(joints),
    }


def _mean_physics(rows: Sequence[dict[str, float]]) -> Metrics:
    if not rows:
        return {}
    return {
        name: MetricValue.over_repeats([float(np.mean([row[name] for row in rows]))], len(rows)) for name in rows[0]
    }


def _embed_where(evaluator: TextMotionEvaluator, motions: Sequence[np.ndarray | None], mask: np.ndarray) -> np.ndarray:
    embeddings = np.full((len(motions), evaluator.sizes.embedding_size), NOWHERE)
    if mask.any():
        chosen = [motion for motion, usable in zip(motions, mask, strict=True) if usable]
        embeddings[mask] = to_numpy(evaluator.embed_features(chosen))
    return embeddings


def _is_embeddable(motion: np.ndarray | None) -> bool:
    return motion is not None and fit_length(len(motion)) > 0
