"""Measured facts of a motion become lines of text, for a reader that cannot see it."""

from collections.abc import Sequence

from dataset.actions.series import Turn, joined
from dataset.facts.motion_facts import MotionFacts, hand_level

# A person who ends nearer than the first to the start, with a shorter way than the second, stood still: the pelvis
# sways, and its way adds up to more than the distance it gets.
_STAYS_M, _SWAY_M = 0.25, 0.6
_SINKS_M = 0.15
# A shorter time with the hand up is noise; a shorter pause belongs to the gesture.
_SHORTEST_S, _PAUSE_S = 0.2, 0.3


def facts_text(facts: MotionFacts) -> str:
    """Duration, travel, speed, turns, hands and sinking, one line each, in metres, seconds and degrees."""
    lines = [
        f"duration: {facts.seconds:.1f} s",
        _travel(facts),
        _turning(facts),
        _hand("left", facts.left_hand_m, facts.left_hand_up_s),
        _hand("right", facts.right_hand_m, facts.right_hand_up_s),
    ]
    if facts.pelvis_drop_m >= _SINKS_M:
        lines.append(f"pelvis: sinks by {facts.pelvis_drop_m:.2f} m{_end(facts.pelvis_end_m)}")
    return "\n".join(lines)


def _end(height_m: float) -> str:
    return " and stays low" if height_m < -_SINKS_M else " and comes up again"


def _travel(facts: MotionFacts) -> str:
    if facts.net_m < _STAYS_M and facts.path_m < _SWAY_M:
        return f"travel: stays in place (the pelvis sways along {facts.path_m:.1f} m in all)"
    moving = f"; moving for {facts.travel_s:.1f} s at {facts.pace_m_s:.1f} m/s" if facts.travel_s else ""
    steps = f", in {facts.steps} steps" if facts.steps else ""
    return (
        f"travel: {facts.path_m:.1f} m along the way, ends {facts.net_m:.1f} m from the start; as the body faces, "
        f"{_signed(facts.forward_m, 'forward', 'backward')} and {_signed(facts.left_m, 'to the left', 'to the right')}"
        f"{moving}{steps}"
    )


def _turning(facts: MotionFacts) -> str:
    net = f"at the end {_degrees(facts.turn_deg)} of the start"
    if not facts.turns:
        return f"heading: {net}; no turn of 40 degrees or more"
    return f"heading: {net}; turns: {', '.join(_turn(turn) for turn in facts.turns)}"


def _turn(turn: Turn) -> str:
    way = "left" if turn.degrees > 0 else "right"
    return f"{abs(turn.degrees):.0f} degrees {way} from {turn.start_s:.1f} to {turn.end_s:.1f} s"


def _degrees(value: float) -> str:
    return f"{abs(value):.0f} degrees {'left' if value > 0 else 'right'}"


def _signed(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):.1f} m {positive if value >= 0 else negative}"


def _hand(side: str, height_m: float, up: Sequence[tuple[float, float]]) -> str:
    relation = "above" if height_m >= 0 else "below"
    line = f"{side} hand: at its highest {hand_level(height_m)} ({abs(height_m):.2f} m {relation} the head joint)"
    times = ", ".join(f"from {start:.1f} to {end:.1f} s" for start, end in joined(up, _PAUSE_S, _SHORTEST_S))
    return f"{line}; at the chest or above {times}" if times else f"{line}; stays low"
