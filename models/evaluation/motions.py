"""From generated motions to the numbers of the field (text to motion).

A prediction that cannot be used stays in: it is a miss in R-precision, it has no part in the metrics that need a
motion (FID, MM-Dist, Diversity, physics, facts), and its share is a metric of its own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataset.humanml.layout import MotionRecord
from models.evaluation.facts import OF_MOTIONS, facts_of, kept
from models.evaluation.judge import (
    NOWHERE,
    Judge,
    Judged,
    Metrics,
    mean_over_shufflings,
    over_draws,
    ranks,
    retrieval_counts,
    sample_matching,
    to_numpy,
)
from models.evaluation.predictions import Prediction
from models.text_motion.evaluator import TextMotionEvaluator, fit_length
from models.text_motion.real_motion import EmbeddedRecords
from utils.metrics.bootstrap import mean_intervals, r_precision_intervals, resampled
from utils.metrics.physics import bone_length_drift, float_mm, mean_jerk, penetration_mm, skating_ratio
from utils.metrics.report import MetricValue
from utils.metrics.text_motion import evaluate_text_to_motion, samples_used
from utils.motion.features import joints_in_metres
from utils.motion.skeleton import Skeleton

PHYSICS = ("Skating", "Penetration-mm", "Float-mm", "Jerk", "Bone-drift")
# What each motion has by itself.
ONE_BY_ONE = (*PHYSICS, *OF_MOTIONS)


def judge_motions(
    draws: Sequence[Sequence[Prediction]],
    captions: Sequence[Sequence[Sequence[str]]],
    real: Sequence[np.ndarray],
    judge: Judge,
) -> Judged:
    """Metrics of generated motions, averaged over draws and repeats.

    Args:
        draws: one list of predictions per draw, each in the order of `captions`.
        captions: ``word/POS`` tokens of the caption that each prediction was asked for, by draw.
        real: real motions (T, D), the reference of FID.
    """
    usable = [np.array([_is_embeddable(prediction.motion) for prediction in row]) for row in draws]
    bodies = [[_of_one(prediction.motion, [prediction.caption], judge.body) for prediction in row] for row in draws]
    pairs, real_embeddings = [None] * len(draws), None
    if (evaluator := judge.evaluator) is not None:
        real_embeddings = to_numpy(evaluator.embed_features(real))
        texts = [to_numpy(evaluator.embed_captions(row)) for row in captions]
        motions = [
            _embed_where(evaluator, [prediction.motion for prediction in row], mask, real_embeddings.shape[1])
            for row, mask in zip(draws, usable, strict=True)
        ]
        pairs = [_Pairs(*own) for own in zip(texts, motions, usable, strict=True)]
    drawn = [_Draw(*own) for own in zip(draws, usable, bodies, pairs, strict=True)]
    rng, shufflings = np.random.default_rng(judge.seed), -(-judge.repeats // len(draws))
    rows = [draw.metrics(real_embeddings, shufflings, rng) for draw in drawn]
    # Whole groups only, of the draw with the fewest; physics of all that have a motion.
    whole = min(samples_used(int(mask.sum())) for mask in usable)
    counts = {**retrieval_counts(len(real), [whole]), "Well-formed": len(real)}
    counts |= dict.fromkeys(("FID", "FID-norm", "Diversity"), whole)
    counts |= {name: sum(draw.count(name) for draw in drawn) for name in ONE_BY_ONE}
    intervals = drawn[0].intervals_over_clips(judge.seed) if len(drawn) == 1 else {}
    return Judged(over_draws(rows, counts, intervals), [draw.samples for draw in drawn])


@dataclass(frozen=True, eq=False)
class _Pairs:
    """What the evaluator says of N predictions.

    Attributes:
        text, motion: (N, E) paired embeddings; `NOWHERE` without a motion.
        usable: (N,) there is a motion to embed.
    """

    text: np.ndarray
    motion: np.ndarray
    usable: np.ndarray

    def metrics(self, real: np.ndarray, shufflings: int, rng: np.random.Generator) -> dict[str, float]:
        """In the mean over shufflings; `real`: (M, E), the reference of FID."""

        def measure() -> dict[str, float]:
            order, mask = rng.permutation(len(self.text)), self.usable
            row = evaluate_text_to_motion(self.text[mask], self.motion[mask], real, rng)
            return {**row, **ranks(self.text[order], self.motion[order], mask[order])}

        return mean_over_shufflings(measure, shufflings)

    @property
    def samples(self) -> list[dict[str, float | None]]:
        return sample_matching(self.text, self.motion, self.usable)

    def intervals_over_clips(self, weights: np.ndarray) -> dict[str, float | None]:
        """Half-widths of all but FID and Diversity, which are of motions together."""
        distance = np.where(self.usable, np.linalg.norm(self.text - self.motion, axis=1), np.nan)
        return {
            **r_precision_intervals(weights, self.text, self.motion, self.usable),
            **mean_intervals(weights, {"MM-Dist": distance}),
        }


@dataclass(frozen=True, eq=False)
class _Draw:
    """One prediction a caption, with what is said of it.

    Attributes:
        usable: (N,) there is a motion to embed.
        bodies: `ONE_BY_ONE` of each prediction.
        pairs: None without an evaluator.
    """

    predictions: Sequence[Prediction]
    usable: np.ndarray
    bodies: Sequence[dict[str, float]]
    pairs: _Pairs | None

    def metrics(self, real: np.ndarray | None, shufflings: int, rng: np.random.Generator) -> dict[str, float]:
        """All metrics; NaN: there is nothing to measure."""
        bodies = {name: values[np.isfinite(values)] for name, values in self._columns().items()}
        return {
            **({} if self.pairs is None else self.pairs.metrics(real, shufflings, rng)),
            **{name: float(values.mean()) if len(values) else math.nan for name, values in bodies.items()},
            "Well-formed": float(np.mean([prediction.well_formed for prediction in self.predictions])),
        }

    def count(self, name: str) -> int:
        """How many motions have a metric of `ONE_BY_ONE`."""
        return sum(name in scores for scores in self.bodies)

    @property
    def samples(self) -> list[dict[str, float | None]]:
        """Scores of each prediction."""
        matching = [{} for _ in self.bodies] if self.pairs is None else self.pairs.samples
        return [{**own, **body} for own, body in zip(matching, self.bodies, strict=True)]

    def intervals_over_clips(self, seed: int) -> dict[str, float | None]:
        """Half-widths of all metrics but FID and Diversity."""
        weights = resampled(len(self.predictions), seed)
        formed = np.array([prediction.well_formed for prediction in self.predictions], dtype=np.float64)
        return {
            **({} if self.pairs is None else self.pairs.intervals_over_clips(weights)),
            **mean_intervals(weights, {"Well-formed": formed, **self._columns()}),
        }

    def _columns(self) -> dict[str, np.ndarray]:
        """(N,) of each of `ONE_BY_ONE`, NaN for a motion that has none."""
        return {name: np.array([scores.get(name, math.nan) for scores in self.bodies]) for name in ONE_BY_ONE}


def real_motion_metrics(records: Sequence[MotionRecord], judge: Judge) -> Metrics:
    """The same metrics of the real motions themselves, a random caption each: what a perfect generator would score."""
    bodies = _means(
        [_of_one(record.features, [caption.text for caption in record.captions], judge.body) for record in records]
    )
    if judge.evaluator is None:
        return bodies
    rows = EmbeddedRecords.of(judge.evaluator, records).repeats(judge.repeats, np.random.default_rng(judge.seed))
    found = {name: [row[name] for row in rows] for name in rows[0]}
    matched = {name: MetricValue.over_draws(values, samples_used(len(records))) for name, values in found.items()}
    return {**matched, **bodies}


def _of_one(motion: np.ndarray | None, captions: Sequence[str | None], skeleton: Skeleton) -> dict[str, float]:
    """`ONE_BY_ONE` of a motion (T, D), as far as it has them; of several captions in the mean."""
    facts = facts_of(motion, skeleton)
    rows = [row for caption in captions if (row := kept(caption, facts))]
    columns = {name: [row[name] for row in rows if name in row] for name in OF_MOTIONS}
    held = {name: float(np.mean(values)) for name, values in columns.items() if values}
    return {**_physics(motion, skeleton), **held}


def _physics(motion: np.ndarray | None, skeleton: Skeleton) -> dict[str, float]:
    """Those metrics of `utils.metrics.physics` that one motion (T, D) has; none without a motion."""
    if motion is None or len(motion) == 0:
        return {}
    joints = joints_in_metres(motion, skeleton)
    scores = (
        skating_ratio(joints, skeleton.fps),
        penetration_mm(joints),
        float_mm(joints),
        mean_jerk(joints, skeleton.fps),
        bone_length_drift(joints),
    )
    return {name: value for name, value in zip(PHYSICS, scores, strict=True) if math.isfinite(value)}


def _means(rows: Sequence[dict[str, float]]) -> Metrics:
    """Each metric over the real motions that have it; nothing was drawn, so it has no interval."""
    columns = {name: [row[name] for row in rows if name in row] for name in ONE_BY_ONE}
    return {name: MetricValue(float(np.mean(own)), None, len(own), 1) for name, own in columns.items() if own}


def _embed_where(
    evaluator: TextMotionEvaluator, motions: Sequence[np.ndarray | None], mask: np.ndarray, size: int
) -> np.ndarray:
    """(N, size) embeddings of the motions in `mask`."""
    embeddings = np.full((len(motions), size), NOWHERE)
    if mask.any():
        chosen = [motion for motion, usable in zip(motions, mask, strict=True) if usable]
        embeddings[mask] = to_numpy(evaluator.embed_features(chosen))
    return embeddings


def _is_embeddable(motion: np.ndarray | None) -> bool:
    return motion is not None and fit_length(len(motion)) > 0
