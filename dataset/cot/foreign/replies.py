"""Texts of foreign chain-of-thought data are taken apart: codes in several spellings, thoughts, conversations."""

import json
import re
from dataclasses import dataclass
from typing import Any

from utils.files.json_files import parse_json
from utils.wording import shortened

# <Motion_17>, <motion_id_17>, <motion_token_17>, <|motion_17|>, <mot_17>, <code_17>, <vq17>
_CODE = re.compile(r"<\|?(?:motion|mot|code|vq|m)_?(?:id|token|code)?_?([0-9]+)\|?>", re.IGNORECASE)
# What began as such a code and is none: <Motion_1x>, <Motion_17 without its end.
_HALF_CODE = re.compile(r"<\|?(?:motion|mot|code|vq)_?(?:id|token|code)?_?[0-9][^<>]{0,20}>?", re.IGNORECASE)
# What may stand around the codes of a column: tags that are no codes, and what separates items of lists.
_AROUND_CODES = re.compile(r"<[|/]*[a-z]+(?:_[a-z]+)*\|?>|[\s,;\[\]()'\"]", re.IGNORECASE)
_BLOCK = (
    re.compile(r"<\|?motion(?:_start)?\|?>", re.IGNORECASE),
    re.compile(r"<\|?(?:/motion|motion_end)\|?>", re.IGNORECASE),
)
_LIST = re.compile(r"\[\s*[0-9]+(?:\s*,\s*[0-9]+)+\s*\]")
_ONLY_NUMBERS = re.compile(r"[\s\[(]*[0-9]+(?:[\s,;]+[0-9]+)*[\s\])]*")
_THOUGHTS = tuple(
    (re.compile(f"<{name}>", re.IGNORECASE), re.compile(f"</{name}>", re.IGNORECASE))
    for name in ("think", "thinking", "thought", "reasoning")
)
_THOUGHT_TAG = re.compile(r"</?(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|$)", re.IGNORECASE | re.DOTALL)
_MOST_DIGITS = 18  # of a code
_TAG = re.compile(r"<[^<>]*>")
_QUOTED = re.compile(r"[\"\u201c]([^\"\u201c\u201d]+)[\"\u201d]")
_USERS, _ASSISTANTS = ("user", "human"), ("assistant", "gpt", "model", "bot")


@dataclass(frozen=True)
class ForeignReply:
    """A reply in its parts: the thoughts (empty where none are marked) and the answer.

    Attributes:
        stray: a tag of thoughts beside them, such as one that is never closed; empty where there is none.
    """

    reasoning: str
    answer: str
    stray: str = ""


def split_reply(text: str) -> ForeignReply:
    """``<think>a</think><answer>b</answer>`` -> a, b. Without tags everything is answer; ``<think>`` may be missing."""
    thoughts = [block for tags in _THOUGHTS if (block := _block(text, *tags))]
    if thoughts:
        thought = min(thoughts, key=lambda block: block.start)
        reasoning, rest = thought.inside, text[: thought.start] + text[thought.end :]
    else:  # <think> may be missing because the query ended in it
        before, found, after = text.partition("</think>")
        reasoning, rest = (before, after) if found else ("", text)
    answer = _ANSWER.search(rest)
    stray = _THOUGHT_TAG.search(rest)
    return ForeignReply(reasoning.strip(), (answer[1] if answer else rest).strip(), stray[0] if stray else "")


@dataclass(frozen=True)
class _Block:
    """A part of a text from `start` to `end` with its tags, and what is between them."""

    start: int
    end: int
    inside: str


