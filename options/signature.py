"""What the numbers of eval_mllm.py are signed with, and what results.json says beside them."""

from typing import TYPE_CHECKING

from options.evaluate import EvalSettings
from utils.metrics.report import Signature

if TYPE_CHECKING:
    from models.evaluation.judge import Judge
    from models.evaluation.predictions import Replies
    from models.evaluation.questions import Questions


def signed(
    settings: EvalSettings, judge: "Judge | None", questions: "Questions", replies: "Replies"
) -> tuple[Signature, dict[str, object]]:
    """(the signature of every number, what else a reader may want to know)"""
    return _signature(settings, judge, questions, replies), _about(settings, questions, replies)


def _signature(settings: EvalSettings, judge: "Judge | None", questions: "Questions", replies: "Replies") -> Signature:
    judging = None if judge is None or judge.evaluator is None else judge.evaluator.fingerprint
    notes = (*(() if judging is None else replies.partiality_of(judging)), *replies.notes)
    of_captions = settings.evaluation.eval_task == "m2t"
    return Signature(
        data=settings.data.dataname,
        split=settings.evaluation.eval_split,
        seed=settings.run.seed,
        evaluator=judging,
        checkpoint=replies.checkpoint,
        com=replies.com,
        decoding=replies.decoding,
        protocol=settings.evaluation.m2t_protocol if of_captions else None,
        tagger=questions.tagger.name,
        bertscore=_bertscore(settings, questions),
        notes=",".join(notes) or None,
    )


def _about(settings: EvalSettings, questions: "Questions", replies: "Replies") -> dict[str, object]:
    flags = settings.evaluation
    sampling = {"temperature": settings.temperature, "top_p": flags.top_p, "samples": len(replies.draws)}
    return {
        "task": flags.eval_task,
        "sampling": None if replies.decoding is None else sampling,
        "tagger": questions.tagger.name,
        "bertscore": _bertscore(settings, questions),
        "chain_of_motion": replies.com_cost,
        "ranked_by": replies.ranked_by,
        "rewarded_by": list(replies.rewarded_by),
    }


def _bertscore(settings: EvalSettings, questions: "Questions") -> str | None:
    scorer = settings.bert_scorer
    return scorer.label if questions.can_be_scored and scorer is not None else None
