"""What decided between the candidates of Chain-of-Motion: the facts in which the chosen one and the best other differ.

    chosen      v turns left
    the other   x says turns left, turns right

Where no fact tells them apart, the score with the largest share in the difference is named, and the next best that
differs in a fact is shown beside: the best of the others is often a revision of the chosen one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dataset.facts.contradictions import contradictions
from dataset.facts.motion_facts import MotionFacts
from dataset.facts.verdicts import verdict
from models.reporting.cards import mistakes, safe

# A candidate -> the text that claims something, and the facts of the motion that it is about; None without a motion or
# a text.
Look = Callable[[dict[str, Any]], tuple[str, MotionFacts] | None]
# So many others are looked at, the best first: each is decoded and measured.
_LOOKED_AT = 12


def what_decided(rows: Sequence[dict[str, Any]], look: Look, weights: Mapping[str, float]) -> str:
    """HTML for the candidates of one reply (rows of `com.trace`); empty where there is no other than the chosen one.

    Args:
        weights: factor of each score in the total; empty: not known.
    """
    chosen = next((row for row in rows if row["chosen"]), None)
    others = [row for row in rows if not row["chosen"]]
    if chosen is None or not others:
        return ""
    others.sort(key=lambda row: row["total"], reverse=True)
    seen = look(chosen)
    for other in others[:_LOOKED_AT]:
        its = None if seen is None else look(other)
        told = "" if its is None else _by_facts(seen, its)
        if told and other is others[0]:
            return _between(chosen, other, "the best of the others") + told
        if told:
            nearest = _between(chosen, others[0], "the best of the others") + _by_score(chosen, others[0], weights)
            return nearest + _between(chosen, other, "the best that differs in a fact") + told
    return _between(chosen, others[0], "the best of the others") + _by_score(chosen, others[0], weights)


def _between(chosen: Mapping[str, Any], other: Mapping[str, Any], name: str) -> str:
    mine, its = (f"round {row['round'] + 1}, {row['total']:.3f}" for row in (chosen, other))
    return f"<p>what decided between the chosen one ({mine}) and {name} ({its})</p>"


def _by_facts(seen: tuple[str, MotionFacts], its: tuple[str, MotionFacts]) -> str:
    """The facts in which the chosen one (its text, its motion) and the other differ; empty where they do not."""
    wrong, of_other = contradictions(*seen), contradictions(*its)
    if {one.said for one in wrong} == {one.said for one in of_other}:
        return ""
    kept = [one for one in of_other if seen[0] == its[0] and one.claim and verdict(one.claim, seen[1])]
    lines = "".join(f"<li class='holds'>{safe(one.said)}</li>" for one in kept)
    kept_lines = f"<ul class='facts'>{lines}</ul>" if kept else ""
    return (
        f"<p class='soft'>chosen</p>{kept_lines}{mistakes(wrong) or ('' if kept else _NOTHING)}"
        f"<p class='soft'>the other</p>{mistakes(of_other) or _NOTHING}"
    )


_NOTHING = "<ul class='facts'><li class='holds'>nothing that it says fails</li></ul>"


def _by_score(chosen: Mapping[str, Any], other: Mapping[str, Any], weights: Mapping[str, float]) -> str:
    """The score that has the largest share in how much better the chosen one is."""
    pairs = {name: (value, other["scores"].get(name)) for name, value in chosen["scores"].items()}
    gains = {
        name: weights.get(name, 1.0) * (own - its)
        for name, (own, its) in pairs.items()
        if own is not None and its is not None
    }
    if not gains or max(gains.values()) <= 0:
        return "<p class='soft'>no fact tells them apart</p>"
    name = max(gains, key=gains.__getitem__)
    own, its = pairs[name]
    weight = f", weight {weights[name]:g}" if name in weights else ""
    return f"<p class='soft'>no fact tells them apart; {safe(name)} does: {own:.3f} against {its:.3f}{weight}</p>"
