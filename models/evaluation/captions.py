"""From predicted captions to the numbers of the field (motion to text).

A prediction that cannot be used is an empty caption: it scores 0 against its references and is a miss in R-precision.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dataset.captions.protocols import prediction_of, references_of
from dataset.captions.tagger import Tagger
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
from models.text_motion.real_motion import EmbeddedRecords
from utils.metrics.captions import caption_scores, caption_scores_per_sample
from utils.metrics.criteria import RETRIEVAL
from utils.metrics.report import MetricValue, collect_repeats
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

    protocol: str = "raw"
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
    motion = to_numpy(judge.evaluator.embed_features([record.features for record in records]))
    references = [references_of(record.captions, scoring.protocol) for record in records]
    said = [_judge_draw(row, motion, references, tagger, judge, scoring) for row in draws]
    rng = np.random.default_rng(judge.seed)

    def measure(draw: int) -> dict[str, float]:
        text, usable, order = said[draw].text, said[draw].usable, rng.permutation(len(records))
        distance = np.linalg.norm(text - motion, axis=1)[usable]
        mean = float(distance.mean()) if len(distance) else float("nan")
        return {**ranks(text[order], motion[order], usable[order]), "MM-Dist": mean}

    shares = [np.mean([prediction.well_formed for prediction in row]) for row in draws]
    metrics = collect_repeats([draw.corpus for draw in said], len(records))
    # Its model cannot be assumed to be there: named, never counted as 0.
    metrics.setdefault("BERTScore", MetricValue(None, None, len(records), 0))
    usable = [int(draw.usable.sum()) for draw in said]
    metrics |= over_draws(measure, len(draws), judge.repeats, retrieval_counts(len(records), usable))
    metrics["Well-formed"] = MetricValue.over_repeats(shares, len(records))
    return Judged(metrics, [draw.samples for draw in said])


@dataclass(frozen=True, eq=False)
class _Draw:
    """One predicted caption a motion.

    Attributes:
        text: (N, E) where the captions lie in the evaluator's space; `NOWHERE` without one.
        usable: (N,) there is a caption.
        corpus: scores of all captions together.
        samples: scores of each.
    """

    text: np.ndarray
    usable: np.ndarray
    corpus: dict[str, float]
    samples: list[dict[str, float | None]]


def _judge_draw(
    row: Sequence[Prediction],
    motion: np.ndarray,
    references: Sequence[Sequence[str]],
    tagger: Tagger,
    judge: Judge,
    scoring: CaptionScoring,
) -> _Draw:
    answers = [(prediction.answer or "") if prediction.well_formed else "" for prediction in row]
    # Against the true captions.
    compared = [prediction_of(answer, scoring.protocol, tagger) if answer.strip() else "" for answer in answers]
    own = caption_scores_per_sample(compared, references)
    corpus = caption_scores(compared, references)
    if scoring.bert_score is not None:
        own = {**own, "BERTScore": np.asarray(scoring.bert_score(compared, references), dtype=np.float64)}
        corpus = {**corpus, "BERTScore": float(own["BERTScore"].mean())}
    # Against the motion.
    usable = np.array([bool(answer.strip()) for answer in answers])
    text = np.full(motion.shape, NOWHERE)
    if usable.any():
        tokens = [tagger.tag(answer) for answer, there in zip(answers, usable, strict=True) if there]
        text[usable] = to_numpy(judge.evaluator.embed_captions(tokens))
    matching = sample_matching(text, motion, usable)
    samples = [
        {**{name: float(values[index]) for name, values in own.items()}, **matching[index]} for index in range(len(row))
    ]
    return _Draw(text, usable, corpus, samples)


def real_caption_metrics(records: Sequence[MotionRecord], judge: Judge) -> Metrics:
    """Retrieval by the true captions, a random one each: what a perfect captioner would score.

    There are no caption scores: a caption has none against itself.
    """
    rows = EmbeddedRecords.of(judge.evaluator, records).repeats(judge.repeats, np.random.default_rng(judge.seed))
    return {
        name: value for name, value in collect_repeats(rows, samples_used(len(records))).items() if name in RETRIEVAL
    }
