"""Whether an action happens in a motion: it does, it surely does not, or it cannot be said."""

from collections.abc import Callable

from dataset.actions.events import TRAVEL, Event
from dataset.facts.motion_facts import HAND_UP_M, MotionFacts

Verdict = bool | None
# The first of each pair is clear, the second surely nothing: between them lie the sway of a real body and the noise of
# a decoded motion.
TURNED_DEG, NOT_TURNED_DEG = 30.0, 15.0
MOVED_M, NOT_MOVED_M = 0.25, 0.1
LEFT_PLACE_M = 1.0
# Height of a wrist above the head joint: of a raised hand, and of one that surely is not raised.
RAISED_M, LOWERED_M = HAND_UP_M, -0.3
STAYED_M = 0.4  # somebody who goes nowhere gets no further
_FOOT_DOWN_M = 0.12  # a foot that is lifted by less neither kicks nor jumps
_ROSE_M = 0.04  # the pelvis rises by less than in a jump
_SUNK_M = 0.12  # and sinks by less than in a squat or onto a seat
_UPRIGHT_DEG, _NOT_LEANING_DEG, _ROUND_DEG = 10.0, 7.0, 200.0
_BENT_DEG, _LOW_M = 45.0, 0.25  # so deep a bow or squat brings the head down to the hands
_HANDS_APART_M = 0.3
# A walk from here on may be called a run (elderly people jog at 1.2 m/s), and a run up to here a walk.
_JOGS_M_S, _WALKS_M_S = 1.0, 2.3

# Which kinds of events are an action.
_KINDS = {
    "walk": ("walk", "run", "sidestep"),
    "run": ("run",),
    "step": TRAVEL,
    "move": TRAVEL,
    "turn": ("turn", "circle"),
    "leg": ("kick", "knee"),
}


def events_of(action: str, facts: MotionFacts) -> list[Event]:
    """The events that are an action."""
    return [event for event in facts.actions if event.kind in _KINDS.get(action, (action,))]


def happens(action: str, facts: MotionFacts) -> Verdict:
    """Whether a motion shows an action (`dataset.claims.claims.ACTIONS`) at all."""
    if action == "still":
        return _still(facts)
    if action == "raise":
        hands = [raised((side,), facts) for side in ("left", "right")]
        return True if True in hands else None if None in hands else False
    if action == "walk" and (ways := events_of(action, facts)):
        return True if any(event.kind != "run" or event.pace_m_s < _WALKS_M_S for event in ways) else None
    if events_of(action, facts):
        return True
    if action == "turn" and abs(facts.turn_deg) >= TURNED_DEG:
        return True
    if action in ("walk", "step", "move", "sidestep") and facts.path_m >= MOVED_M and facts.net_m >= MOVED_M:
        return True if action != "sidestep" else None if abs(facts.left_m) >= NOT_MOVED_M else False
    if action == "run" and facts.actions:
        slow = [event.pace_m_s < _JOGS_M_S for event in events_of("walk", facts)]
        return False if all(slow) and facts.pace_m_s < _JOGS_M_S else None
    test = _SURELY_NOT.get(action)
    return False if test and test(facts) else None


def _kinds(facts: MotionFacts) -> set[str]:
    return {event.kind for event in facts.actions}


def stayed(facts: MotionFacts) -> bool:
    """Whether the body gets nowhere."""
    return facts.path_m < STAYED_M and not _kinds(facts) & set(TRAVEL)


def _feet_down(facts: MotionFacts) -> bool:
    return max(facts.left_foot_m, facts.right_foot_m) < _FOOT_DOWN_M


def _on_foot(facts: MotionFacts) -> bool:
    """Whether a foot stays down, or the feet do nothing but carry the body along."""
    return _feet_down(facts) or (
        bool(_kinds(facts) & {"walk", "sidestep"}) and not _kinds(facts) & {"run", "kick", "knee"}
    )


def _hands_low(facts: MotionFacts) -> bool:
    return max(facts.left_hand_m, facts.right_hand_m) < LOWERED_M


def _upright(facts: MotionFacts) -> bool:
    return facts.pelvis_drop_m < _SUNK_M


# What is surely not there, by action; an action without a test is never denied.
_SURELY_NOT: dict[str, Callable[[MotionFacts], bool]] = {
    "walk": stayed,
    "run": stayed,
    "step": lambda facts: facts.path_m < NOT_MOVED_M * 2 and stayed(facts) and "turn" not in _kinds(facts),
    "move": lambda facts: facts.path_m < NOT_MOVED_M * 2 and stayed(facts),
    "sidestep": lambda facts: abs(facts.left_m) < NOT_MOVED_M,
    "turn": lambda facts: abs(facts.turn_deg) < NOT_TURNED_DEG and not facts.turns,
    "circle": lambda facts: sum(abs(turn.degrees) for turn in facts.turns) < _ROUND_DEG,
    "jump": lambda facts: _on_foot(facts) or facts.pelvis_rise_m < _ROSE_M,
    "kick": _on_foot,
    "knee": _feet_down,
    "leg": _feet_down,
    "squat": _upright,
    "sit": _upright,
    "stand": lambda facts: facts.pelvis_end_m + facts.pelvis_drop_m < _SUNK_M,
    "bow": lambda facts: facts.bend_deg < _UPRIGHT_DEG and _upright(facts),
    "lean": lambda facts: max(facts.lean_left_deg, facts.lean_right_deg) < _NOT_LEANING_DEG,
    "wave": _hands_low,
    "clap": lambda facts: _hands_low(facts) or facts.hands_apart_m > _HANDS_APART_M,
    "punch": _hands_low,
}


def _still(facts: MotionFacts) -> Verdict:
    if facts.net_m > LEFT_PLACE_M:
        return False
    return True if stayed(facts) else None


def raised(sides: tuple[str, ...], facts: MotionFacts) -> Verdict:
    """Whether all these hands are raised."""
    heights = [facts.left_hand_m if side == "left" else facts.right_hand_m for side in sides]
    if min(heights) > RAISED_M:
        return True
    # Who bows or squats has the hands near the height of the head.
    low = min(heights) < LOWERED_M and facts.bend_deg < _BENT_DEG and facts.pelvis_drop_m < _LOW_M
    return False if low else None
