"""All actions of a motion, in order, without those that are only a part of another one.

measured(Body(joints, skeleton))  ->  (Event("walk", 0.3, 2.4, "left", "forward", count=4, ...), Event("jump", ...))
"""

from dataset.actions.body import Body
from dataset.actions.events import Event, repeated
from dataset.actions.hands import claps, punches, raises, waves
from dataset.actions.legs import jumps, kicks_and_knees
from dataset.actions.travel import turns, ways
from dataset.actions.trunk import bows, leans, squats_and_seats

_FAMILIES = (ways, turns, jumps, kicks_and_knees, squats_and_seats, bows, leans, claps, punches, waves, raises)
# What is measured in the course of another action and is nothing of its own: arms swing in a run and reach forward in
# a squat, the trunk bends for a seat, the pelvis sinks before a leap.
_PART_OF = {
    "raise": {"wave", "clap", "punch", "squat", "jump", "run", "walk", "bow"},
    "bow": {"squat", "sit", "stand", "jump", "kick", "run"},
    "squat": {"jump", "walk", "run"},
    "wave": {"punch", "run"},
    "walk": {"jump", "sit", "stand", "kick"},
    "sidestep": {"jump", "lean", "kick", "circle"},
    "lean": {"kick", "circle", "raise", "wave"},
    "knee": {"jump", "run"},
    "clap": {"run", "punch", "jump"},
    "punch": {"run", "jump"},
    "kick": {"run"},
}
# A part overlaps its whole by this share of the shorter one of the two; a way or a turn by this share of its own time,
# or a leap at the end of a walk would be all of it.
_SHARE = 0.5
_LONG = ("walk", "sidestep")
_SWING_S = 1.0  # a hand that is up for longer on a walk is raised, and does not swing
_TILT_DEG = 17.0  # a raised arm tilts the trunk by up to 15 degrees
_PAUSE_S = 1.5  # repetitions with a longer pause are told apart
# Hands that wave may touch, and hands that clap go to and fro: claps as many as this share of the swings are meant.
_TOUCHING = 0.5


def measured(body: Body) -> tuple[Event, ...]:
    """A clip of two frames or more -> what happens, in order of its start."""
    found = [event for family in _FAMILIES for event in family(body)]
    kept = repeated((event for event in found if not any(_explains(other, event) for other in found)), _PAUSE_S)
    return tuple(event for event in kept if not any(_outnumbers(other, event) for other in kept))


def _explains(whole: Event, part: Event) -> bool:
    """Whether `part` happens in the course of `whole`."""
    if whole.kind not in _PART_OF.get(part.kind, ()):
        return False
    seconds = part.end_s - part.start_s
    if part.kind == "raise" and whole.kind == "walk" and seconds > _SWING_S:
        return False
    if part.kind == "lean" and whole.kind in ("raise", "wave") and part.degrees > _TILT_DEG:
        return False
    shorter = seconds if part.kind in _LONG else min(seconds, whole.end_s - whole.start_s)
    return whole.overlap_s(part) > _SHARE * shorter


def _outnumbers(one: Event, other: Event) -> bool:
    """Whether both are the same hands that wave and touch, or clap and swing, and `one` is what is meant."""
    if {one.kind, other.kind} != {"wave", "clap"} or not one.overlap_s(other):
        return False
    waved, clapped = (one.count, other.count) if one.kind == "wave" else (other.count, one.count)
    return (clapped > _TOUCHING * waved) == (one.kind == "clap")
