"""From predicted captions to the numbers of the field (motion to text).

A prediction that cannot be used is an empty caption: it scores 0 against its references and is a miss in R-precision.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dataset.captions.protocols import PTB, prediction_of, references_of, splits_at_blanks
from dataset.captions.tagger import Tagger
from dataset.facts.motion_facts import MotionFacts
from dataset.humanml.layout import MotionRecord
from models.evaluation.facts import OF_CAPTIONS, facts_of, grounded
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
from models.text_motion.real_motion import EmbeddedRecords
from utils.metrics.bootstrap import half_width, mean_intervals, r_precision_intervals, resampled
from utils.metrics.captions import bleu_counts, bleu_of, caption_scores_per_sample
from utils.metrics.criteria import RETRIEVAL
from utils.metrics.ptb_tokenizer import ptb_tokens
from utils.metrics.report import MetricValue
from utils.metrics.text_motion import samples_used

# (predictions, references of each) -> F1 of each.
SentenceScores = Callable[[Sequence[str], Sequence[Sequence[str]]], Sequence[float]]


@dataclass(frozen=True)
class CaptionScoring:
    """How predicted captions are compared with true ones.

    Attributes:
        protocol: see `dataset.captions.protocols`.
        bert_score: None where its model is not available: the metric is then named and not computed.
    """

    protocol: str = PTB
    bert_score: SentenceScores | None = None


def judge_captions(
    draws: Sequence[Sequence[Prediction]],
    records: Sequence[MotionRecord],
    tagger: Tagger,
    judge: Judge,
    scoring: CaptionScoring,
) -> Judged:
    """Caption scores against the records' captions, and retrieval of the real motion by the predicted caption.

    Args:
        draws: one list of predictions per draw, each in the order of `records`.
        records: the motions that were described, with their true captions.
        tagger: makes ``word/POS`` tokens of predicted captions.
    """
    motion = None
    if judge.evaluator is not None:
        motion = to_numpy(judge.evaluator.embed_features([record.features for record in records]))
    references = [references_of(record.captions, scoring.protocol) for record in records]
    facts = [facts_of(record.features, judge.body) for record in records]
    said = [_judge_draw(row, motion, facts, references, tagger, judge, scoring) for row in draws]
    rng, shufflings = np.random.default_rng(judge.seed), -(-judge.repeats // len(draws))
    rows = [draw.metrics(shufflings, rng) for draw in said]
    counts = dict.fromkeys(rows[0], len(records))
    counts |= {name: sum(int(np.isfinite(draw.own[name]).sum()) for draw in said) for name in OF_CAPTIONS}
    counts |= retrieval_counts(len(records), [int(draw.usable.sum()) for draw in said])
    intervals = said[0].intervals_over_clips(judge.seed) if len(said) == 1 else {}
    metrics = over_draws(rows, counts, intervals)
    # Its model cannot be assumed to be there: named, never counted as 0.
    metrics.setdefault("BERTScore", MetricValue(None, None, len(records), 0))
    return Judged(metrics, [draw.samples for draw in said])


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Where N predicted captions lie in the evaluator's space beside the real motions.

    Attributes:
        text: (N, E); `NOWHERE` without a caption.
        motion: (N, E).
        usable: (N,) there is a caption.
    """

    text: np.ndarray
    motion: np.ndarray
    usable: np.ndarray

    def metrics(self, shufflings: int, rng: np.random.Generator) -> dict[str, float]:
        """R-precision in the mean over shufflings, and MM-Dist."""

        def measure() -> dict[str, float]:
            order = rng.permutation(len(self.motion))
            return ranks(self.text[order], self.motion[order], self.usable[order])

        distance = self.distance[self.usable]
        matching = float(distance.mean()) if len(distance) else math.nan
        return {**mean_over_shufflings(measure, shufflings), "MM-Dist": matching}

    def intervals_over_clips(self, weights: np.ndarray) -> dict[str, float | None]:
        """Half-widths of all metrics."""
        return {
            **r_precision_intervals(weights, self.text, self.motion, self.usable),
            **mean_intervals(weights, {"MM-Dist": self.distance}),
        }

    @property
    def distance(self) -> np.ndarray:
        """(N,) of captions and motions; NaN without a caption."""
        return np.where(self.usable, np.linalg.norm(self.text - self.motion, axis=1), np.nan)


