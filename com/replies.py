"""A policy answers the questions of an evaluation here: draws, Chain-of-Motion, MultiModality."""

import logging
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from com.answering import Answers, Asking, answer_all, answers_in
from com.reply_file import parts_of
from com.reply_search import QueryBatch, cost_of_rounds
from com.sharing import WHOLE, Share
from com.trace import write_trace
from models.engines.engine import ENGINE_FOLDER, Engine
from models.evaluation.judge import Judge
from models.evaluation.multimodality import multimodality_metric
from models.evaluation.predictions import Replies, with_motions
from models.evaluation.questions import Questions
from models.inference.motion_llm import MotionLLM
from models.policy.policy import Policy
from models.tokenizer.motion_tokenizer import MotionTokenizer
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
        engine: draws the replies; None: transformers.
    """

    asking: Asking
    draws: int = 1
    oracle: bool = False
    mm_texts: int = 0
    mm_replies: int = 0
    com_label: str | None = None
    decoding: str | None = None
    ranked_by: str | None = None
    engine: Engine | None = None


def asked_replies(
    policy: Policy,
    questions: Questions,
    plan: ReplyPlan,
    judge: Judge | None,
    folder: Path,
    timer: StageTimer,
    share: Share = WHOLE,
) -> Replies | None:
    """Replies of the policy to every question; those on disk from an interrupted evaluation are not asked again.

    Args:
        judge: who will measure MultiModality; None where nothing is scored.
        share: what this process asks. The replies are the same however they are shared out.

    Returns:
        None in processes that do not judge; their replies are on disk
    """
    llm = MotionLLM(policy.model, policy.language, engine=plan.engine)
    tokenizer = policy.language.motion_tokenizer
    references = questions.references if plan.oracle else None
    asked = [QueryBatch.all(queries, references) for queries in questions.queries(tokenizer, plan.draws)]
    # This process's part, which goes to its own file.
    with timer.stage("generation"):
        file = share.file(folder / REPLIES_FILE, plan.decoding)
        fresh = answer_all(llm, [share.of(draw) for draw in asked], plan.asking, file, questions.task)
    again = None
    if questions.task == "t2m" and plan.mm_replies and judge is not None:
        with timer.stage("MultiModality"):
            again = _Again(llm, asked[0], plan, share, folder)
    # From here on the replies of all are on disk, and one process goes on.
    share.processes.wait()
    if share.count > 1:
        file.read()
    if not share.judges:
        _tell(share, sum(len(draw) for draw in asked), len(file.rows))
        return None
    answers = answers_in(file, asked, fresh)
    # What is judged, and what the signature says of it.
    with timer.stage("decoding motions"):
        draws = [with_motions(row, tokenizer) for row in answers.predictions]
    multimodality = None
    if again is not None:
        with timer.stage("MultiModality"):
            multimodality = again.measured(tokenizer, judge)
    cost = None
    if plan.asking.com is not None:
        write_trace(folder / TRACE_FILE, answers.rows)
        cost = _cost(plan.asking.com.rank.weights, answers)
    return Replies(
        draws,
        checkpoint=policy.checkpoint.fingerprint(questions.task),
        com=plan.com_label,
        decoding=file.drawn_as(),
        ranked_by=plan.ranked_by,
        rewarded_by=policy.checkpoint.rewarded_by(questions.task),
        multimodality=multimodality,
        com_cost=cost,
    )


def forget_parts(folder: Path) -> None:
    """Remove what only an unfinished evaluation needs."""
    for name in (REPLIES_FILE, MULTIMODALITY_FILE):
        for file in parts_of(folder / name):
            file.unlink(missing_ok=True)
    shutil.rmtree(folder / ENGINE_FOLDER, ignore_errors=True)


def _tell(share: Share, wanted: int, found: int) -> None:
    """Say how far the evaluation is, when one of the commands that share it is done."""
    if share.shards > 1 and share.processes.is_main:
        logging.info(
            "shard %d/%d is answered; of %d replies of the evaluation %d are there%s",
            share.shard + 1,
            share.shards,
            wanted,
            found,
            ": the same command without --shard judges them" if found >= wanted else "",
        )


class _Again:
    """Some captions are asked again for MultiModality, several times each; then the motions are compared."""

    def __init__(self, llm: MotionLLM, asked: QueryBatch, plan: ReplyPlan, share: Share, folder: Path) -> None:
        seed = plan.asking.sampling.seed
        chosen = random.Random(seed).sample(range(len(asked)), min(plan.mm_texts, len(asked)))
        again = replace(plan.asking, sampling=replace(plan.asking.sampling, seed=seed + _MULTIMODALITY_SEED))
        part = asked.take(chosen)
        # A file of its own, which counts its queries from 0.
        self._asked = [QueryBatch.all(part.queries, part.references)] * plan.mm_replies
        self._file = share.file(folder / MULTIMODALITY_FILE, plan.decoding)
        own = [share.of(part) for part in self._asked]
        self._fresh = answer_all(llm, own, again, self._file, "MultiModality")

    def measured(self, tokenizer: MotionTokenizer | None, judge: Judge) -> MetricValue:
        """The metric of the replies of all processes."""
        self._file.read()  # what the others have written since
        answers = answers_in(self._file, self._asked, self._fresh)
        draws = [with_motions(row, tokenizer) for row in answers.predictions]
        by_text = list(zip(*draws, strict=True))
        return multimodality_metric(judge.evaluator, by_text, repeats=judge.repeats, seed=judge.seed)


def _cost(weights: Mapping[str, float], answers: Answers) -> dict[str, Any]:
    return {"scorers": weights, "rounds": cost_of_rounds([row for draw in answers.rows for row in draw])}
