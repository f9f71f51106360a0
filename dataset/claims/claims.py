"""What a text claims of a motion, as statements that can be checked one by one.

    claims_of("a person kicks twice with the left leg, then walks forward.")
    ->  kick: action; kick: side left; kick: count 2; walk: action; walk: way forward; kick before walk

Rules read ordinary English (`dataset.claims.words`, `dataset.claims.clauses`); what they do not know is left alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from dataset.claims import words as w
from dataset.claims.clauses import Clause, clauses_of

# What may be claimed. `move` is travel of any kind, `step` of any kind on foot, `leg` a lifted leg of any kind.
ACTIONS = (
    "walk", "run", "step", "move", "sidestep", "turn", "circle", "jump", "kick", "knee", "leg", "squat", "sit", "stand",
    "still", "bow", "lean", "raise", "wave", "clap", "punch",
)  # fmt: skip
# Statements on an action, each with its value. `action` says that it happens, `before` that another one follows.
SLOTS = (
    "action", "side", "way", "place", "level", "depth", "count", "steps", "degrees", "metres", "speed", "first foot",
    "before",
)  # fmt: skip
_TRAVEL = ("walk", "run", "step", "move", "sidestep")
_WAY_M = 0.5  # who goes for less stays, as a reasoning may tell in figures
_HANDS, _LEGS = ("raise", "wave", "punch"), ("kick", "knee", "leg")
_COUNTABLE = ("jump", "kick", "knee", "leg", "squat", "bow", "lean", "raise", "wave", "clap", "punch", "turn", "circle")


@dataclass(frozen=True)
class Claim:
    """One statement.

    Attributes:
        action: one of `ACTIONS`.
        slot: one of `SLOTS`.
        value: what is stated: a side, a way, a level, a number, an action that comes later; empty for `action`.
        side, way: of the action as stated beside it, for what is counted or comes first; empty where not stated.
        about: a number that is rounded or estimated.
        denied: the text says that it does not happen.
    """

    action: str
    slot: str
    value: str | float = ""
    side: str = ""
    way: str = ""
    about: bool = False
    denied: bool = False


def claims_of(text: str) -> list[Claim]:
    """The claims of a text, each once, in the order of the text; empty where there is nothing that can be checked."""
    return list(_read(text))


@lru_cache(maxsize=1 << 16)  # a caption is asked for with each of its replies
def _read(text: str) -> tuple[Claim, ...]:
    clauses = clauses_of(text)
    read = [(clause, list(_of_clause(clause, clauses))) for clause in clauses]
    found = [claim for _, claims in read for claim in claims]
    for one, other in pairwise(clause for clause, claims in read if claims):
        if other.place > one.place and one.action != other.action and not (one.denied or other.denied):
            found.append(Claim(one.action, "before", other.action, side=_sides(one), way=""))
    return tuple(dict.fromkeys(found))


def _of_clause(clause: Clause, clauses: list[Clause]) -> Iterator[Claim]:
    action, text = clause.action, clause.text
    side, ways = _sides(clause), _ways(clause)
    sized = {number.slot for number in _numbers(text)} & {"steps", "metres"}
    aside = ways & {"left", "right"} or (action == "step" and "side" in _named(w.WAYS, text))
    if aside and (action == "step" or (action == "move" and "steps" in sized)):
        action = "sidestep"
    if action == "move" and not (ways or sized or clause.denied):
        return  # "moves around": nothing that can be checked
    if action == "still" and len({other.action for other in clauses if not other.denied} & {*_TRAVEL, "jump"}):
        return  # it stands still for a while only
    if clause.denied and re.search(w.IN_PART, text):
        return  # "without raising the arms high"
    if clause.denied:
        yield Claim(action, "action", side=side, denied=True)
        return
    way = next(iter(ways)) if len(ways) == 1 else ""
    if not any(number.slot == "metres" and number.value < _WAY_M for number in _numbers(text)):
        yield Claim(action, "action")
    if side:
        yield Claim(action, "side", side, way=way)
    for value in sorted(ways):
        yield Claim(action, "way", value, side=side)
    index = clauses.index(clause)
    yield from _more(action, clauses[index - 1].action if index else "", text, side, way)
    elsewhere = {other.action for other in clauses} & {*_TRAVEL, "circle"} - {action}
    if action in (*_TRAVEL, "jump") and not elsewhere and re.search(w.WAYS["in place"], text):
        yield Claim(action, "place", "in place")


def _more(action: str, after: str, text: str, side: str, way: str) -> Iterator[Claim]:
    """Everything about an action but its side and way."""
    if action == "stand" and after == "squat":
        action = "squat"  # "bends both knees deeply and stands up again twice"
    for number in _numbers(text):
        slot = number.slot
        if slot in ("times", "nouns") and action in _COUNTABLE and number.of in ("", action):
            yield Claim(action, "count", number.value, side, way, number.about)
        elif (slot == "times" and action == "sidestep") or (slot == "steps" and action in _TRAVEL):
            yield Claim(action, "steps", number.value, side, way, number.about)
        elif slot == "metres" and action in _TRAVEL:
            yield Claim(action, "metres", number.value, side, way, number.about)
    if action == "turn" and (degrees := _degrees(text)):
        yield Claim("turn", "degrees", degrees, way=way)
    if action == "raise" and (level := _one(w.LEVELS, text)):
        yield Claim(action, "level", level, side, way)
    if action == "bow" and (depth := _one(w.DEPTHS, text)):
        yield Claim(action, "depth", depth)
    if action in ("walk", "run", "step", "sidestep", "circle") and (speed := _one(w.SPEEDS, text)):
        yield Claim("walk" if action == "circle" else action, "speed", speed, way="" if action == "circle" else way)
    if action in ("walk", "run", "step", "move") and (first := w.FIRST_FOOT.search(text)):
        yield Claim(action, "first foot", first[1] or first[2])


def _sides(clause: Clause) -> str:
    """The limb of a clause: left, right, both or one; empty where none or several are named."""
    wanted = w.HAND if clause.action in _HANDS else w.LEG if clause.action in _LEGS else None
    if wanted is None:
        return ""
    found = set()
    for match in w.LIMB.finditer(clause.text):
        noun = match["one"] or match["plain"] or match["many"]
        # Punching hands and kicking legs may be named by another part of them, or by none.
        if not re.match(wanted, noun) and not (clause.action in _LEGS and noun == "feet"):
            continue
        if match["plain"] and not noun.endswith("s"):
            found.add("one")
        elif match["plain"] or match["many"]:
            found.add("both")
        else:
            found.add({"two": "both", "single": "one"}.get(match["side"], match["side"]))
    if not found:
        found = {match[1] for match in w.WITH_SIDE.finditer(clause.text)}
    if clause.action in ("kick", "punch", "knee", "leg") and found == {"both"}:
        return ""  # one after the other, or together: both is no side of them
    return next(iter(found)) if len(found) == 1 and found != {"one"} else ""


def _ways(clause: Clause) -> set[str]:
    """The ways of a clause, left and right together are none: they may be of anything."""
    text = re.sub(rf"\b(?:{w.NO_WAY})\b", " ", w.WITH_SIDE.sub(" ", w.LIMB.sub(" ", clause.text)))
    text = w.FIRST_FOOT.sub(" ", text)
    action, named = clause.action, _named(w.WAYS, text)
    if action in ("turn", "circle", "lean"):
        allowed = {"left", "right"}
    elif action in ("walk", "run", "move", "step", "sidestep", "jump"):
        allowed = {"left", "right", "forward", "backward"}
        if action in ("step", "jump") and "back" in named:
            named |= {"backward"}
        if re.search(r"\bback(?:s|ed|ing) (?:up|away)\b", text):
            named |= {"backward"}
        if action == "jump" and not named & allowed and named & {"up", "in place"}:
            return {"up"}
        if _degrees(text) or re.search(r"\b(?:corner|curve|bend|arc|circ)", text):
            allowed = {"forward", "backward"}
    elif action == "kick":
        return {"side"} if "side" in named else {"front"} if named & {"front", "forward"} else set()
    elif action in ("raise", "clap"):
        found = named & {"overhead", "side", "front"}
        found -= {"side"} if action == "clap" else set()
        return found if len(found) == 1 else set()
    else:
        return set()
    found = named & allowed
    return found - {"left", "right"} if found >= {"left", "right"} else found


@dataclass(frozen=True)
class _Number:
    slot: str
    value: float
    about: bool
    of: str = ""


@lru_cache(maxsize=1 << 12)  # a clause is asked for its steps, metres, counts and degrees one after the other
def _numbers(text: str) -> tuple[_Number, ...]:
    """Counts and sizes in a text; vague ones ("a few") are none."""
    found = []
    if re.search(r"\b(?:each|every|per|alternat\w+|a time|at least|more than|or)\b", text):
        return ()
    for slot, unit in w.COUNTED.items() if re.search(w.NUMBER, text) else ():
        pattern = rf"(?:(?P<about>\b(?:{w.ABOUT}) )|\b){w.NUMBER} ?(?P<unit>{unit})"
        for match in re.finditer(pattern, text):
            value = float(w.NUMBERS.get(match["number"], 0) or _float(match["number"]))
            noun = match["unit"].split()[-1] if slot == "nouns" else ""
            found.append(_Number(slot, value, bool(match["about"]), _action_of(noun)))
    if w.ONE_STEP.search(text) and not any(number.slot == "steps" for number in found):
        found.append(_Number("steps", 1.0, False))
    for word, value in w.OFTEN.items():
        if re.search(rf"\b{word}\b(?! (?:again|more))", text) and not re.search(r"\bat once\b", text):
            found.append(_Number("times", float(value), bool(re.search(rf"(?:{w.ABOUT}) {word}", text))))
    return tuple(found)


def _float(number: str) -> float:
    return float(number) if re.fullmatch(r"\d+(?:\.\d+)?", number) else 0.0


def _action_of(noun: str) -> str:
    stems = {"hop": "jump", "leap": "jump", "jab": "punch"}
    known = {**{action: action for action in _COUNTABLE}, **stems}
    return next((action for stem, action in known.items() if noun.startswith(stem[:4])), "")


def _degrees(text: str) -> float:
    """Degrees of a turn; 0 where none or several are named."""
    found = {float(value) for value, words in w.DEGREES.items() if re.search(rf"\b(?:{words})\b", text)}
    found |= {number.value for number in _numbers(text) if number.slot == "degrees"}
    return next(iter(found)) if len(found) == 1 else 0.0


def _named(table: dict[str, str], text: str) -> set[str]:
    return {name for name, pattern in table.items() if re.search(rf"\b(?:{pattern})\b", text)}


def _one(table: dict[str, str], text: str) -> str:
    found = _named(table, text)
    return next(iter(found)) if len(found) == 1 else ""
