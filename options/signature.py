"""What the numbers of eval_mllm.py are signed with, and what results.json says beside them."""

from typing import TYPE_CHECKING

from options.evaluate import EvalSettings
from utils.metrics.report import Signature
from utils.run.devices import model_dtype

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
    of_captions = settings.evaluation.eval_task == "m2t"
    return Signature(
        data=settings.data.dataname,
        split=settings.evaluation.eval_split,
        seed=settings.run.seed,
        evaluator=None if judge is None else judge.evaluator.fingerprint,
        checkpoint=replies.checkpoint,
        com=replies.com,
        decoding=None if replies.checkpoint is None else _decoding(settings),
        protocol=settings.evaluation.m2t_protocol if of_captions else None,
        tagger=questions.tagger.name if of_captions else None,
        bertscore=_bertscore(settings, questions),
        notes=",".join(replies.notes) or None,
    )


def _about(settings: EvalSettings, questions: "Questions", replies: "Replies") -> dict[str, object]:
    flags = settings.evaluation
    return {
        "task": flags.eval_task,
        "sampling": {"temperature": settings.temperature, "top_p": flags.top_p, "samples": len(replies.draws)},
        "tagger": questions.tagger.name,
        "bertscore": _bertscore(settings, questions),
        "chain_of_motion": replies.com_cost,
    }


def _decoding(settings: EvalSettings) -> str:
    """How replies were drawn: temperature (of each round), nucleus, longest reply, precision."""
    flags, com = settings.evaluation, settings.com
    rounds = com.com_temperature if com.use_com else []
    shown = "/".join(f"{value:g}" for value in rounds or [settings.temperature])
    precision = str(model_dtype(settings.model.precision, settings.device)).removeprefix("torch.")
    return f"T{shown},p{flags.top_p:g},max{flags.max_new_tokens},{precision}"


def _bertscore(settings: EvalSettings, questions: "Questions") -> str | None:
    scorer = settings.bert_scorer
    return scorer.label if questions.can_be_scored and scorer is not None else None