@dataclass(frozen=True, eq=False)
class _Draw:
    """One predicted caption a motion.

    Attributes:
        usable: (N,) there is a caption.
        well_formed: (N,) the reply can be used.
        bleu: (N, ...) counts behind BLEU (`utils.metrics.captions.bleu_counts`).
        own: (N,) of each score that captions have one by one; NaN where one has none.
        pairs: None without an evaluator.
    """

    usable: np.ndarray
    well_formed: np.ndarray
    bleu: np.ndarray
    own: dict[str, np.ndarray]
    pairs: _Pairs | None

    def metrics(self, shufflings: int, rng: np.random.Generator) -> dict[str, float]:
        """All metrics; those that depend on an order in the mean over shufflings."""
        return {
            **{f"BLEU@{order}": float(value) for order, value in enumerate(bleu_of(self.bleu.sum(axis=0)), start=1)},
            **{name: _mean(values) for name, values in self.own.items()},
            **({} if self.pairs is None else self.pairs.metrics(shufflings, rng)),
            "Well-formed": float(self.well_formed.mean()),
        }

    @property
    def samples(self) -> list[dict[str, float | None]]:
        """Scores of each."""
        pairs = self.pairs
        matching = [{}] * len(self.usable) if pairs is None else sample_matching(pairs.text, pairs.motion, pairs.usable)
        return [
            {**{name: float(own[index]) for name, own in self.own.items() if np.isfinite(own[index])}, **row}
            for index, row in enumerate(matching)
        ]

    def intervals_over_clips(self, seed: int) -> dict[str, float | None]:
        """Half-widths of all metrics. CIDEr's weights of words stay those of all clips."""
        weights = resampled(len(self.usable), seed)
        of_bleu = bleu_of(weights @ self.bleu)
        return {
            **{f"BLEU@{order}": half_width(values) for order, values in enumerate(of_bleu.T, start=1)},
            **mean_intervals(weights, {**self.own, "Well-formed": self.well_formed}),
            **({} if self.pairs is None else self.pairs.intervals_over_clips(weights)),
        }


def _mean(values: np.ndarray) -> float:
    """Of those that are known; NaN without any."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _judge_draw(
    row: Sequence[Prediction],
    motion: np.ndarray | None,
    facts: Sequence[MotionFacts | None],
    references: Sequence[Sequence[str]],
    tagger: Tagger,
    judge: Judge,
    scoring: CaptionScoring,
) -> _Draw:
    answers = [(prediction.answer or "") if prediction.well_formed else "" for prediction in row]
    # Against the true captions.
    compared = [prediction_of(answer, scoring.protocol, tagger) if answer.strip() else "" for answer in answers]
    split = str.split if splits_at_blanks(scoring.protocol) else ptb_tokens
    own = caption_scores_per_sample(compared, references, split)
    if scoring.bert_score is not None:
        own = {**own, "BERTScore": np.asarray(scoring.bert_score(compared, references), dtype=np.float64)}
    # Against the motion: measured, then by the evaluator.
    found = [grounded(answer, own_facts) for answer, own_facts in zip(answers, facts, strict=True)]
    own = {**own, **{name: np.array([one.get(name, math.nan) for one in found]) for name in OF_CAPTIONS}}
    usable = np.array([bool(answer.strip()) for answer in answers])
    pairs = None
    if motion is not None:
        text = np.full(motion.shape, NOWHERE)
        if usable.any():
            tokens = [tagger.tag(answer) for answer, there in zip(answers, usable, strict=True) if there]
            text[usable] = to_numpy(judge.evaluator.embed_captions(tokens))
        pairs = _Pairs(text, motion, usable)
    well_formed = np.array([prediction.well_formed for prediction in row], dtype=np.float64)
    return _Draw(usable, well_formed, bleu_counts(compared, references, split), own, pairs)


def real_caption_metrics(records: Sequence[MotionRecord], judge: Judge) -> Metrics:
    """Facts of the true captions, and retrieval by them, a random one each: what a perfect captioner would score.

    There are no caption scores: a caption has none against itself.
    """
    told = [
        grounded(caption.text, facts)
        for record in records
        for facts in [facts_of(record.features, judge.body)]
        for caption in record.captions
    ]
    columns = {name: [row[name] for row in told if name in row] for name in OF_CAPTIONS}
    measured = {name: MetricValue(float(np.mean(own)), None, len(own), 1) for name, own in columns.items() if own}
    if judge.evaluator is None:
        return measured
    rows = EmbeddedRecords.of(judge.evaluator, records).repeats(judge.repeats, np.random.default_rng(judge.seed))
    used = samples_used(len(records))
    found = {name: MetricValue.over_draws([row[name] for row in rows], used) for name in rows[0] if name in RETRIEVAL}
    return {**found, **measured}