def _block(text: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> _Block | None:
    """The first block between two tags; None where there is none.

    Each tag is looked for once: if none closes the first that opens, none closes a later one. One pattern for both
    would look for the end again from every tag that opens, in time that grows with the square of the text.
    """
    first = opening.search(text)
    last = closing.search(text, first.end()) if first else None
    return None if last is None else _Block(first.start(), last.end(), text[first.end() : last.start()])


def codes_of(value: Any) -> list[int]:
    """The codes in a value of a column of codes: a list or a text of numbers or of their spellings.

    Raises ValueError for anything else, also beside codes: which words belong to a motion is not to be guessed.
    """
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):  # (1, T)
        value = value[0]
    if isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            return codes_of(" ".join(value))
        if not all(map(_is_whole, value)):
            raise ValueError("the motion codes are no list of whole numbers")
        return [int(item) for item in value]
    if isinstance(value, str):
        found = codes_in_text(value)
        beside = _CODE.sub(" ", value)
        if beside != value and _ONLY_NUMBERS.fullmatch(beside):  # which of them are codes?
            raise ValueError(f"motion codes beside bare numbers in {_quoted(value)}")
        rest = _AROUND_CODES.sub(" ", beside)
        if found is not None and (rest.strip() if beside != value else rest.split() != re.findall(r"[0-9]+", value)):
            raise ValueError(f"something else beside the motion codes in {_quoted(value)}")
        if found is not None and beside == value and len(rest.split()) != len(found):
            raise ValueError(f"more than one list of motion codes in {_quoted(value)}")
        if found is not None:
            return found
    raise ValueError(f"no motion codes in {_quoted(value)}")


def codes_in_text(text: str) -> list[int] | None:
    """The codes in a text, or None: as tokens, between <Motion> tags, as a list [1, 2], or as nothing but numbers.

    Raises ValueError where one of the tokens is damaged, or a number that no codebook has.
    """
    if tokens := _CODE.findall(text):
        if half := _HALF_CODE.search(_CODE.sub(" ", text)):
            raise ValueError(f"a damaged motion code {_quoted(half[0])}")
        return list(map(_number, tokens))
    block = _block(text, *_BLOCK)
    inside = block.inside if block else text
    if found := _LIST.search(inside):
        inside = found[0]
    return list(map(_number, re.findall(r"[0-9]+", inside))) if _ONLY_NUMBERS.fullmatch(inside) else None


def caption_in_query(text: str) -> str:
    """The caption in a request for a motion: its only quotation, else the text after its last colon, else all of it."""
    quoted = _QUOTED.findall(text)
    if len(quoted) == 1:
        return quoted[0].strip()
    return without_tags(text).rpartition(": ")[2].strip() or without_tags(text)


def without_tags(text: str) -> str:
    return _TAG.sub(" ", text).strip()


def last_exchange(turns: Any) -> tuple[str, str]:
    """(last query, its reply) of a conversation: a list of turns, or its JSON.

    A turn names its speaker by role or from, and its text by content or value.

    Raises:
        ValueError: the value is no conversation, or nobody asks or replies in it.
    """
    if isinstance(turns, str):
        try:
            turns = parse_json(turns)
        except json.JSONDecodeError as error:
            raise ValueError(f"the conversation is not JSON ({error.msg})") from error
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise ValueError("the conversation is no list of turns")
    query = exchange = None
    for turn in turns:
        role = str(turn.get("role") or turn.get("from") or "").lower()
        text = text_of(turn.get("content", turn.get("value")))
        if role in _USERS:
            query = text
        elif role in _ASSISTANTS and query is not None:
            exchange = query, text
    if exchange is None:
        raise ValueError("the conversation holds no reply of an assistant to a user")
    return exchange


def text_of(value: Any) -> str:
    """A text, or the texts of a list of turns or parts; empty for anything else."""
    if isinstance(value, list):
        parts = (part.get("text") or part.get("content") for part in value if isinstance(part, dict))
        return " ".join(part for part in parts if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _quoted(value: Any) -> str:
    """A value in short; a text in quotation marks, by which equal reasons about different texts are found."""
    text = shortened(value, 60)
    return repr(text) if isinstance(value, str) else text


def _is_whole(value: Any) -> bool:
    """Whether a value is a whole number; true and false are none."""
    return type(value) is int or (isinstance(value, float) and value.is_integer())


def _number(digits: str) -> int:
    """A code as a number. Raises ValueError where no codebook has it."""
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a motion code of {len(digits)} digits")
    return int(digits)
