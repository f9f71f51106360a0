"""The best replies to questions that nobody has answered become lines of chain of thought."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from com.answering import Asking, answer_all, answers_in
from com.replies import REPLIES_FILE, TRACE_FILE
from com.reply_file import ReplyFile
from com.reply_search import QueryBatch
from com.trace import write_trace
from dataset.cot.questions import Question
from dataset.cot.sample import Sample
from dataset.cot.samples import read_cot_jsonl, write_cot_jsonl
from dataset.cot.source import CotSource, write_cot_source
from models.evaluation.facts import facts_of, kept
from models.evaluation.predictions import Prediction, with_motions
from models.inference.motion_llm import MotionLLM
from models.language.prompts import query_without_answer
from models.language.replies import parse_reply
from models.tokenizer.loading import check_codes
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.errors import InputError
from utils.files.json_files import read_jsonl

WINNERS_FILE, TOKENIZER_FILE = "winners.jsonl", "motion_tokenizer.pth"
_CONTRADICTED = "contradicted by its motion"


def answered(
    llm: MotionLLM, questions: Sequence[Question], task: str, asking: Asking, folder: Path
) -> list[Prediction]:
    """The best reply to each question, in their order; those that `folder` holds are not asked for again.

    The folder also gets ``trace.jsonl``: every candidate of each question with its scores.
    """
    asked = [QueryBatch.all([query_without_answer(question, task) for question in questions])]
    file = ReplyFile(folder / REPLIES_FILE)
    answers = answers_in(file, asked, answer_all(llm, asked, asking, file, "asking"))
    write_trace(folder / TRACE_FILE, answers.rows)
    return with_motions(answers.predictions[0], llm.language.motion_tokenizer)


def write_winners(
    folder: Path,
    questions: Sequence[Question],
    task: str,
    best: Sequence[Prediction],
    tokenizer: MotionTokenizer,
    beside: str | None,
    keep_contradicted: bool,
) -> dict[str, Any]:
    """Write ``winners.jsonl`` with the motion tokenizer that its codes are of, and count what was left out.

    Args:
        best: the best reply to each of the questions.
        beside: CoT jsonl whose lines of the task come first.
        keep_contradicted: also what its motion contradicts.

    Returns:
        numbers of the run by name

    Raises:
        InputError: no winner is left, or the lines beside them are of another motion tokenizer.
    """
    # What cannot be learned from.
    pairs = zip(questions, best, strict=True)
    problems = [_problem(question, task, one, tokenizer, keep_contradicted) for question, one in pairs]
    winners = [
        _line(question, task, one)
        for question, one, problem in zip(questions, best, problems, strict=True)
        if problem is None
    ]
    left_out = Counter(problem for problem in problems if problem is not None)
    if not winners:
        raise InputError(f"{folder}: no reply of {len(best)} can be learned from ({_counts(left_out)})")
    # The lines, and what made their codes.
    earlier = [] if beside is None else _lines_of(beside, task, tokenizer)
    tokenizer.save(folder / TOKENIZER_FILE)
    source = CotSource(str(folder / TOKENIZER_FILE), tokenizer.fingerprint, tokenizer.nb_code, str(folder))
    write_cot_source(folder / WINNERS_FILE, source)
    write_cot_jsonl(folder / WINNERS_FILE, [*earlier, *winners], both_tasks=False)
    return {
        "questions": len(questions),
        "winners": len(winners),
        "left out": _counts(left_out),
        "lines beside them": len(earlier),
        **_scores(folder / TRACE_FILE),
    }


def _problem(
    question: Question, task: str, reply: Prediction, tokenizer: MotionTokenizer, keep_contradicted: bool
) -> str | None:
    """Why nothing can be learned from a reply; None where something can."""
    if reply.problem is not None or keep_contradicted:
        return reply.problem
    motion = reply.motion if task == "t2m" else tokenizer.decode(question.codes)
    text = question.caption if task == "t2m" else reply.answer
    told = kept(text, facts_of(motion, tokenizer.skeleton))
    return _CONTRADICTED if told.get("Contradicted") else None


def _line(question: Question, task: str, reply: Prediction) -> Sample:
    parts = parse_reply(reply.text or "", task)
    of_clip = question.id.strip() if question.id == question.id.strip() else ""  # a line's number is no id
    if task == "t2m":
        return Sample(task, question.caption, tuple(parts.codes), parts.reasoning or "", id=of_clip)
    return Sample(task, parts.answer, question.codes, parts.reasoning or "", id=of_clip)


def _lines_of(path: str, task: str, tokenizer: MotionTokenizer) -> list[Sample]:
    check_codes(path, tokenizer, "the model")
    samples = read_cot_jsonl(path, tokenizer.nb_code, task)
    return [samples.sample(index, task) for index in range(len(samples))]


def _scores(trace: Path) -> dict[str, float]:
    """What choosing among replies has earned: the mean score of a first candidate, and of the chosen ones."""
    rows = read_jsonl(trace)
    firsts = [row["total"] for row in rows if row["round"] == 0 and row["index"] == 0]
    chosen = [row["total"] for row in rows if row["chosen"]]
    return {"score of a first reply": fmean(firsts), "score of the winner": fmean(chosen)}


def _counts(left_out: Counter[str]) -> str:
    return ", ".join(f"{count} {problem}" for problem, count in left_out.most_common()) or "none"
