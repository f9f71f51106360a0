"""Replies are judged here beside real motion: t2m by `motions`, m2t by `captions`."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.evaluation.captions import CaptionScoring, judge_captions, real_caption_metrics
from models.evaluation.judge import Judge, Judged, Metrics
from models.evaluation.motions import judge_motions, real_motion_metrics
from models.evaluation.predictions import Prediction, Replies
from models.evaluation.questions import Questions
from utils.metrics.text_motion import GROUP, pairs_of_diversity, too_few

WITHOUT_JUDGE = (
    "no evaluator judged: what is measured in its space (R-precision, MM-Dist, FID, Diversity) is left out; --rescore "
    "EVALUATOR measures it without asking the model again"
)


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
    judged = judge_replies(questions, replies.draws, judge, scoring)
    generated, remarks = judged.metrics, _left_out(questions, judge)
    if questions.task == "m2t":
        real = real_caption_metrics(questions.records, judge)
        return Evaluation(
            ({"real": real} if real else {}) | {"generated": generated}, judged.samples, {"remarks": remarks}
        )
    if replies.multimodality is not None:
        generated = {**generated, "MultiModality": replies.multimodality}
    about = {}
    if judge.evaluator is not None:
        usable = [sum(scores["MM-Dist"] is not None for scores in own) for own in judged.samples]
        about["diversity_pairs"] = [pairs_of_diversity(count) for count in usable]
        few = too_few(generated["FID"].n, judge.evaluator.sizes.embedding_size)
        remarks += [] if few is None else [few]
    rows = {"real": real_motion_metrics(questions.records, judge), "generated": generated}
    return Evaluation(rows, judged.samples, {**about, "remarks": remarks})


def _left_out(questions: Questions, judge: Judge) -> list[str]:
    """What is not measured, in words: for want of a judge, or of clips."""
    clips = len(questions.records)
    if judge.evaluator is None:
        return [WITHOUT_JUDGE]
    if clips >= GROUP:
        return []
    return [f"R-precision is left out: it ranks among {GROUP} clips, and there are {clips}"]
