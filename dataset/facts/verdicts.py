"""Whether a motion keeps what a text claims: it holds, it fails, or it cannot be said.

    verdict(Claim("turn", "way", "left"), facts)  ->  True, False or None

Between what clearly happens and what surely does not lie the sway of a real body and the noise of a decoded motion:
there nothing is said.
"""

from collections.abc import Callable

from dataset.actions.events import TRAVEL, Event
from dataset.claims.claims import Claim
from dataset.facts.happening import (
    LEFT_PLACE_M,
    MOVED_M,
    NOT_MOVED_M,
    NOT_TURNED_DEG,
    STAYED_M,
    TURNED_DEG,
    Verdict,
    events_of,
    happens,
    raised,
)
from dataset.facts.motion_facts import LEVELS, MotionFacts

LEVEL_MARGIN_M = 0.08
# Degrees by which a turn may differ from what is said, and by which it surely is another one.
_SAME_TURN_DEG, _OTHER_TURN_DEG = 35.0, 55.0
_SAME_WAY, _SAME_WAY_M, _OTHER_WAY, _OTHER_WAY_M = 0.25, 0.5, 0.4, 1.0
# Metres a second: slow up to the first, certainly not slow from the second on, not quick up to the third, quick from
# the fourth on. Of real people and toy people (`python -m tests.benchmarks.claims_on_captions`).
_PACES = {
    "forward": (0.8, 1.1, 0.75, 1.2),
    "backward": (0.55, 0.85, 0.5, 0.8),
    "run": (2.3, 2.8, 2.2, 2.7),
    "sidestep": (0.5, 0.6, 0.4, 0.55),
}
_SHORT_M = 0.9  # a shorter way is mostly starting and stopping: its pace is no contradiction


def verdict(claim: Claim, facts: MotionFacts) -> Verdict:
    """True where the claim holds, False where it fails, None where it cannot be said."""
    if claim.denied:
        found = happens(claim.action, facts)
        return None if found is None else not found
    if claim.slot == "action":
        return happens(claim.action, facts)
    answer = _SLOTS[claim.slot](claim, facts)
    if answer is None and happens(claim.action, facts) is False:
        return False  # what does not happen has no side and no number
    return answer


def _side(claim: Claim, facts: MotionFacts) -> Verdict:
    """The limb: left, right or both."""
    side = str(claim.value)
    if claim.action == "raise":
        found = {event.side for event in facts.actions if event.kind in ("raise", "wave")}
        hands = True if side in found else _hands(side, facts)
        return False if hands is None and found else hands
    found = {event.side for event in events_of(claim.action, facts) if not (event.kind == "wave" and event.count == 0)}
    if side in found or (side == "both" and {"left", "right"} <= found):
        return True
    if found:
        return False
    hands = _hands(side, facts) if claim.action in ("wave", "punch") else None
    return None if hands else hands


def _hands(side: str, facts: MotionFacts) -> Verdict:
    """Whether this hand, and no other one, is raised."""
    wanted = ("left", "right") if side == "both" else (side,)
    up = raised(wanted, facts)
    if side == "both" or not up:
        return up
    other = raised(("right",) if side == "left" else ("left",), facts)
    return False if other else True if other is False else None


def _way(claim: Claim, facts: MotionFacts) -> Verdict:
    way, action = str(claim.value), claim.action
    if action in ("walk", "run", "step", "move", "sidestep"):
        return _travel_way(way, facts)
    events = events_of(action, facts)
    if any(event.way == way for event in events):
        return True
    if action in ("turn", "circle"):
        towards = facts.turn_deg if way == "left" else -facts.turn_deg
        if towards >= TURNED_DEG:
            return True
        return False if towards <= -TURNED_DEG or events or abs(towards) < NOT_TURNED_DEG else None
    if action == "raise":
        return _raise_way(way, claim, facts)
    if action == "kick" and way == "front" and any(event.kind == "knee" for event in facts.actions):
        return None
    return False if events else None


def _travel_way(way: str, facts: MotionFacts) -> Verdict:
    along = way in ("forward", "backward")
    amount = facts.forward_m if along else facts.left_m
    towards = amount if way in ("forward", "left") else -amount
    events = [event for event in facts.actions if event.kind in TRAVEL]
    if any(event.way == way for event in events) or towards >= MOVED_M:
        return True
    if not along and any(event.way == way for event in facts.actions if event.kind in ("turn", "circle")):
        return True  # a walk to the left may bend to the left
    if towards <= -MOVED_M and (along or not facts.turns):
        return False
    turned = not along and abs(facts.turn_deg) >= NOT_TURNED_DEG
    return False if abs(towards) < NOT_MOVED_M and not turned and (not along or facts.path_m < MOVED_M) else None


def _raise_way(way: str, claim: Claim, facts: MotionFacts) -> Verdict:
    hands = {"left": facts.left_hand_m, "right": facts.right_hand_m}
    heights = [height for side, height in hands.items() if claim.side in ("", "both", side)]
    if way == "overhead":
        return _level_verdict("above the head", max(heights))
    told = {event.way for event in facts.actions if event.kind == "raise" and claim.side in ("", event.side)}
    return False if told and "overhead" not in told else None


def _place(claim: Claim, facts: MotionFacts) -> Verdict:
    if facts.net_m > LEFT_PLACE_M:
        return False
    return True if facts.net_m < STAYED_M else None


def _level(claim: Claim, facts: MotionFacts) -> Verdict:
    hands = {"left": facts.left_hand_m, "right": facts.right_hand_m}
    return _level_verdict(
        str(claim.value), max(height for side, height in hands.items() if claim.side in ("", "both", side))
    )


