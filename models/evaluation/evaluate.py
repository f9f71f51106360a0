"""Replies are judged here beside real motion: t2m by `motions`, m2t by `captions`."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.evaluation.captions import CaptionScoring, judge_captions, real_caption_metrics
from models.evaluation.judge import Judge, Judged, Metrics
from models.evaluation.motions import judge_motions, real_motion_metrics
from models.evaluation.predictions import Prediction, Replies
from models.evaluation.questions import Questions
from utils.metrics.report import MetricValue
from utils.metrics.text_motion import GROUP, pairs_of_diversity, too_few


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The numbers of an evaluation.

    Attributes:
        rows: metrics of the real motions, and of what was generated beside them.
        samples: scores of each reply by draw and clip.
        about: what else says how the numbers were made.
    """

    rows: dict[str, Metrics]
    samples: list[list[dict[str, float | None]]]
    about: dict[str, object]


def judge_replies(
    questions: Questions, draws: Sequence[Sequence[Prediction]], judge: Judge, scoring: CaptionScoring
) -> Judged:
    """Metrics over all predictions, and scores of each.

    Args:
        draws: one list of predictions per draw, each in the order of the questions.
        scoring: how captions are compared (m2t).
    """
    if questions.task == "m2t":
        return judge_captions(draws, questions.records, questions.tagger, judge, scoring)
    tokens = [[caption.tokens for caption in questions.captions(draw)] for draw in range(len(draws))]
    return judge_motions(draws, tokens, [record.features for record in questions.records], judge)


def evaluate_replies(
    questions: Questions, replies: Replies, judge: Judge | None, scoring: CaptionScoring | None
) -> Evaluation:
    """Judge the replies and the real motions: one row of metrics each; no row without anything to judge by."""
    if judge is None or scoring is None:
        remark = (
            f"the {len(questions.records)} clips have no captions: nothing can be scored; what the model says of them "
            "is in predictions.jsonl"
        )
        return Evaluation({}, [[{} for _ in row] for row in replies.draws], {"remarks": [remark]})
    if questions.task == "m2t":
        real = real_caption_metrics(questions.records, judge)
        judged = judge_replies(questions, replies.draws, judge, scoring)
        about = {"remarks": _left_out(questions)}
        return Evaluation({"real": real, "generated": judged.metrics}, judged.samples, about)
    real = real_motion_metrics(questions.records, judge)
    judged = judge_replies(questions, replies.draws, judge, scoring)
    generated = {**judged.metrics, "MultiModality": replies.multimodality or MetricValue(None, None, 0, 0)}
    usable = [sum(scores["MM-Dist"] is not None for scores in own) for own in judged.samples]
    few = too_few(judged.metrics["FID"].n, judge.evaluator.sizes.embedding_size)
    about = {
        "diversity_pairs": [pairs_of_diversity(count) for count in usable],
        "remarks": [*_left_out(questions), *([] if few is None else [few])],
    }
    return Evaluation({"real": real, "generated": generated}, judged.samples, about)


def _left_out(questions: Questions) -> list[str]:
    """What so few clips have no value of, in words."""
    clips = len(questions.records)
    if clips >= GROUP:
        return []
    return [f"R-precision is left out: it ranks among {GROUP} clips, and there are {clips}"]
