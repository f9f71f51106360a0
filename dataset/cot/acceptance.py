"""Rules decide whether a chain of thought that another model wrote may become training data, and why not.

They need no model and read English. They reject what is surely bad; what they let pass need not be good.
"""

import re
from dataclasses import dataclass

from dataset.facts.caption_facts import agrees, facts_of
from dataset.facts.contradictions import contradictions
from dataset.facts.motion_facts import MotionFacts

# Least share of these common words. In English prose they are more than a third of the words, and at least a fifth in
# each of 2,650 texts about motion.
_ENGLISH_SHARE = 0.15
_COMMON = (
    "a about after all an and as at back before both but by down each every for from has have he her his in into is it "
    "its itself of off on one only or out over she so that the their them then there they this through to two up "
    "upper while which who with without"
)
_ENGLISH = frozenset(_COMMON.split())
# Largest share of letters that are not ASCII.
_FOREIGN_LETTERS = 0.1
# Least number of different words of the reasoning that its caption does not hold: fewer are a copy of the caption.
_NEW_WORDS = 8
# Words that give away a source of the annotating model which our model will not have: it sees the motion (m2t) or the
# text (t2m), nothing else.
_SOURCES = {
    "m2t": re.compile(
        r"\b(caption|captions|(the|this|given|provided|reference) (sentence|description|text|prompt|measurements?)"
        r"|measured (facts?|data|values?)|contact sheet|(the|this) (images?|pictures?|frames))\b"
    ),
    "t2m": re.compile(
        r"\b(measurements?|measured (facts?|data|motion|values?)|contact sheet|(the|this) (images?|pictures?))\b"
    ),
}
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+")
_CLAUSE_END = re.compile(r"[.,;:!?()]|\b(?:while|as|and|but|with|so|because|which|where|when|since)\b")
# Travel and turns are measured on the pelvis, so a clause about another part of the body is not held against them.
_BODY_PART = re.compile(
    r"\b(hand|arm|forearm|wrist|elbow|fist|palm|shoulder|leg|knee|ankle|heel|toe|hip|thigh|torso|trunk|chest|spine|back"
    r"|waist|head|neck|face|gaze|weight|limb)s?\b|\b(foot|feet|eyes|upper body|centre of mass|center of mass)\b"
)
_RAISING = re.compile(r"\b(rais|lift|wav)")
_DENIAL = re.compile(r"\b(not|no|never|neither|nor|without|instead|rather|cannot|nothing|hardly)\b|n't\b")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


@dataclass(frozen=True)
class Bounds:
    """The least and the largest number of words that reasoning may have."""

    min_words: int = 20
    max_words: int = 180


@dataclass(frozen=True)
class Rejection:
    """Why an annotation is not accepted: one of a few kinds, for counting, and what was found."""

    kind: str
    detail: str


def rejection_of(
    task: str, caption: str, reasoning: str, answer: str, facts: MotionFacts | None, bounds: Bounds
) -> Rejection | None:
    """Why an annotation is rejected; None for an acceptable one.

    Args:
        task: ``t2m`` or ``m2t``.
        caption: the caption that the annotation was written for.
        reasoning: its chain of thought.
        answer: the sentence that the chain of thought ends in.
        facts: measured on the motion; None skips the check against the motion.
        bounds: of the reasoning's length.
    """
    return (
        _script(reasoning)  # first, because some scripts have no spaces and their words cannot be counted
        or _length(reasoning, bounds)
        or _language(f"{reasoning} {answer}")
        or _copy(reasoning, caption)
        or _source(reasoning, task)
        or _against_caption(answer, caption)
        or (_against_motion(reasoning, answer, facts) if facts else None)
    )


def _length(reasoning: str, bounds: Bounds) -> Rejection | None:
    """Too few or too many words."""
    count = len(reasoning.split())
    if bounds.min_words <= count <= bounds.max_words:
        return None
    return Rejection("length", f"{count} words, expected {bounds.min_words} to {bounds.max_words}")


def _script(text: str) -> Rejection | None:
    """Letters of another script, such as Chinese."""
    letters = [letter for letter in text if letter.isalpha()]
    foreign = sum(not letter.isascii() for letter in letters)
    if foreign > _FOREIGN_LETTERS * len(letters):
        return Rejection("language", f"{foreign} of {len(letters)} letters are not English")
    return None


def _language(text: str) -> Rejection | None:
    """Words of another language in Latin letters."""
    words = _words(text)
    known = sum(word in _ENGLISH for word in words)
    if known < _ENGLISH_SHARE * len(words):
        return Rejection("language", f"only {known} of {len(words)} words are common English ones")
    return None


def _copy(reasoning: str, caption: str) -> Rejection | None:
    """The caption again, with hardly any word of its own."""
    new = set(_words(reasoning)) - set(_words(caption))
    if len(new) >= _NEW_WORDS:
        return None
    return Rejection("copy", f"{len(new)} words that the caption does not hold, expected {_NEW_WORDS}")


def _source(reasoning: str, task: str) -> Rejection | None:
    """Mention of something that our model will not have in front of it."""
    found = _SOURCES[task].search(reasoning.lower())
    return Rejection("source", f"speaks of {found.group()!r}") if found else None


def _against_caption(answer: str, caption: str) -> Rejection | None:
    """An answer that states another fact than the caption."""
    said = facts_of(answer)
    for slot, values in facts_of(caption).items():
        others = said.get(slot)
        if others and not any(agrees(slot, value, others) for value in values):
            return Rejection(
                "answer", f"{slot}: the caption says {' and '.join(values)}, the answer {' and '.join(others)}"
            )
    return None


def _against_motion(reasoning: str, answer: str, facts: MotionFacts) -> Rejection | None:
    """The answer and every clause of the reasoning are read as captions and compared with the motion.

    A clause is believed to mean the whole clip only where the whole text agrees with it: "turns left" is no
    contradiction where a later sentence turns right. Left out are sentences that deny something and, but for raised
    hands, clauses about a part of the body.
    """
    for item in contradictions(answer, facts):
        return Rejection("contradiction", f"the answer says {item.said}, but the motion {item.done}")
    sentences = [text for text in _SENTENCE_END.split(reasoning) if not _DENIAL.search(text.lower())]
    in_all = contradictions(" ".join(sentences), facts)
    clauses = [clause for text in sentences for clause in _CLAUSE_END.split(text.lower())] if in_all else []
    for clause in clauses:
        for item in contradictions(clause, facts):
            is_of_hands = item.said.startswith("raises")
            certain = _RAISING.search(clause) if is_of_hands else not _BODY_PART.search(clause)
            if item in in_all and certain:
                return Rejection("contradiction", f"the reasoning says {item.said}, but the motion {item.done}")
    return None


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
