"""From generated motions to the numbers of the field (text to motion).

A prediction that cannot be used stays in: it is a miss in R-precision, it has no part in the metrics that need a
motion (FID, MM-Dist, Diversity, physics), and its share is a metric of its own.
"""

import math
from collections.abc import Sequence

import numpy as np

from dataset.humanml.layout import MotionRecord
from models.evaluation.judge import (
    NOWHERE,
    Judge,
    Judged,
    Metrics,
    over_draws,
    ranks,
    retrieval_counts,
    sample_matching,
    to_numpy,
)
from models.evaluation.predictions import Prediction
from models.text_motion.evaluator import TextMotionEvaluator, fit_length
from models.text_motion.real_motion import EmbeddedRecords
from utils.metrics.physics import bone_length_drift, float_mm, mean_jerk, penetration_mm, skating_ratio
from utils.metrics.report import MetricValue, collect_repeats
from utils.metrics.text_motion import evaluate_text_to_motion, samples_used
from utils.motion.features import joints_in_metres
from utils.motion.skeleton import Skeleton


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

    whole = min(samples_used(int(mask.sum())) for mask in usable)
    counts = {**retrieval_counts(len(text), [whole]), "FID": whole, "Diversity": whole}
    physics = [[_physics(prediction.motion, judge.evaluator.skeleton) for prediction in row] for row in draws]
    shares = [np.mean([prediction.well_formed for prediction in row]) for row in draws]
    metrics = {
        **over_draws(measure, len(draws), judge.repeats, counts),
        **_mean_physics([scores for row in physics for scores in row]),
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
    return {**collect_repeats(rows, samples_used(len(records))), **_mean_physics(physics)}


def _physics(motion: np.ndarray | None, skeleton: Skeleton) -> dict[str, float]:
    """Those metrics of `utils.metrics.physics` that one motion (T, D) has; none without a motion."""
    if motion is None or len(motion) == 0:
        return {}
    joints = joints_in_metres(motion, skeleton)
    scores = {
        "Skating": skating_ratio(joints, skeleton.fps),
        "Penetration-mm": penetration_mm(joints),
        "Float-mm": float_mm(joints),
        "Jerk": mean_jerk(joints, skeleton.fps),
        "Bone-drift": bone_length_drift(joints),
    }
    return {name: value for name, value in scores.items() if math.isfinite(value)}


def _mean_physics(rows: Sequence[dict[str, float]]) -> Metrics:
    """Each metric over the motions that have it."""
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return {name: MetricValue.over_repeats([float(np.mean(values))], len(values)) for name, values in columns.items()}


def _embed_where(evaluator: TextMotionEvaluator, motions: Sequence[np.ndarray | None], mask: np.ndarray) -> np.ndarray:
    embeddings = np.full((len(motions), evaluator.sizes.embedding_size), NOWHERE)
    if mask.any():
        chosen = [motion for motion, usable in zip(motions, mask, strict=True) if usable]
        embeddings[mask] = to_numpy(evaluator.embed_features(chosen))
    return embeddings


def _is_embeddable(motion: np.ndarray | None) -> bool:
    return motion is not None and fit_length(len(motion)) > 0
