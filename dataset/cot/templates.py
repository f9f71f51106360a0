"""Templates write reasoning without any model: two to four sentences that state what was measured of a motion.

    template_reasoning(facts, caption, random.Random("0/000021/1"))
    ->  "The person goes 2.4 meters forward at a moderate pace, in 4 steps. The body turns by about 90 degrees ..."

Nothing is stated that `dataset.facts.motion_facts` did not measure clearly: a value between two limits is left out.
The caption decides what is told first, never what is told as true. Neither a sentence nor the whole text contradicts
the facts by `dataset.facts.contradictions`.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import dataset.cot.phrases as say
from dataset.cot.acceptance import Bounds
from dataset.facts.happening import LOWERED_M, MOVED_M, NOT_TURNED_DEG, RAISED_M, TURNED_DEG
from dataset.facts.motion_facts import MotionFacts, hand_level

MAX_SENTENCES = 4
# Metres per second of travel. Where people describe real motion (Bandai Namco Research Motiondataset, 1,100 clips of
# walking and running), "slowly" is said of walks up to 0.74, "briskly" from 1.3, "fast" of runs from 2.9; no walk is
# above 1.9.
_PACES = (
    (2.9, "very fast, at running speed"),
    (1.9, "at running speed"),
    (1.3, "briskly"),
    (0.75, "at a moderate pace"),
)
_SLOW = "slowly"
_PACE_FROM_S = 2.0  # a shorter way is mostly starting and stopping, and has no pace
_STILL_M = 0.2  # the pelvis of a person who stands and gestures does not get further away
_ALONG = 0.6  # least share of the way in the direction that is named
_TWICE = 2.0  # the named direction has at least so many times the way of the other one
_HEIGHT_M = 0.15  # walking and running lower and raise the pelvis by less
_LIFTED_M, _PLANTED_M = 0.2, 0.12  # height of a foot that surely left the floor, and of one that surely did not
_BENT_DEG = 20.0
_DEEP_BEND_DEG = 45.0  # the head comes so far down that a hand's height above it says nothing
_HELD_S = 0.4  # a hand that is up for a shorter time swings past chest height and is not raised
_SAME_MOMENT_S = 0.25  # two hands that come up and go down within it do so together
_MANY_TURNS = 4  # so many turns to and fro are not listed
_SAME_HEADING_TOLD = 0.6  # how often an unchanged heading is told where the caption does not ask for it
# Words of a caption that ask for a topic.
_ASKED = {
    "travel": r"walk|run|jog|jump|hop|step|march|pac|dash|sprint|mov|forward|backward|sideway|place|still",
    "turn": r"turn|circle|rotat|spin|corner|curv|direction|clockwise|around",
    "hands": r"hand|arm|fist|wav|rais|clap|punch|lift|reach|throw",
    "height": r"sit|squat|crouch|kneel|stand\w* up|get\w* up|jump|hop|bend|lower",
    "bend": r"bow|bend|lean|stoop",
    "feet": r"kick|knee|leg|foot|feet|jump|hop",
}


def template_reasoning(facts: MotionFacts, caption: str, rng: random.Random) -> str:
    """Two to `MAX_SENTENCES` sentences about a motion; the same state of `rng` gives the same text.

    Args:
        facts: measured on the motion.
        caption: of the motion; decides which sentences come first. May be empty.
        rng: chooses the words.
    """
    # The most wanted clauses, then the length of the clip: inside the first clause or as one of its own.
    clauses = _clauses(facts, caption, rng)[:MAX_SENTENCES]
    length = f"{facts.seconds:.1f} seconds"
    if len(clauses) == MAX_SENTENCES or (len(clauses) > 1 and rng.random() < 0.5):
        clauses[0] = f"{rng.choice(say.WITHIN).format(length)}{clauses[0]}"
    else:
        clauses.append(rng.choice(say.LASTS).format(length))
    too_short = len(" ".join(clauses).split()) < Bounds().min_words
    if too_short and not _height(facts, rng):  # little happens, so say that the height stays
        clauses.append(rng.choice(say.LEVEL).format(round(100 * _HEIGHT_M)))
    return " ".join(f"{clause[0].upper()}{clause[1:]}." for clause in clauses)


def _clauses(facts: MotionFacts, caption: str, rng: random.Random) -> list[str]:
    """All clauses that the facts allow; those on topics that the caption asks for come first."""
    told = {topic: clause for topic, tell in _TOPICS.items() if (clause := tell(facts, rng))}
    asked = [topic for topic in told if re.search(rf"\b({_ASKED[topic]})", caption.lower())]
    if len(told) > 2 and "turn" not in asked and not facts.turns and rng.random() > _SAME_HEADING_TOLD:
        told.pop("turn", None)
    return [told[topic] for topic in (*asked, *(topic for topic in told if topic not in asked))]


def _travel(facts: MotionFacts, rng: random.Random) -> str:
    body = rng.choice(say.BODY)
    if facts.path_m < MOVED_M and facts.net_m < _STILL_M:
        return rng.choice(say.STILL).format(body=body)
    if facts.net_m < _STILL_M and facts.travel_s < facts.seconds / 2 and not facts.turns:
        return rng.choice(say.SWAYING).format(body=body)
    way = _way(facts)
    if way is None:
        return rng.choice(say.ABOUT).format(body=body, path=_metres(facts.path_m), net=_metres(facts.net_m))
    steps = f"in {facts.steps} steps" if facts.steps and facts.steps > 1 else ""
    extra = [part for part in (_pace(facts), steps) if part]
    rng.shuffle(extra)
    first = " ".join([rng.choice(say.GOING).format(body=body, way=way), *extra[:1]])
    return ", ".join([first, *extra[1:]])


def _way(facts: MotionFacts) -> str | None:
    """Distance and direction as the body sees them, or None where its way has no clear direction."""
    ahead = f"{_metres(abs(facts.forward_m))} {'forward' if facts.forward_m > 0 else 'backward'}"
    aside = f"{_metres(abs(facts.left_m))} to the {_side(facts.left_m)}"
    along, across = abs(facts.forward_m), abs(facts.left_m)
    clear = max(MOVED_M, _ALONG * facts.path_m)
    if along > max(clear, _TWICE * across):
        return ahead
    if across > max(clear, _TWICE * along):
        return aside
    if min(along, across) > MOVED_M and along + across > facts.path_m:
        return f"{ahead} and {aside}"
    return None


def _pace(facts: MotionFacts) -> str:
    if facts.travel_s < _PACE_FROM_S or facts.pelvis_rise_m > _HEIGHT_M:  # a leap is no walk
        return ""
    return next((word for lowest, word in _PACES if facts.pace_m_s >= lowest), _SLOW)


def _turn(facts: MotionFacts, rng: random.Random) -> str | None:
    sides = {_side(turn.degrees) for turn in facts.turns}
    if not sides:
        return rng.choice(say.FACING) if abs(facts.turn_deg) < NOT_TURNED_DEG else None
    # A turn to one side that the body takes back in small steps would be no turn in all.
    total = facts.turn_deg if "left" in sides else -facts.turn_deg
    swings_back = len(sides) == 1 and total < TURNED_DEG
    if swings_back or len(facts.turns) >= _MANY_TURNS:
        return None
    verb = rng.choice(say.TURNING)
    told = [
        (
            f"by {_degrees(turn.degrees)} to the {_side(turn.degrees)}",
            f"between {turn.start_s:.1f} and {turn.end_s:.1f} seconds",
        )
        for turn in facts.turns
    ]
    if len(told) == 1 and rng.random() < 0.3:
        return f"{told[0][1]} {verb} {told[0][0]}"
    return f"{verb} {', then '.join(' '.join(part) for part in told)}"


@dataclass(frozen=True)
class _Hand:
    """A hand: its greatest height above the head joint in metres, and the spans (seconds) in which it is up."""

    name: str
    height: float
    spans: tuple[tuple[float, float], ...]

    @property
    def is_held(self) -> bool:
        """The hand is up for longer than a swing of the arm takes."""
        return any(end - start >= _HELD_S for start, end in self.spans)

    @property
    def level(self) -> str:
        level = hand_level(self.height)
        return level if level.startswith("above") else f"to {level}"

    @property
    def outer(self) -> tuple[float, float]:
        """Start of the first and end of the last span."""
        return self.spans[0][0], self.spans[-1][1]


def _hands(facts: MotionFacts, rng: random.Random) -> str | None:
    if facts.bend_deg > _DEEP_BEND_DEG:
        return None
    left = _Hand("left", facts.left_hand_m, facts.left_hand_up_s)
    right = _Hand("right", facts.right_hand_m, facts.right_hand_up_s)
    up = [hand for hand in (left, right) if hand.height > RAISED_M]
    if not up:
        return rng.choice(say.LOW) if max(left.height, right.height) < LOWERED_M else None
    if not all(hand.is_held for hand in up):
        return None
    up.sort(key=lambda hand: (-hand.height, hand.spans))
    first = up[0]
    one, both = say.UP_AT_FIRST if first.outer[0] == 0 else rng.choice(say.RISES)
    if len(up) == 1:
        other = right if first is left else left
        rest = rng.choice(say.OTHER_LOW) if other.height < LOWERED_M else ""
        return f"the {first.name} hand {one} {first.level}{_when(first, facts.seconds, 'is', rng)}{rest}"
    second = up[1]
    if first.level != second.level:
        return rng.choice(say.UNEQUAL).format(first=first, second=second, verb=one)
    together = all(abs(a - b) <= _SAME_MOMENT_S for a, b in zip(first.outer, second.outer, strict=True))
    return f"both hands {both} {first.level}{_when(first, facts.seconds, 'are', rng) if together else ''}"


def _when(hand: _Hand, seconds: float, are: str, rng: random.Random) -> str:
    """When the hand is up, and how often, where all spans and gaps are clearly longer than a swing of the arm."""
    spans, (first, last) = hand.spans, hand.outer
    start = f"{first:.1f} seconds" if first > 0 else "the beginning"
    end = f"{last:.1f} seconds" if last < seconds else "the end"
    if len(spans) == 1:
        return rng.choice(say.ONCE).format(start=start, end=end, are=are)
    gaps = [after[0] - before[1] for before, after in pairwise(spans)]
    clear = min([stop - begin for begin, stop in spans] + gaps) >= _HELD_S
    times = f" {say.COUNTS[len(spans)]}" if clear and len(spans) in say.COUNTS else ""
    return times + rng.choice(say.OFTEN).format(start=start, end=end)


def _height(facts: MotionFacts, rng: random.Random) -> str | None:
    drop, rise, end = facts.pelvis_drop_m, facts.pelvis_rise_m, facts.pelvis_end_m
    told = []
    if drop > _HEIGHT_M:
        told.append(rng.choice(say.SINKS if end < -_HEIGHT_M else say.DIPS).format(_metres(drop)))
    if rise > _HEIGHT_M:
        told.append(rng.choice(say.ENDS_HIGHER if end > _HEIGHT_M else say.HOPS).format(_metres(rise)))
    return ", and ".join(told) if told else None


def _bend(facts: MotionFacts, rng: random.Random) -> str | None:
    return None if facts.bend_deg < _BENT_DEG else rng.choice(say.BENDING).format(_degrees(facts.bend_deg))


def _feet(facts: MotionFacts, rng: random.Random) -> str | None:
    """Which foot is lifted, told only of a body that stays where it is: every step lifts a foot."""
    heights = {"left": facts.left_foot_m, "right": facts.right_foot_m}
    up = [side for side, height in heights.items() if height > _LIFTED_M]
    if facts.path_m > 1 or not up:
        return None
    if len(up) == 2:
        return rng.choice(say.BOTH_FEET)
    if min(heights.values()) > _PLANTED_M:
        return None
    return rng.choice(say.ONE_FOOT).format(side=up[0], height=_metres(heights[up[0]]))


def _side(left: float) -> str:
    return "left" if left > 0 else "right"


def _metres(value: float) -> str:
    return f"{value:.1f} meters" if value >= 0.95 else f"{value:.2f} meters"


def _degrees(degrees: float) -> str:
    return f"about {5 * round(abs(degrees) / 5)} degrees"


# Topics that the caption does not ask for are told in this order, the rarest first, since it says most.
_TOPICS: dict[str, Callable[[MotionFacts, random.Random], str | None]] = {
    "height": _height,
    "bend": _bend,
    "feet": _feet,
    "travel": _travel,
    "turn": _turn,
    "hands": _hands,
}
