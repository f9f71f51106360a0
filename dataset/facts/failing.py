"""From when on a motion is not what a text claims: where what contradicts it begins.

    fails_from("a person walks forward, then turns left.", facts)  ->  2.4, where the body begins to turn right

A number or a size that is exceeded fails where the action has reached it; one that is not reached, where it ends. An
action that never happens has no moment.
"""

from collections.abc import Sequence

from dataset.actions.events import TRAVEL, Event
from dataset.claims.claims import Claim, claims_of
from dataset.facts.happening import events_of
from dataset.facts.motion_facts import MotionFacts
from dataset.facts.verdicts import verdict

_SIZES = {"count": "count", "steps": "count", "degrees": "degrees", "metres": "metres"}
_HANDS_UP = ("raise", "wave")


def fails_from(text: str, facts: MotionFacts) -> float | None:
    """Seconds from the first frame to the first moment at which a claim of `text` fails.

    None where none fails, and where nothing that fails has a moment.
    """
    failing = [claim for claim in claims_of(text) if verdict(claim, facts) is False]
    moments = [moment for claim in failing if (moment := _moment(claim, facts)) is not None]
    return min(moments, default=None)


def _moment(claim: Claim, facts: MotionFacts) -> float | None:
    """When what contradicts a failing claim begins; None where nothing does."""
    if claim.slot == "before":  # what should come later begins too early
        return _start(events_of(str(claim.value), facts))
    events = _contradicting(claim, facts)
    if claim.slot in _SIZES and not claim.denied and events:
        return _used_up(events, _SIZES[claim.slot], float(claim.value))
    return _start(events)


def _contradicting(claim: Claim, facts: MotionFacts) -> list[Event]:
    """The events that a failing claim is denied by, in order."""
    travel = [event for event in facts.actions if event.kind in TRAVEL]
    if claim.action == "still" and not claim.denied:
        return travel
    if claim.slot in ("place", "speed", "steps", "metres", "first foot") or claim.action in ("walk", "step", "move"):
        return travel
    if claim.action == "raise":
        return [event for event in facts.actions if event.kind in _HANDS_UP]
    return events_of(claim.action, facts)


def _start(events: Sequence[Event]) -> float | None:
    return min((event.start_s for event in events), default=None)


def _used_up(events: Sequence[Event], size: str, said: float) -> float:
    """When events, one after the other, have reached the size that is said; the end of the last where they do not."""
    left = said
    for event in events:
        found = float(getattr(event, size))
        if found > left:
            return event.start_s + (event.end_s - event.start_s) * left / found
        left -= found
    return events[-1].end_s
