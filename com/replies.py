"""A policy answers the questions of an evaluation here: draws, Chain-of-Motion, MultiModality."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from com.answering import Answers, Asking, answer_all
from com.reply_file import ReplyFile
from com.reply_search import QueryBatch, cost_of_rounds
from com.trace import write_trace
from models.evaluation.judge import Judge
from models.evaluation.multimodality import multimodality_metric
from models.evaluation.predictions import Replies, with_motions
from models.evaluation.questions import Questions
from models.inference.motion_llm import MotionLLM
from models.policy.policy import Policy
from utils.metrics.report import MetricValue
from utils.run.stage_timer import StageTimer

# Replies of an evaluation that is not finished.
REPLIES_FILE, MULTIMODALITY_FILE = "replies.part.jsonl", "multimodality.part.jsonl"
TRACE_FILE = "trace.jsonl"
# MultiModality is not measured on the replies that the other metrics see.
_MULTIMODALITY_SEED = 500


@dataclass(frozen=True)
class ReplyPlan:
    """How many replies an evaluation asks for, and how.

    Attributes:
        asking: sampling and, perhaps, Chain-of-Motion.
        draws: replies to each question.
        oracle: Chain-of-Motion may rank by the true captions: an upper bound, no result.
        mm_texts, mm_replies: captions that MultiModality is averaged over, and replies to each; 0 replies leave it out.
        com_label, decoding: what the signature says of Chain-of-Motion (None without), and of how replies are drawn.
        ranked_by: fingerprint of the evaluator among its scorers; None without one.
    """

    asking: Asking
    draws: int = 1
    oracle: bool = False
    mm_texts: int = 0
    mm_replies: int = 0
    com_label: str | None = None
    decoding: str | None = None
    ranked_by: str | None = None


def asked_replies(
    policy: Policy, questions: Questions, plan: ReplyPlan, judge: Judge | None, folder: Path, timer: StageTimer
) -> Replies:
    """Replies of the policy to every question; those on disk from an interrupted evaluation are not asked again.

    Args:
        judge: who will measure MultiModality; None where nothing is scored.
    """
    llm, tokenizer = MotionLLM(policy.model, policy.language), policy.language.motion_tokenizer
    references = questions.references if plan.oracle else None
    asked = [QueryBatch.all(queries, references) for queries in questions.queries(tokenizer, plan.draws)]
    with timer.stage("generation"):
        file = ReplyFile(folder / REPLIES_FILE)
        answers = answer_all(llm, asked, plan.asking, file, questions.task)
    with timer.stage("decoding motions"):
        draws = [with_motions(row, tokenizer) for row in answers.predictions]
    multimodality = None
    if questions.task == "t2m" and plan.mm_replies and judge is not None:
        with timer.stage("MultiModality"):
            multimodality = _multimodality(llm, asked[0], plan, judge, folder)
    cost = None
    if plan.asking.com is not None:
        write_trace(folder / TRACE_FILE, answers.rows)
        cost = _cost(plan.asking.com.rank.weights, answers)
    return Replies(
        draws,
        checkpoint=policy.checkpoint.fingerprint(questions.task),
        com=plan.com_label,
        decoding=plan.decoding,
        ranked_by=plan.ranked_by,
        rewarded_by=policy.checkpoint.rewarded_by(questions.task),
        multimodality=multimodality,
        com_cost=cost,
    )


def forget_parts(folder: Path) -> None:
    """Remove what only an unfinished evaluation needs."""
    for name in (REPLIES_FILE, MULTIMODALITY_FILE):
        (folder / name).unlink(missing_ok=True)


def _multimodality(llm: MotionLLM, asked: QueryBatch, plan: ReplyPlan, judge: Judge, folder: Path) -> MetricValue:
    seed = plan.asking.sampling.seed
    chosen = random.Random(seed).sample(range(len(asked)), min(plan.mm_texts, len(asked)))
    again = replace(plan.asking, sampling=replace(plan.asking.sampling, seed=seed + _MULTIMODALITY_SEED))
    part = asked.take(chosen)
    part = QueryBatch.all(part.queries, part.references)  # a file of its own, which counts its queries from 0
    file = ReplyFile(folder / MULTIMODALITY_FILE)
    answers = answer_all(llm, [part] * plan.mm_replies, again, file, "MultiModality")
    draws = [with_motions(row, llm.language.motion_tokenizer) for row in answers.predictions]
    by_text = list(zip(*draws, strict=True))
    return multimodality_metric(judge.evaluator, by_text, repeats=judge.repeats, seed=judge.seed)


def _cost(weights: Mapping[str, float], answers: Answers) -> dict[str, Any]:
    return {"scorers": weights, "rounds": cost_of_rounds([row for draw in answers.rows for row in draw])}
