"""From predictions to the numbers of the field, motion to text (design: evaluation protocol).

A prediction that cannot be used is an empty caption: it scores 0 against its references and is a miss in R-precision.
"""

from collections.abc import Callable, Sequence

import numpy as np

from dataset.captions.protocols import prediction_of, references_of
from dataset.captions.tagger import Tagger
from dataset.humanml.layout import MotionRecord
from models.evaluation.judge import NOWHERE, Judge, Judged, Metrics, over_draws, ranks, sample_matching, to_numpy
from models.evaluation.predictions import Prediction
from models.text_motion.real_motion import EmbeddedRecords
from utils.metrics.captions import caption_scores, caption_scores_per_sample
from utils.metrics.report import MetricValue, collect_repeats

# What real captions can be measured by: they have no caption scores against themselves.
RETRIEVAL = ("R@1", "R@2", "R@3", "MM-Dist")

# (predictions, references of each) -> F1 of each.
SentenceScores = Callable[[Sequence[str], Sequence[Sequence[str]]], Sequence[float]]


def judge_captions(
    draws: Sequence[Sequence[Prediction]], records: Sequence[MotionRecord], tagger: Tagger, judge: Judge, protocol: str,
    bert_score: SentenceScores | None = None,
) -> Judged:  # fmt: skip
    """Caption scores against the records' captions, and retrieval of the real motion by the predicted caption.

    Args:
        draws: one list of predictions per draw, each in the order of `records`.
        records: the motions that were described, with their true captions.
        tagger: makes ``word/POS`` tokens of predicted captions.
        protocol: how captions are compared, see `dataset.captions.protocols`.
        bert_score: None where its model is not available: the metric is then named and not computed.
    """
    motion = to_numpy(judge.evaluator.embed_features([record.features for record in records]))
    references = [references_of(record.captions, protocol) for record in records]
    scores, samples, texts, masks = [], [], [], []
    for row in draws:
        answers = [(prediction.answer or "") if prediction.well_formed else "" for prediction in row]
        compared = [prediction_of(answer, protocol, tagger) if answer.strip() else "" for answer in answers]
        own = caption_scores_per_sample(compared, references)
        corpus = caption_scores(compared, references)
        if bert_score is not None:
            own = {**own, "BERTScore": np.asarray(bert_score(compared, references), dtype=np.float64)}
            corpus = {**corpus, "BERTScore": float(own["BERTScore"].mean())}
        scores.append(corpus)
        mask = np.array([bool(answer.strip()) for answer in answers])
        text = np.full(motion.shape, NOWHERE)
        if mask.any():
            tokens = [tagger.tag(answer) for answer, usable in zip(answers, mask, strict=True) if usable]
            text[mask] = to_numpy(judge.evaluator.embed_captions(tokens))
        texts.append(text)
        masks.append(mask)
        matching = sample_matching(text, motion, mask)
        samples.append([
            {**{name: float(values[index]) for name, values in own.items()}, **matching[index]}
            for index in range(len(row))
        ])  # fmt: skip
    rng = np.random.default_rng(judge.seed)

    def measure(draw: int) -> dict[str, float]:
        order = rng.permutation(len(records))
        distance = np.linalg.norm(texts[draw] - motion, axis=1)[masks[draw]]
        mean = float(distance.mean()) if len(distance) else float("nan")
        return {**ranks(texts[draw][order], motion[order], masks[draw][order]), "MM-Dist": mean}

    shares = [np.mean([prediction.well_formed for prediction in row]) for row in draws]
    metrics = collect_repeats(scores, len(records))
    # Its model cannot be assumed to be there: named, never counted as 0.
    metrics.setdefault("BERTScore", MetricValue(None, None, len(records), 0))
    metrics |= over_draws(measure, len(draws), judge.repeats, len(records))
    metrics["Well-formed"] = MetricValue.over_repeats(shares, len(records))
    return Judged(metrics, samples)


def real_caption_metrics(records: Sequence[MotionRecord], judge: Judge) -> Metrics:
    """Retrieval by the true captions, a random one each: what a perfect captioner would score."""
    rows = EmbeddedRecords.of(judge.evaluator, records).repeats(judge.repeats, np.random.default_rng(judge.seed))
    return {name: value for name, value in collect_repeats(rows, len(records)).items() if name in RETRIEVAL}
