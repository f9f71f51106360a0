"""A caption is compared with its motion, and every contradiction between them is named.

    contradictions("a person turns left.", facts)  ->  [Contradiction("turns left", "turns right")]

Only what can be measured without doubt is compared: the side of turns and of sideways travel, forward or backward,
staying in place, which hand is raised and how high. Values between clear and none, and everything else, are not judged:
an empty list does not mean that the caption fits.
"""

import re
from dataclasses import dataclass

from dataset.facts.caption_facts import facts_of
from dataset.facts.motion_facts import HAND_UP_M, LEVELS, MotionFacts, hand_level


@dataclass(frozen=True)
class Contradiction:
    """What a caption says and what the motion does instead, each as a phrase whose subject is the person."""

    said: str
    done: str

    def lacking(self, task: str) -> str:
        """What an attempt at `task` gets wrong, in words: t2m has to change the motion, m2t the caption."""
        if task == "t2m":
            return f"the motion {self.done}, the text says {self.said}"
        return f"the answer says {self.said}, the motion {self.done}"


# The first of each pair is clear, the second surely nothing: between them lie the sway of a real body and the noise of
# a decoded motion.
TURNED_DEG, NOT_TURNED_DEG = 30.0, 15.0
MOVED_M, NOT_MOVED_M = 0.25, 0.1
LEFT_PLACE_M = 1.0
# Height of a wrist above the head joint: of a raised hand, and of one that surely is not raised.
RAISED_M, LOWERED_M = HAND_UP_M, -0.3
LEVEL_MARGIN_M = 0.08

_TURN = re.compile(r"\b((turn|rotat|circl|corner|spin|curv|veer)\w*|chang\w* (the )?direction)")
_TRAVEL = re.compile(
    r"\b((walk|step|run|jog|sprint|jump|hop|mov|go|dash|march|stroll|sidestep|shuffl)(e|es|s|ing|ping)?|pac(es|ing))\b"
)
_IN_PLACE = re.compile(r"\b(in place|on the spot|stand(s|ing)? still|without (walking|moving))\b")
_RAISE = re.compile(r"\b(rais|lift|wav|hold|stretch|reach)\w*")
_SEVERAL_ACTIONS = re.compile(r"\b(then|first|before|after|afterwards|next)\b")
_OTHER_DIRECTED = re.compile(r"\b(kick|bend|bow|lean)\w*")
_OTHER_ARM_USE = re.compile(r"\b(punch|clap|throw|slash|catch|guard|box)\w*")
_OPPOSITE = {"left": "right", "right": "left", "forward": "backward", "backward": "forward"}
_LEVEL_NAMES = {"above": "above the head", "head": "head height", "shoulder": "shoulder height"}


def contradictions(caption: str, facts: MotionFacts) -> list[Contradiction]:
    """Everything that `caption` says and `facts` clearly deny; empty where nothing is denied."""
    text = caption.lower()
    # Where a caption states two values of a slot (left, then right) it is not clear which one a measure belongs to.
    said = {slot: next(iter(values)) for slot, values in facts_of(text).items() if len(values) == 1}
    found = [_side(text, said, facts), _direction(text, said, facts)]
    if not _SEVERAL_ACTIONS.search(text):  # what holds for one action need not hold for the whole clip
        found += [_place(text, facts), *_hands(text, said, facts)]
    return [item for item in found if item is not None]


@dataclass(frozen=True)
class _Measured:
    """A quantity with a sign, such as degrees of turning, and from where on it says something.

    Attributes:
        value: positive in the direction that the word `positive` names.
        clear: size at which its direction is certain.
        none: size below which there is no movement at all.
    """

    value: float
    positive: str
    clear: float
    none: float

    def contradiction(self, verb: str, said: str, nothing: str) -> Contradiction | None:
        """What contradicts "VERB SAID": the opposite direction, or no movement, which the phrase `nothing` tells."""
        towards = self.value if said == self.positive else -self.value
        if towards <= -self.clear:
            return Contradiction(f"{verb} {said}", f"{verb} {_OPPOSITE[said]}")
        return Contradiction(f"{verb} {said}", nothing) if abs(self.value) < self.none else None


def _side(text: str, said: dict[str, str], facts: MotionFacts) -> Contradiction | None:
    way = said.get("way")
    if way is None:
        return None
    if _TURN.search(text):
        turn = _Measured(facts.turn_deg, "left", TURNED_DEG, NOT_TURNED_DEG)
        return turn.contradiction("turns", way, "does not turn")
    if _TRAVEL.search(text):
        travel = _Measured(facts.left_m, "left", MOVED_M, NOT_MOVED_M)
        return travel.contradiction("moves", way, "does not move sideways")
    return None


def _direction(text: str, said: dict[str, str], facts: MotionFacts) -> Contradiction | None:
    direction = said.get("direction")
    if direction is None or not _TRAVEL.search(text):
        return None
    if any(other.search(text) for other in (_RAISE, _OTHER_ARM_USE, _OTHER_DIRECTED)):
        return None  # the direction may be that of an arm, a kick or a bow
    still = NOT_MOVED_M if facts.path_m < MOVED_M else 0.0  # going round in circles is no standing still
    travel = _Measured(facts.forward_m, "forward", MOVED_M, still)
    return travel.contradiction("moves", direction, "stays in place")


def _place(text: str, facts: MotionFacts) -> Contradiction | None:
    if _IN_PLACE.search(text) and facts.net_m > LEFT_PLACE_M:
        return Contradiction("stays in place", "walks away")
    return None


def _hands(text: str, said: dict[str, str], facts: MotionFacts) -> list[Contradiction | None]:
    hand = said.get("hand")
    if hand is None or not _RAISE.search(text) or _OTHER_ARM_USE.search(text):
        return []
    heights = {"left": facts.left_hand_m, "right": facts.right_hand_m}
    raised = {side for side, height in heights.items() if height > RAISED_M}
    lowered = {side for side, height in heights.items() if height < LOWERED_M}
    wanted = {"left", "right"} if hand == "both" else {hand}
    name = "both hands" if hand == "both" else f"the {hand} hand"
    if lowered >= wanted and not raised:
        return [Contradiction(f"raises {name}", "raises no hand")]
    if lowered & wanted and raised:
        return [Contradiction(f"raises {name}", f"raises only the {next(iter(raised))} hand")]
    if hand != "both" and raised == {"left", "right"}:
        return [Contradiction(f"raises {name}", "raises both hands")]
    return [_level(said, max(heights[side] for side in wanted))]


def _level(said: dict[str, str], height: float) -> Contradiction | None:
    name = _LEVEL_NAMES.get(said.get("level", ""))
    if name is None:
        return None
    # Contradicted is a height outside the band of the level named, by more than a margin.
    names = [level for level, _ in LEVELS]
    rank = names.index(name)
    lowest, highest = LEVELS[rank][1], LEVELS[rank - 1][1] if rank else float("inf")
    if lowest - LEVEL_MARGIN_M <= height <= highest + LEVEL_MARGIN_M:
        return None
    return Contradiction(f"raises the hand to {name}", f"raises the hand to {hand_level(height)}")
