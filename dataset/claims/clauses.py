"""A text is split into clauses: one action each, with the words that belong to it and its place in the order.

    "a person walks forward, then turns left and waves"  ->  walk (0), turn (1), wave (1)

Clauses with the same place are not ordered by the text. What has no action that is known is left out.
"""

import re
from dataclasses import dataclass, replace

from dataset.claims import words as w
from dataset.claims.meaning import action_of, is_other_verb
from dataset.claims.spelling import spelled


@dataclass(frozen=True)
class Clause:
    """One action of a text.

    Attributes:
        action: what is claimed (`dataset.claims.claims.ACTIONS`).
        text: the words that belong to it, lower case.
        place: grows where the text says that something comes after.
        denied: the text says that it does not happen.
    """

    action: str
    text: str
    place: int = 0
    denied: bool = False


_JOINT = re.compile(
    rf"(?P<then>\b(?:{w.THEN})\b)|(?P<after>\b{w.AFTER}\b)|(?P<while>\b(?:{w.WHILE})\b)|(?P<and>{w.AND})"
)
_VERB = re.compile("|".join(rf"(?P<{action}>\b(?:{verbs})\b)" for action, verbs in w.VERBS.items()))
_NO_VERB = re.compile(rf"\b(?:{w.NO_VERB})\b")
_TRAVEL = ("walk", "run", "step", "move", "sidestep")
# Coming back is a part of these actions: "lowers the body into a crouch and comes up again twice".
_THERE_AND_BACK = ("squat", "bow", "lean", "kick", "knee", "leg", "raise")
_BACK = re.compile(
    r"(?:then )?(?:comes?|coming|straightens?|straightening|returns?|returning|lowers?|lowering|brings?) "
)


def clauses_of(text: str) -> list[Clause]:
    """The clauses of a text with an action that is known, in the order of the text."""
    found: list[Clause] = []
    place = 0
    for sentence in re.split(r"[.;:!?]+(?!\d)", spelled(text)):
        place = _read_sentence(sentence, place, found)
    return found


def _read_sentence(sentence: str, place: int, found: list[Clause]) -> int:
    """Adds the clauses of a sentence; the place of its last one."""
    before = len(found)
    leading, open_clause, earlier = "", False, False
    for joint, piece in _pieces(sentence):
        clauses = _in_piece(piece)
        if joint == "then" and len(found) > 0 and (clauses or len(found) > before):
            place += 1
        if earlier and joint == "and" and clauses:  # "after walking, he sits"
            place, earlier = place + 1, False
        if clauses:
            at = place
            if joint == "after":
                first = len(found) == before
                at, earlier = (place, True) if first else (place - 1, False)
            if leading:
                clauses[0] = replace(clauses[0], text=f"{leading} {clauses[0].text}")
            # "after walking the man sits": the second verb comes later.
            later = [at if index == 0 or not earlier else at + 1 for index in range(len(clauses))]
            place = max(place, later[-1])
            found += [replace(clause, place=at) for clause, at in zip(clauses, later, strict=True)]
            leading, open_clause = "", True
        elif open_clause and found[-1].action in _THERE_AND_BACK and _BACK.match(piece) and not w.LIMB.search(piece):
            found[-1] = replace(found[-1], text=f"{found[-1].text} , {piece}")
        elif is_other_verb(piece):
            leading, open_clause = "", False
        elif open_clause and joint != "while":
            found[-1] = replace(found[-1], text=f"{found[-1].text} , {piece}")
        elif not open_clause and len(found) == before:
            leading = f"{leading} {piece}"
    return place


def _pieces(sentence: str) -> list[tuple[str, str]]:
    """(how it is joined to what stands before, piece) of a sentence."""
    pieces, start, joint = [], 0, ""
    for match in _JOINT.finditer(sentence):
        pieces.append((joint, sentence[start : match.start()].strip()))
        start = match.end()
        kind = match.lastgroup or "and"
        # ", and then": the strongest word of several decides.
        blank = not pieces[-1][1]
        joint = joint if blank and joint in ("then", "after", "while") else kind
        if blank:
            pieces.pop()
    pieces.append((joint, sentence[start:].strip()))
    return [(joint, piece) for joint, piece in pieces if piece]


def _in_piece(piece: str) -> list[Clause]:
    """The clauses of a piece without connecting words; their texts together are the piece."""
    masked = _NO_VERB.sub(lambda match: "~" * len(match.group()), piece)
    verbs = [(match.lastgroup, match.start(), match.end()) for match in _VERB.finditer(masked)]
    kinds = {action for action, _, _ in verbs}
    bent = kinds & set(_TRAVEL)
    found: list[tuple[str, int, int]] = []
    for index, (verb, start, end) in enumerate(verbs):
        if verb == "step" and kinds & set(_TRAVEL) - {"step"}:
            continue  # "walks four steps"
        if verb in ("circle", "curve") and not (bent or start < 3):
            continue
        action = action_of(verb, masked[:start].rstrip(), masked[end:].lstrip(), masked)
        if action and action not in [other for other, _, _ in found]:
            # Words before the first verb belong to it, and those of a verb that is a part of it: "moves the right
            # hand in a waving motion".
            leads = not found and all(other in ("move", "turn", "swing", "stretch") for other, _, _ in verbs[:index])
            found.append((action, 0 if leads else start, start))
    # Where a circle or a curve is walked, what is said of one is said of the other.
    whole = bent and kinds & {"circle", "curve"}
    cuts = [(verb, start) for verb, start, _ in verbs if verb not in ("step", "circle", "curve", "swing")]
    clauses = []
    for action, first, start in found:
        last = (
            len(piece)
            if whole
            else min((cut for verb, cut in cuts if cut > start and verb != action), default=len(piece))
        )
        denied = bool(w.DENIAL.search(piece[:start]))
        clauses.append(Clause(action, piece if whole or denied else piece[first:last], denied=denied))
    return clauses
