"""The facts that a caption states are found and can be turned round: side, direction, speed, level, number, order.

A fact is a slot and a value: "raises the left hand twice" says hand = left and times = 2. Turning one round
("... the right hand ...") makes a caption that is wrong in exactly this. The table holds English words of direction,
side, speed and number only; what it does not know is left alone.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence

Facts = dict[str, set[str]]

# slot -> forms. A form maps each value to its spellings; a spelling may be replaced by one of another value of the same
# form ("slowly" by "quickly", never by "quick").
_WORDS: dict[str, tuple[dict[str, tuple[str, ...]], ...]] = {
    "way": ({"left": ("left",), "right": ("right",)},),
    "direction": ({"forward": ("forward", "forwards", "ahead"), "backward": ("backward", "backwards")},),
    "rotation": ({"clockwise": ("clockwise",), "counterclockwise": ("counterclockwise", "anticlockwise")},),
    "speed": (
        {"slow": ("slowly",), "fast": ("quickly", "rapidly")},
        {"slow": ("slow",), "fast": ("quick", "fast")},
    ),
    "level": (
        {"above": ("above the head",), "head": ("to head height",), "shoulder": ("to shoulder height",)},
        {"above": ("a point above the head",), "head": ("head height",), "shoulder": ("shoulder height",)},
    ),
    "height": ({"up": ("up",), "down": ("down",)},),
    "part of a turn": ({"quarter": ("quarter",), "half": ("half",), "full": ("full",)},),
    "order": ({"before": ("before",), "after": ("after",)},),
}
_LIMBS = {"hand": ("hand", "arm", "fist", "elbow"), "leg": ("leg", "foot", "knee")}
_PLURALS = {"foot": "feet"}
_SINGULARS = {"feet": "foot"}
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
NUMBERS = {word: number for number, word in enumerate(f"{_ONES} eighteen nineteen twenty".split())}
NUMBERS |= {"forty-five": 45, "ninety": 90, "one hundred and eighty": 180, "three hundred and sixty": 360}
_NUMBER_WORDS = {number: word for word, number in NUMBERS.items()}
_OFTEN = {1: "once", 2: "twice"}
UNITS = ("times", "steps", "degrees", "meters")
_NUMBER = rf"(?P<number>\d+(?:\.\d+)?|{'|'.join(sorted(NUMBERS, key=len, reverse=True))})"
_COUNTED = re.compile(
    rf"\b(?:(?P<often>once|twice)|{_NUMBER}(?P<between> (?:\w+ )?)(?P<unit>times?|steps?|degrees?|met(?:er|re)s?))\b"
)
_ALL_LIMBS = "|".join(noun for nouns in _LIMBS.values() for noun in nouns)
_LIMB = re.compile(
    rf"\b(?:(?P<article>the |his |her |their )?(?P<side>left|right) (?P<one>{_ALL_LIMBS})"
    rf"|both (?P<many>(?:{_ALL_LIMBS})s|feet))\b"
)
_SEQUENCE = re.compile(r"\b(then|next|afterwards|after|before)\b")
_THEN = re.compile(
    r"^(?P<who>(?:a|the|this|some)\s?\w+ )(?:first )?(?P<first>.+?)"
    r"(?:, then|,? and then|, then,) (?P<then>.+?)(?P<end>\.?)$"
)
_BACKWARD_REFERENCE = re.compile(r"\b(it|them|again|back|keeps)\b")
# Numbers said of a real motion are rounded. Two numbers mean the same up to the first share of the true one, and
# clearly something else beyond the second; between them nothing is concluded.
_SAME, _OTHER = 0.2, 0.4


def facts_of(text: str) -> Facts:
    """The values that `text` (in any case) states, by slot. Numbers are decimal strings, limbs left, right or both."""
    text = text.lower()
    facts: Facts = {}
    for match in _LIMB.finditer(text):
        facts.setdefault(_limb_slot(match), set()).add(match["side"] or "both")
    for match in _COUNTED.finditer(text):
        facts.setdefault(_unit(match), set()).add(f"{_amount(match):g}")
    # "left" of "left hand" is no way to go.
    without_limbs = _LIMB.sub(" ", text)
    for slot, pattern in _PATTERNS.items():
        for match in pattern.finditer(without_limbs):
            facts.setdefault(slot, set()).add(_VALUES[slot][match.group()])
    if "order" not in facts and _SEQUENCE.search(text):
        facts["order"] = {"sequence"}
    return facts


def agrees(slot: str, value: str, others: set[str]) -> bool:
    """Whether `value` of `slot` is said by a text that states `others`: the same word, or about the same number."""
    if slot == "order":
        return bool(others)  # any word of sequence will do: the sentences themselves say which event comes first
    if slot not in UNITS:
        return value in others
    return any(abs(float(other) - float(value)) <= _SAME * float(value) for other in others)


def turned(caption: str, slot: str, allowed: Callable[[str], bool], numbers: Sequence[int], rng: random.Random) -> str:
    """`caption` with its fact of `slot` replaced wherever it is stated, or unchanged where no other value is allowed.

    Args:
        caption: states one value of `slot`.
        slot: a key of `facts_of(caption)`.
        allowed: says whether a value may be put in, because it is false of the motion.
        numbers: the numbers to choose from, for a slot of `UNITS`.
        rng: chooses among the allowed values.
    """
    if slot in _LIMBS:
        values = [value for value in ("left", "right", "both") if allowed(value)]
        return _turn_limb(caption, slot, rng.choice(values)) if values else caption
    if slot in UNITS:
        values = [number for number in numbers if allowed(str(number))]
        return _turn_number(caption, slot, rng.choice(values)) if values else caption
    if slot == "order" and (match := _THEN.match(caption)) and not _BACKWARD_REFERENCE.search(match["then"]):
        return f"{match['who']}first {match['then']}, then {match['first']}{match['end']}"
    values = [value for value in dict.fromkeys(_VALUES[slot].values()) if allowed(value)]
    return _turn_words(caption, slot, rng.choice(values), rng) if values else caption


def differs_clearly(slot: str, value: str, others: set[str]) -> bool:
    """Whether `value` is false where `others` are true: another word, or a number that is far from all of theirs."""
    if slot not in UNITS:
        return value not in others
    return all(abs(float(other) - float(value)) > _OTHER * max(1.0, float(other)) for other in others)


def said_speed(text: str) -> bool:
    """Whether `text` says that the pace is the usual one, which excludes slow and fast."""
    return bool(re.search(r"\b(normal|usual|moderate) (pace|speed)\b", text.lower()))


def _limb_slot(match: re.Match) -> str:
    noun = match["one"] or _SINGULARS.get(match["many"], match["many"].removesuffix("s"))
    return next(slot for slot, nouns in _LIMBS.items() if noun in nouns)


def _unit(match: re.Match) -> str:
    if match["often"]:
        return "times"
    return next(unit for unit in UNITS if unit[:3] == match["unit"][:3])


def _amount(match: re.Match) -> float:
    if match["often"]:
        return next(number for number, word in _OFTEN.items() if word == match["often"])
    return float(NUMBERS.get(match["number"], match["number"]))


def _turn_limb(caption: str, slot: str, value: str) -> str:
    def replacement(match: re.Match) -> str:
        if _limb_slot(match) != slot:
            return match.group()
        noun = match["one"] or _SINGULARS.get(match["many"], match["many"].removesuffix("s"))
        if value == "both":
            return f"both {_PLURALS.get(noun, noun + 's')}"
        return f"{match['article'] or ('' if match['one'] else 'the ')}{value} {noun}"

    found = _LIMB.sub(replacement, caption)
    # "waves it" of both hands would give the turned caption away.
    was_both = "both" in facts_of(caption)[slot]
    if (value == "both") != was_both:
        found = re.sub(r"\bit\b", "them", found) if value == "both" else re.sub(r"\bthem\b", "it", found)
    return found


def _turn_number(caption: str, slot: str, number: int) -> str:
    def replacement(match: re.Match) -> str:
        if _unit(match) != slot:
            return match.group()
        if slot == "times" and number in _OFTEN:
            return _OFTEN[number]
        unit = (match["unit"] or "times").removesuffix("s") + ("" if number == 1 else "s")
        return f"{_NUMBER_WORDS.get(number, str(number))}{match['between'] or ' '}{unit}"

    return _COUNTED.sub(replacement, caption)


def _turn_words(caption: str, slot: str, value: str, rng: random.Random) -> str:
    def replacement(match: re.Match) -> str:
        form = next(form for form in _WORDS[slot] if any(match.group() in spellings for spellings in form.values()))
        return rng.choice(form[value])

    limbs = [match.span() for match in _LIMB.finditer(caption)]

    def outside(match: re.Match) -> str:
        inside = any(start <= match.start() < stop for start, stop in limbs)
        return match.group() if inside else replacement(match)

    return _PATTERNS[slot].sub(outside, caption)


def _spellings(slot: str) -> Mapping[str, str]:
    return {word: value for form in _WORDS[slot] for value, words in form.items() for word in words}


_VALUES = {slot: _spellings(slot) for slot in _WORDS}
_PATTERNS = {
    slot: re.compile(rf"\b(?:{'|'.join(sorted(words, key=len, reverse=True))})\b") for slot, words in _VALUES.items()
}
