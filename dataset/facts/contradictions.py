"""A caption is compared with its motion, and every contradiction between them is named.

    contradictions("a person turns left.", facts)  ->  [Contradiction("turns left", "turns right")]

What a text claims (`dataset.claims`) and what surely fails (`dataset.facts.verdicts`) becomes words. What cannot be
checked, and what lies between clear and none, is not judged: an empty list does not mean that the caption fits.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dataset.actions.events import TRAVEL, Event
from dataset.claims.claims import Claim, claims_of
from dataset.facts.happening import LOWERED_M, MOVED_M, RAISED_M, events_of
from dataset.facts.motion_facts import MotionFacts, hand_level
from dataset.facts.verdicts import verdict


@dataclass(frozen=True)
class Contradiction:
    """What a caption says and what the motion does instead, each as a phrase whose subject is the person.

    `claim` is what fails; two that say the same are equal whichever it is.
    """

    said: str
    done: str
    claim: Claim | None = field(default=None, compare=False)

    def lacking(self, task: str) -> str:
        """What an attempt at `task` gets wrong, in words: t2m has to change the motion, m2t the caption."""
        if task == "t2m":
            return f"the motion {self.done}, the text says {self.said}"
        return f"the answer says {self.said}, the motion {self.done}"


_OPPOSITE = {"left": "right", "right": "left", "forward": "backward", "backward": "forward"}
_VERBS = {
    "walk": "walks", "run": "runs", "step": "takes steps", "move": "moves", "sidestep": "steps aside",
    "turn": "turns", "circle": "walks in a circle", "jump": "jumps", "kick": "kicks", "knee": "lifts a knee",
    "leg": "lifts a leg", "squat": "squats", "sit": "sits down", "stand": "stands up", "still": "stands still",
    "bow": "bows", "lean": "leans", "raise": "raises a hand", "wave": "waves", "clap": "claps", "punch": "punches",
}  # fmt: skip
_NOTHING = {
    "walk": "stays in place", "run": "stays in place", "step": "stays in place", "move": "stays in place",
    "sidestep": "does not move sideways", "turn": "does not turn", "still": "walks away", "raise": "raises no hand",
    "circle": "does not walk in a circle", "knee": "lifts no knee", "leg": "lifts no leg", "sit": "does not sit down",
    "stand": "does not stand up",
}  # fmt: skip
_LIMB = {"kick": "leg", "knee": "knee", "leg": "leg"}
_OFTEN = {1: "once", 2: "twice"}


def contradictions(caption: str, facts: MotionFacts) -> list[Contradiction]:
    """Everything that `caption` says and `facts` clearly deny; empty where nothing is denied."""
    failing = [claim for claim in claims_of(caption) if verdict(claim, facts) is False]
    # Of an action that does not happen at all, its sides and numbers are not told one by one.
    absent = {claim.action for claim in failing if claim.slot == "action"}
    ways = {claim.action: claim for claim in failing if claim.slot in ("side", "way")}
    told = [claim for claim in failing if claim.action not in absent or (claim.slot == "action")]
    named = [ways.get(claim.action, claim) if claim.slot == "action" else claim for claim in told]
    return list(dict.fromkeys(replace(_in_words(claim, facts), claim=claim) for claim in named))


def _in_words(claim: Claim, facts: MotionFacts) -> Contradiction:
    if claim.denied:
        return Contradiction(f"does not {_infinitive(_VERBS[claim.action])}", _VERBS[claim.action])
    return _WORDS.get(claim.slot, _action)(claim, facts)


def _infinitive(verb: str) -> str:
    first, _, rest = verb.partition(" ")
    stem = first.removesuffix("es") if first.endswith("ches") else first.removesuffix("s")
    return f"{stem} {rest}".strip()


def _action(claim: Claim, facts: MotionFacts) -> Contradiction:
    verb = _VERBS[claim.action]
    if claim.action == "run" and facts.travel_s:
        return Contradiction("runs", "walks")
    return Contradiction(verb, _NOTHING.get(claim.action, f"does not {_infinitive(verb)}"))


def _way(claim: Claim, facts: MotionFacts) -> Contradiction:
    way, action = str(claim.value), claim.action
    if action in TRAVEL or action in ("step", "move"):
        amount = facts.forward_m if way in ("forward", "backward") else facts.left_m
        towards = amount if way in ("forward", "left") else -amount
        nothing = "stays in place" if way in ("forward", "backward") else "does not move sideways"
        return Contradiction(f"moves {way}", f"moves {_OPPOSITE[way]}" if towards <= -MOVED_M else nothing)
    if action in ("turn", "circle"):
        turns = verdict(Claim("turn", "action"), facts)
        return Contradiction(f"turns {way}", f"turns {_OPPOSITE[way]}" if turns else "does not turn")
    if action == "raise" and way == "overhead":
        return _level(Claim(action, "level", "above the head", claim.side), facts)
    verb = {"raise": "raises the hand"}.get(action, _VERBS[action])
    done = sorted({_to(event.way) for event in events_of(action, facts) if event.way})
    return Contradiction(f"{verb} {_to(way)}", f"{verb} {done[0]}" if done else _action(claim, facts).done)


def _to(way: str) -> str:
    return {"front": "to the front", "side": "to the side", "overhead": "above the head", "up": "on the spot",
            "left": "to the left", "right": "to the right"}.get(way, way)  # fmt: skip


def _side(claim: Claim, facts: MotionFacts) -> Contradiction:
    side = str(claim.value)
    limb = _LIMB.get(claim.action, "hand")
    events = events_of(claim.action, facts)
    heights = {"left": facts.left_hand_m, "right": facts.right_hand_m}
    raised = {name for name, height in heights.items() if height > RAISED_M}
    wanted = {"left", "right"} if side == "both" else {side}
    low = {name for name in wanted if heights[name] < LOWERED_M}
    if claim.action == "raise" or (claim.action == "wave" and low):
        said = f"raises {_limb(side, 'hand')}"
        if not raised:
            return Contradiction(said, "raises no hand")
        if raised == {"left", "right"}:
            return Contradiction(said, "raises both hands")
        return Contradiction(said, f"raises only the {next(iter(raised))} hand")
    verb = "lifts" if claim.action in ("knee", "leg") else f"{_VERBS[claim.action]} with"
    done = sorted({event.side for event in events} - {side})
    instead = f"{verb} {_limb(done[0], limb)}" if done else _action(claim, facts).done
    return Contradiction(f"{verb} {_limb(side, limb)}", instead)


def _limb(side: str, noun: str) -> str:
    return f"both {noun}s" if side == "both" else f"the {side} {noun}"


def _level(claim: Claim, facts: MotionFacts) -> Contradiction:
    hands = {"left": facts.left_hand_m, "right": facts.right_hand_m}
    height = max(value for side, value in hands.items() if claim.side in ("", "both", side))
    if height < LOWERED_M:
        return Contradiction(f"raises the hand to {claim.value}", "raises no hand")
    return Contradiction(f"raises the hand to {claim.value}", f"raises the hand to {hand_level(height)}")


def _place(claim: Claim, facts: MotionFacts) -> Contradiction:
    return Contradiction("stays in place", "walks away")


def _depth(claim: Claim, facts: MotionFacts) -> Contradiction:
    other = {"deep": "slightly", "slight": "deeply"}
    return Contradiction(f"bows {claim.value}ly", f"bows {other[str(claim.value)]}")


def _count(claim: Claim, facts: MotionFacts) -> Contradiction:
    counts = [event.count for event in events_of(claim.action, facts)]
    verb = _VERBS[claim.action]
    return Contradiction(f"{verb} {_times(float(claim.value))}", f"{verb} {_times(max(counts, default=0))}")


def _times(count: float) -> str:
    return _OFTEN.get(int(count), f"{count:g} times")


def _steps(claim: Claim, facts: MotionFacts) -> Contradiction:
    count = max(event.count for event in _travelling(facts))
    said, done = (f"takes {number:g} step{'' if number == 1 else 's'}" for number in (float(claim.value), count))
    return Contradiction(said, done)


def _travelling(facts: MotionFacts) -> list[Event]:
    return [event for event in facts.actions if event.kind in TRAVEL]


def _degrees(claim: Claim, facts: MotionFacts) -> Contradiction:
    found = max((event.degrees for event in events_of("turn", facts)), default=abs(facts.turn_deg))
    return Contradiction(f"turns by {float(claim.value):g} degrees", f"turns by {found:.0f} degrees")


def _metres(claim: Claim, facts: MotionFacts) -> Contradiction:
    return Contradiction(f"goes {float(claim.value):g} metres", f"goes {facts.path_m:.1f} metres")


def _speed(claim: Claim, facts: MotionFacts) -> Contradiction:
    said = {"slow": "slowly", "quick": "quickly", "normal": "at a steady pace"}[str(claim.value)]
    pace = max((event.pace_m_s for event in _travelling(facts)), default=facts.pace_m_s)
    return Contradiction(f"moves {said}", f"moves at {pace:.1f} metres a second")


def _first_foot(claim: Claim, facts: MotionFacts) -> Contradiction:
    return Contradiction(*(f"starts with the {side} foot" for side in (claim.value, _OPPOSITE[str(claim.value)])))


def _before(claim: Claim, facts: MotionFacts) -> Contradiction:
    first, second = _VERBS[claim.action], _VERBS[str(claim.value)]
    return Contradiction(f"{first} before it {second}", f"{second} before it {first}")


_WORDS: dict[str, Callable[[Claim, MotionFacts], Contradiction]] = {
    "way": _way,
    "side": _side,
    "level": _level,
    "place": _place,
    "depth": _depth,
    "count": _count,
    "steps": _steps,
    "degrees": _degrees,
    "metres": _metres,
    "speed": _speed,
    "first foot": _first_foot,
    "before": _before,
}
