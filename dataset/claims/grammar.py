"""The rules that claims are read by, as a table: which words say what."""

from collections.abc import Iterator

from dataset.claims import words as w
from dataset.claims.claims import ACTIONS, SLOTS


def grammar() -> str:
    """Lines "what is claimed <- regular expression of its words"."""
    return "\n".join(f"{claim} <- {pattern}" for claim, pattern in _rules())


def _rules() -> Iterator[tuple[str, str]]:
    yield "actions", ", ".join(ACTIONS)
    yield "statements on an action", ", ".join(SLOTS)
    for verb, pattern in w.VERBS.items():
        yield f"verb {verb}", pattern
    yield "no verb", w.NO_VERB
    yield "turned or moved, but not the body", w.OTHER_OBJECT
    yield "limb", w.LIMB.pattern
    for name, table in (("way", w.WAYS), ("level", w.LEVELS), ("depth", w.DEPTHS), ("speed", w.SPEEDS)):
        for value, pattern in table.items():
            yield f"{name} {value}", pattern
    yield "no way", w.NO_WAY
    for degrees, pattern in w.DEGREES.items():
        yield f"degrees {degrees}", pattern
    for unit, pattern in w.COUNTED.items():
        yield f"number of {unit}", f"({w.ABOUT})? {w.NUMBER} {pattern}"
    yield "once, twice", ", ".join(f"{word} {number}" for word, number in w.OFTEN.items())
    yield "first foot", w.FIRST_FOOT.pattern
    yield "denied", w.DENIAL.pattern
    for name, pattern in (("after it", w.THEN), ("before it", w.AFTER), ("meanwhile", w.WHILE), ("and", w.AND)):
        yield f"order: {name}", pattern
    yield "compared with something, left out", w.COMPARED.pattern
