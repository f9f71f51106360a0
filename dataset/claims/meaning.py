"""What a verb means between the words beside it: turning a wheel is no turn, and raising a knee raises no hand."""

import re
from collections.abc import Callable

from dataset.claims import words as w

_SUBJECT = re.compile(
    r"^\W*(?:(?:a|the|this|that|some|his|her|their|its|both|one) )*(?:(?:person|man|woman|figure|human|someone|somebody"
    r"|subject|he|she|they|it|guy|individual|character|people|body|being|performer)\b ?)?"
    r"(?:(?:also|again|slowly|quickly|is|are|was|has|to|starts?|begins?|continues?|keeps?|gently|suddenly|slightly) )*"
)
# Words with the ending of a verb that are none.
_NO_VERBS = re.compile(
    r"arms|hands|legs|feet|knees|fists|elbows|steps|meters|metres|times|degrees|backwards|forwards|sideways|sides"
    r"|towards|upwards|downwards|circles|this|its|his|hers|always|perhaps|across|besides|seconds|paces|us|as"
    r"|starting|beginning|having|being|palms|shoulders|hips|chairs|places|directions|claps|waves|kicks"
)


def is_other_verb(piece: str) -> bool:
    """Whether a piece tells of an action that is not known: it begins with a word that ends like a verb."""
    limb = w.LIMB.match(piece)
    words = re.findall(r"[a-z']+", piece[limb.end() :] if limb else _SUBJECT.sub("", piece, count=1))
    first = words[0] if words else ""
    verbal = len(first) > 3 and re.search(r"(?:[^s]s|ed|ing)$", first)
    return bool(verbal) and not _NO_VERBS.fullmatch(first)


def action_of(verb: str, before: str, after: str, piece: str) -> str:
    """The action that a verb of `dataset.claims.words` means; empty where none is known.

    Args:
        verb: a key of `VERBS`.
        before, after: what stands before and after it in `piece`.
    """
    if verb == "other" or (verb in _NOT_BESIDE and re.search(_NOT_BESIDE[verb], piece)):
        return ""
    if verb in _MEANING:
        return _MEANING[verb](before, after, piece)
    return verb


# Words beside a verb that make it another action.
_NOT_BESIDE = {
    "walk": r"walk\w* (?:stick|pole|cane|aid|shoe)",
    "run": r"run\w* (?:shoe|stick)",
    "bow": r"\b(?:violin|arrow|string|fiddle|cello)\b",
    "kick": r"\b(?:side ?kick|kick ?box)",
}


def _turn(verb: str) -> Callable[[str, str, str], str]:
    def meaning(before: str, after: str, piece: str) -> str:
        return "" if re.match(w.OTHER_OBJECT, after) or re.search(w.OTHER_SUBJECT, before) else verb

    return meaning


def _circle(before: str, after: str, piece: str) -> str:
    by_hand = re.search(rf"\b{w.HAND}s?\b", piece)
    part_of = re.search(r"(?:half|semi|quarter|third)(?: of)?(?: a| the)?$", before)
    return "" if by_hand or part_of else _turn("circle")(before, after, piece)


def _curve(before: str, after: str, piece: str) -> str:
    return "turn"


def _swing(before: str, after: str, piece: str) -> str:
    return "kick" if re.search(r"\bleg\b", after) and re.search(r"\b(?:out|side|front|forward)\b", after) else ""


def _stand(before: str, after: str, piece: str) -> str:
    by_hand = re.search(rf"\b{w.HAND}s?$", before)
    return "" if by_hand or re.match(r"straight(?! again)|to the", after) else "stand"


def _lean(before: str, after: str, piece: str) -> str:
    across = re.search(r"\b(?:left|right)\b", piece)
    of_a_part = re.match(rf"{w.OWNER} (?:{w.HAND}|{w.LEG}|hips?|head)", after)
    rests = re.search(r"\bhead\b|against|on(?:to)? (?:a|the|some)", piece)
    return "lean" if across and not of_a_part and not rests else ""


def _bend(before: str, after: str, piece: str) -> str:
    if re.search(r"(?:path|way|road|line|course)$", before):
        return ""
    if re.search(r"\bknees?\b|\blegs?\b", piece):
        return "squat" if re.search(r"\bdeep", piece) else ""
    if re.match(rf"(?:{w.OWNER} )?(?:both |left |right )*(?:{w.HAND}|finger|leg|back)", after):
        return ""
    if re.search(r"\b(?:left|right)\b", piece):
        aside = rf"upper body|torso|trunk|over|to {w.OWNER} (?:left|right)"
        return "lean" if re.search(aside, piece) else ""
    return "bow" if re.search(r"forward|over|down|waist|upper body|torso", piece) else ""


def _raise(before: str, after: str, piece: str) -> str:
    limb = w.LIMB.search(after) or w.LIMB.search(piece)
    if limb is None:
        return ""
    noun = limb["one"] or limb["plain"] or limb["many"]
    if re.match(w.LEG, noun) or noun == "feet":
        return "knee" if noun.startswith("knee") else "leg"
    return "" if re.search(r"\b(?:down|lower)", after[: limb.end() + 8]) else "raise"


def _stretch(before: str, after: str, piece: str) -> str:
    somewhere = re.search(r"\b(?:up|out|overhead|above|over|front|sides?|sideways|forwards?)\b", piece)
    found = _raise(before, after, piece)
    return found if somewhere and found == "raise" else ""


_MEANING: dict[str, Callable[[str, str, str], str]] = {
    "turn": _turn("turn"),
    "move": _turn("move"),
    "circle": _circle,
    "curve": _curve,
    "swing": _swing,
    "stand": _stand,
    "lean": _lean,
    "bend": _bend,
    "raise": _raise,
    "stretch": _stretch,
}
