"""The grammar of replies: a reply is taken apart here, and nowhere else.

{reasoning}</think><answer>{answer}</answer>        answer of t2m: <Motion><Motion_17>...</Motion>, of m2t: a caption
"""

from dataclasses import dataclass

from dataset.captions.tags import ANSWER_CLOSE, ANSWER_OPEN, MARKERS, THINK_CLOSE
from models.language.vocabulary import is_motion_text, read_codes


@dataclass(frozen=True)
class ParsedReply:
    """A reply taken apart. A part is None where the reply lacks it; `problem` is None for a well-formed reply."""

    reasoning: str | None
    answer: str | None
    codes: tuple[int, ...] | None
    problem: str | None


def parse_reply(text: str, task: str) -> ParsedReply:
    """Take a reply apart by the grammar above. Never raises: a malformed reply is a result, not an error."""
    reasoning, closed, rest = text.partition(THINK_CLOSE)
    if not closed:
        return ParsedReply(None, None, None, "no </think>")
    before, opened, rest = rest.partition(ANSWER_OPEN)
    answer, closed, after = rest.partition(ANSWER_CLOSE)
    if not opened or not closed:
        return ParsedReply(reasoning.strip(), None, None, "no <answer>...</answer>")
    codes = tuple(read_codes(answer)) or None if task == "t2m" else None
    problem = None
    if any(marker in reasoning for marker in MARKERS) or read_codes(reasoning):
        problem = "tags inside the reasoning"
    elif before.strip() or after.strip():
        problem = "text outside <think> and <answer>"
    elif task == "t2m" and not is_motion_text(answer):
        problem = "the answer is not one <Motion>...</Motion>"
    elif task == "m2t" and (not answer.strip() or any(m in answer for m in MARKERS) or read_codes(answer)):
        problem = "the answer is not a sentence"
    return ParsedReply(reasoning.strip(), answer.strip(), codes, problem)