def _level_verdict(name: str, height: float) -> Verdict:
    """Contradicted is a height outside the band of the level named, by more than a margin."""
    rank = [level for level, _ in LEVELS].index(name)
    lowest, highest = LEVELS[rank][1], LEVELS[rank - 1][1] if rank else float("inf")
    if lowest <= height <= highest:
        return True
    return None if lowest - LEVEL_MARGIN_M <= height <= highest + LEVEL_MARGIN_M else False


def _depth(claim: Claim, facts: MotionFacts) -> Verdict:
    depths = {event.way for event in events_of("bow", facts)}
    degrees = max((event.degrees for event in events_of("bow", facts)), default=0.0)
    if claim.value in depths:
        return True
    return False if depths and not 34 < degrees < 52 else None


def _matching(claim: Claim, facts: MotionFacts) -> list[Event]:
    """Events with the side and way that are stated beside the claim, as far as there are any."""
    events = events_of(claim.action, facts)
    for name in ("side", "way"):
        wanted = getattr(claim, name)
        if wanted and claim.action not in TRAVEL and any(getattr(event, name) == wanted for event in events):
            events = [event for event in events if getattr(event, name) == wanted]
    return events


def _count(claim: Claim, facts: MotionFacts) -> Verdict:
    said = float(claim.value)
    counts = [event.count for event in _matching(claim, facts)]
    if not counts or 0 in counts:
        return None
    near = min(abs(count - said) for count in (*counts, sum(counts)))
    if claim.action in ("turn", "circle"):
        return True if near == 0 else None
    loose = max(1.0, 0.2 * said) if claim.action == "wave" or claim.about or said >= 5 else 0.0
    return True if near <= loose else None if claim.about and near <= 2 * loose else False


def _steps(claim: Claim, facts: MotionFacts) -> Verdict:
    said = float(claim.value)
    events = [event for event in facts.actions if event.kind in TRAVEL]
    if claim.way:
        events = [event for event in events if event.way == claim.way] or events
    if not events:
        return None
    if said == facts.steps:
        return True  # feet that pass each other may be called the steps, too
    counts = {event.count for event in events}
    counts |= {sum(event.count for event in events if (event.kind == "sidestep") == aside) for aside in (False, True)}
    if claim.action == "sidestep":  # one foot steps aside and the other one follows: one step or two
        if any(abs(count - 2 * said) <= 1 for count in counts):
            return True
        return None if any(abs(count - said) <= (said >= 5) for count in counts) else False
    near = min(abs(count - said) for count in counts)
    loose = max(1.0, 0.2 * said if claim.about else 0.0)
    return True if near <= loose else None if near <= 2 * loose and said > 4 else False


def _degrees(claim: Claim, facts: MotionFacts) -> Verdict:
    said = float(claim.value)
    found = [event.degrees for event in events_of("turn", facts)]
    found += [abs(facts.turn_deg)] if abs(facts.turn_deg) >= TURNED_DEG else []
    if not found:
        return None
    near = min(abs(degrees - said) for degrees in found)
    return True if near <= _SAME_TURN_DEG else False if near >= _OTHER_TURN_DEG else None


def _metres(claim: Claim, facts: MotionFacts) -> Verdict:
    said = float(claim.value)
    ways = [facts.path_m, facts.net_m, *(event.metres for event in facts.actions if event.kind in TRAVEL)]
    near = min(abs(metres - said) for metres in ways)
    if near <= max(_SAME_WAY * said, _SAME_WAY_M):
        return True
    return False if near >= max(_OTHER_WAY * said, _OTHER_WAY_M) else None


def _speed(claim: Claim, facts: MotionFacts) -> Verdict:
    events = [event for event in facts.actions if event.kind in TRAVEL]
    events = [event for event in events if event.way == claim.way] or events
    band = claim.action if claim.action in _PACES else ""
    verdicts = [_pace_verdict(str(claim.value), event, band) for event in events]
    if any(verdicts):
        return True
    return False if verdicts and all(found is False for found in verdicts) else None


def _pace_verdict(said: str, event: Event, band: str) -> Verdict:
    own = event.way if event.way in _PACES else "sidestep"
    slow, not_slow, not_quick, quick = _PACES[band or own]
    pace, long = event.pace_m_s, event.metres >= _SHORT_M or event.kind == "sidestep"
    if said == "slow":
        return True if pace <= slow else False if pace >= not_slow else None
    if said == "quick":
        return True if pace >= quick else False if pace <= not_quick and long else None
    return (
        True if slow * 0.8 <= pace <= quick * 1.2 else False if long and not slow * 0.6 <= pace <= quick * 1.5 else None
    )


def _first_foot(claim: Claim, facts: MotionFacts) -> Verdict:
    feet = [event.side for event in facts.actions if event.kind in TRAVEL and event.side]
    return None if not feet else feet[0] == claim.value


def _before(claim: Claim, facts: MotionFacts) -> Verdict:
    """Whether some event of the one action begins before one of the other."""
    first = [event.start_s for event in events_of(claim.action, facts)]
    second = [event.start_s for event in events_of(str(claim.value), facts)]
    return min(first) < max(second) if first and second else None


_SLOTS: dict[str, Callable[[Claim, MotionFacts], Verdict]] = {
    "side": _side,
    "way": _way,
    "place": _place,
    "level": _level,
    "depth": _depth,
    "count": _count,
    "steps": _steps,
    "degrees": _degrees,
    "metres": _metres,
    "speed": _speed,
    "first foot": _first_foot,
    "before": _before,
}
