"""How many claims hold, by what they are about: counts, shares and their intervals."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from dataset.claims.claims import claims_of
from dataset.facts.motion_facts import MotionFacts
from dataset.facts.untold import counted, untold
from dataset.facts.verdicts import verdict

_Z = 1.96  # of a 95 % interval
ALL = "all"


@dataclass
class Tally:
    """Claims of one kind that hold, that fail, and that cannot be said."""

    holds: int = 0
    fails: int = 0
    unsaid: int = 0

    @property
    def share(self) -> float:
        """Of the claims that can be said, those that hold; nan without any."""
        known = self.holds + self.fails
        return self.holds / known if known else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of `share` (Wilson, 1927), as if every claim were drawn by itself; nan without any."""
        known = self.holds + self.fails
        if not known:
            return math.nan, math.nan
        spread = _Z * math.sqrt(self.share * (1 - self.share) / known + (_Z / (2 * known)) ** 2)
        middle, scale = self.share + _Z**2 / (2 * known), 1 + _Z**2 / known
        return (middle - spread) / scale, (middle + spread) / scale

    def add(self, answer: bool | None) -> None:
        self.holds += answer is True
        self.fails += answer is False
        self.unsaid += answer is None


def tallies(pairs: Iterable[tuple[str, MotionFacts]]) -> dict[str, Tally]:
    """The claims of (text, facts of its motion), by slot and by action, and `ALL` of them; kinds in order of size."""
    found: dict[str, Tally] = {ALL: Tally()}
    for text, facts in pairs:
        for claim in claims_of(text):
            answer = verdict(claim, facts)
            kinds = {ALL, claim.slot, claim.action} if claim.slot != "action" else {ALL, "happens", claim.action}
            for kind in kinds:
                found.setdefault(kind, Tally()).add(answer)
    return dict(sorted(found.items(), key=lambda item: -(item[1].holds + item[1].fails + item[1].unsaid)))


def coverage(pairs: Iterable[tuple[str, MotionFacts]]) -> tuple[int, int]:
    """(told, all) of the motions' actions, by the texts beside them."""
    told = happening = 0
    for text, facts in pairs:
        actions = len(counted(facts))
        happening += actions
        told += actions - len(untold(claims_of(text), facts))
    return told, happening
