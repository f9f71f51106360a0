"""Whether a chain of thought that another model wrote may become training data, and if not, why.

Rules that need no model and read English. They reject what is surely bad; what they let pass need not be good.
"""

import re
from dataclasses import dataclass

from dataset.caption_facts import agrees, facts_of
from dataset.fact_check import contradictions
from utils.motion_facts import MotionFacts

# Of the words of English prose more than a third are of this kind (at least a fifth in 2,650 texts about motion).
_ENGLISH_SHARE = 0.15
_COMMON = (
    "a about after all an and as at back before both but by down each every for from has have he her his in into is it "
    "its itself of off on one only or out over she so that the their them then there they this through to two up "
    "upper while which who with without"
)
_ENGLISH = frozenset(_COMMON.split())
_FOREIGN_LETTERS = 0.1
# Words of reasoning that its caption does not hold, each counted once.
_NEW_WORDS = 8
_SOURCES = {
    # What the own model will have in front of it is the motion (m2t) or the text (t2m), nothing else.
    "m2t": re.compile(
        r"\b(caption|captions|(the|this|given|provided|reference) (sentence|description|text|prompt|measurements?)"
        r"|measured (facts?|data|values?)|contact sheet|(the|this) (images?|pictures?|frames))\b"
    ),
    "t2m": re.compile(
        r"\b(measurements?|measured (facts?|data|motion|values?)|contact sheet|(the|this) (images?|pictures?))\b"
    ),
}
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+")
_DENIAL = re.compile(r"\b(not|no|never|neither|nor|without|instead|rather|cannot|nothing|hardly)\b|n't\b")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


@dataclass(frozen=True)
class Bounds:
    """Least and most words of reasoning."""

    min_words: int = 20
    max_words: int = 180


@dataclass(frozen=True)
class Rejection:
    """Why: one of a few kinds, for counting, and what was found."""

    kind: str
    detail: str


def rejection_of(
    task: str, caption: str, reasoning: str, answer: str, facts: MotionFacts | None, bounds: Bounds
) -> Rejection | None:
    """None for an acceptable annotation.

    Args:
        task: ``t2m`` or ``m2t``.
        caption: what it was written for.
        reasoning: the chain of thought.
        answer: the sentence that it ends in.
        facts: measured on the motion; None checks nothing against them.
        bounds: of the reasoning's length.
    """
    return (
        _length(reasoning, bounds)
        or _language(f"{reasoning} {answer}")
        or _copy(reasoning, caption)
        or _source(reasoning, task)
        or _against_caption(answer, caption)
        or (_against_motion(reasoning, answer, facts) if facts else None)
    )


def _length(reasoning: str, bounds: Bounds) -> Rejection | None:
    count = len(reasoning.split())
    if bounds.min_words <= count <= bounds.max_words:
        return None
    return Rejection("length", f"{count} words, expected {bounds.min_words} to {bounds.max_words}")


def _language(text: str) -> Rejection | None:
    letters = [letter for letter in text if letter.isalpha()]
    foreign = sum(not letter.isascii() for letter in letters)
    if foreign > _FOREIGN_LETTERS * len(letters):
        return Rejection("language", f"{foreign} of {len(letters)} letters are not English")
    words = _words(text)
    known = sum(word in _ENGLISH for word in words)
    if known < _ENGLISH_SHARE * len(words):
        return Rejection("language", f"only {known} of {len(words)} words are common English ones")
    return None


def _copy(reasoning: str, caption: str) -> Rejection | None:
    new = set(_words(reasoning)) - set(_words(caption))
    if len(new) >= _NEW_WORDS:
        return None
    return Rejection("copy", f"{len(new)} words that the caption does not hold, expected {_NEW_WORDS}")


def _source(reasoning: str, task: str) -> Rejection | None:
    found = _SOURCES[task].search(reasoning.lower())
    return Rejection("source", f"speaks of {found.group()!r}") if found else None


def _against_caption(answer: str, caption: str) -> Rejection | None:
    said = facts_of(answer)
    for slot, values in facts_of(caption).items():
        others = said.get(slot)
        if others and not any(agrees(slot, value, others) for value in values):
            return Rejection(
                "answer", f"{slot}: the caption says {' and '.join(values)}, the answer {' and '.join(others)}"
            )
    return None


def _against_motion(reasoning: str, answer: str, facts: MotionFacts) -> Rejection | None:
    """A sentence is read as a caption; it is believed to mean the whole clip only where the whole text agrees with it.

    So "turns left" is no contradiction where a later sentence turns right. Sentences that deny something are left out.
    """
    sentences = [text for text in _SENTENCE_END.split(f"{reasoning} {answer}") if not _DENIAL.search(text.lower())]
    in_all = contradictions(" ".join(sentences), facts)
    in_one = [item for text in sentences for item in contradictions(text, facts)]
    for item in in_all:
        if item in in_one:
            return Rejection("contradiction", f"says {item.said}, but the motion {item.done}")
    return None


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
