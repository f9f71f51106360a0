"""A text in the spelling that the rules know: lower case, one word for a thing, degrees as digits."""

import re

from dataset.claims import words as w

_POSSESSIVE = r"(?:the |his |her |their )?"
_SPELLING = (
    # "the left and right hand" are both hands, but "to the left and the right foot closes" is none of them.
    (
        rf"(?<!to )(?<!to the )(?<!to his )(?<!to her )(?<!to their )\b(?:left and {_POSSESSIVE}right"
        rf"|right and {_POSSESSIVE}left) (?=hand|arm|fist|foot|feet|leg|knee)",
        "both ",
    ),
    (r"counter[- ]clock ?wise|anti[- ]?clock ?wise", "counterclockwise"),
    (r"clock wise", "clockwise"),
    (r"side[- ]step", "sidestep"),
    (r"\bu[- ]turn", "uturn"),
    (r"’", "'"),
    (r"(\d)\s*°", r"\1 degrees"),
    (r"(\d)-(degree|step|meter|time)", r"\1 \2"),
    (r"\b(one|two|three|four|five|six)-(step|time|meter)", r"\1 \2"),
    (r"\b([a-z]+)-(?=degree)", r"\1 "),
)
_TENS_IN_ORDER = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_TENS = {word: 10 * ten for ten, word in enumerate(_TENS_IN_ORDER, 2)}
_SIZES = {**{word: number for word, number in w.NUMBERS.items() if number < 20 and word != "single"}, **_TENS}
_IN_WORDS = re.compile(rf"\b((?:(?:{'|'.join([*_SIZES, 'hundred', 'a hundred', 'and'])})[ -])+)(?=degree)")


def _in_digits(match: re.Match) -> str:
    """ "one hundred and thirty five " -> "135 "."""
    total = 0
    for word in re.findall(r"[a-z]+", match[1]):
        total = max(total, 1) * 100 if word == "hundred" else total + _SIZES.get(word, 0)
    return f"{total} "


def spelled(text: str) -> str:
    """A text in that spelling, without what a motion is only compared with ("as if ...")."""
    text = _IN_WORDS.sub(_in_digits, text.lower())
    for pattern, spelling in _SPELLING:
        text = re.sub(pattern, spelling, text)
    return w.COMPARED.sub(" ", text)
