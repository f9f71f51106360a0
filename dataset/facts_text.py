"""Measured facts of a motion as lines of text, for a reader that cannot see it."""

from collections.abc import Sequence

from utils.motion_facts import MotionFacts, hand_level
from utils.motion_timeline import Spell, Timeline, Turn

# Nobody walks by less than this; the pelvis of one who stands still sways along a longer way than it gets.
_STAYS_M, _SWAY_M = 0.25, 0.6
_SINKS_M = 0.15


def facts_text(facts: MotionFacts, timeline: Timeline) -> str:
    """Duration, travel, speed, turns, hands and sinking, one line each, in metres, seconds and degrees."""
    lines = [
        f"duration: {facts.seconds:.1f} s",
        _travel(facts, timeline),
        _turning(facts, timeline),
        _hand("left", facts.left_hand_m, timeline.left_raised),
        _hand("right", facts.right_hand_m, timeline.right_raised),
    ]
    if facts.pelvis_drop_m >= _SINKS_M:
        lines.append(f"pelvis: sinks by {facts.pelvis_drop_m:.2f} m, lowest at {timeline.lowest_s:.1f} s")
    return "\n".join(lines)


def _travel(facts: MotionFacts, timeline: Timeline) -> str:
    if facts.net_m < _STAYS_M and facts.path_m < _SWAY_M:
        return f"travel: stays in place (the pelvis sways along {facts.path_m:.1f} m in all)"
    line = (
        f"travel: {facts.path_m:.1f} m along the way, ends {facts.net_m:.1f} m from the start; as the body faces, "
        f"{_signed(facts.forward_m, 'forward', 'backward')} and {_signed(facts.left_m, 'to the left', 'to the right')}"
        f"; mean speed {facts.speed_m_s:.1f} m/s"
    )
    return f"{line}; moving {_times(timeline.travels)}" if timeline.travels else line


def _turning(facts: MotionFacts, timeline: Timeline) -> str:
    net = f"at the end {_degrees(facts.turn_deg)} of the start"
    if not timeline.turns:
        return f"heading: {net}; no turn of 40 degrees or more"
    return f"heading: {net}; turns: {', '.join(_turn(turn) for turn in timeline.turns)}"


def _turn(turn: Turn) -> str:
    way = "left" if turn.degrees > 0 else "right"
    return f"{abs(turn.degrees):.0f} degrees {way} from {turn.start_s:.1f} to {turn.end_s:.1f} s"


def _degrees(value: float) -> str:
    return f"{abs(value):.0f} degrees {'left' if value > 0 else 'right'}"


def _signed(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):.1f} m {positive if value >= 0 else negative}"


def _hand(side: str, height_m: float, raised: Sequence[Spell]) -> str:
    relation = "above" if height_m >= 0 else "below"
    line = f"{side} hand: at its highest {hand_level(height_m)} ({abs(height_m):.2f} m {relation} the head joint)"
    return f"{line}; at the chest or above {_times(raised)}" if raised else f"{line}; stays low"


def _times(spells: Sequence[Spell]) -> str:
    return ", ".join(f"from {spell.start_s:.1f} to {spell.end_s:.1f} s" for spell in spells)
