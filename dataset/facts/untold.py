"""What a motion does and a text does not tell: else a motion that does everything would keep what any text claims.

An action is told by a claim of it, or of another one that it belongs to (who sits down bends forward). One that goes to
the other side or the other way than the text says is not told.
"""

from collections.abc import Sequence
from dataclasses import replace

from dataset.actions.events import Event
from dataset.claims.claims import Claim
from dataset.facts.motion_facts import MotionFacts

# Action that is claimed -> the kinds of events that it tells.
_TELLS = {
    "walk": ("walk", "run", "sidestep"),
    "run": ("run", "walk"),
    "step": ("walk", "run", "sidestep"),
    "move": ("walk", "run", "sidestep"),
    "sidestep": ("sidestep", "walk"),
    "turn": ("turn", "circle"),
    "circle": ("circle", "turn", "walk", "run"),
    "jump": ("jump", "squat", "raise"),
    "kick": ("kick", "knee", "lean"),
    "knee": ("knee", "kick"),
    "leg": ("kick", "knee", "lean"),
    "squat": ("squat", "sit", "stand", "bow", "raise"),
    "sit": ("sit", "squat", "bow"),
    "stand": ("stand", "squat", "bow"),
    "bow": ("bow", "squat"),
    "lean": ("lean",),
    "raise": ("raise", "wave"),
    "wave": ("wave", "raise", "clap"),
    "clap": ("clap", "wave", "raise"),
    "punch": ("punch", "wave", "raise"),
}
_OPPOSITE = {"left": "right", "right": "left", "forward": "backward", "backward": "forward"}
# Turns of less may belong to a step.
_TURN_DEG = 60.0


def untold(claims: Sequence[Claim], facts: MotionFacts) -> list[Event]:
    """The actions of a motion that none of `claims` tells, in order."""
    told = [_told(claims, event) for event in counted(facts)]
    return [event for event, found in zip(counted(facts), told, strict=True) if not found]


def opposed(claims: Sequence[Claim], facts: MotionFacts) -> list[Event]:
    """Those of `untold` that are the action of a claim to the other side or the other way, in order."""
    anywhere = [replace(claim, slot="action") for claim in claims]
    return [event for event in untold(claims, facts) if _told(anywhere, event)]


def counted(facts: MotionFacts) -> list[Event]:
    """The actions of a motion that a text may be expected to tell."""
    return [event for event in facts.actions if event.kind != "turn" or event.degrees >= _TURN_DEG]


def _told(claims: Sequence[Claim], event: Event) -> bool:
    said = {(claim.action, claim.slot, claim.value) for claim in claims if claim.slot in ("way", "side")}
    return any(_tells(action, said, event) for action in {claim.action for claim in claims if not claim.denied})


def _tells(action: str, said: set[tuple], event: Event) -> bool:
    if event.kind not in _TELLS.get(action, ()):
        return False
    if (action, "way", _OPPOSITE.get(event.way)) in said and (action, "way", event.way) not in said:
        return False
    other = _OPPOSITE.get(event.side)
    limb = event.kind in ("kick", "knee", "raise", "wave", "punch")
    return not (limb and (action, "side", other) in said and (action, "side", event.side) not in said)
