"""`facts`: does the motion do what its caption claims? The share of the caption's claims that hold, measured.
`contradiction`: does any of them fail?

A caption claims actions, sides, ways, numbers, a pace, an order (`dataset.claims`); the decoded motion keeps each, or
does not (`dataset.facts.verdicts`). No network is asked, so left for right costs as much as it should.
"""

from collections.abc import Sequence

import numpy as np

from dataset.claims.claims import Claim, claims_of
from dataset.facts.motion_facts import MotionFacts, motion_facts
from dataset.facts.untold import opposed, untold
from dataset.facts.verdicts import verdict
from models.language.rollout import Rollout
from rewards.base import Reward
from utils.motion.features import joints_in_metres
from utils.motion.skeleton import Skeleton

WORST, CONTRADICTED = 0.0, -1.0
# A claim that cannot be said of the motion: between clear and surely nothing.
UNSAID = 0.5
# What each action costs that the caption does not tell, and how many count; and what it costs in addition if one is to
# the other side of what is told. Without these a motion that turns both ways and does everything would keep any claim.
EXTRA_PRICE, MOST_EXTRAS = 0.1, 4
OPPOSED_PRICE = 0.2


class _OfClaims(Reward):
    """What the claims of the caption are worth for the motion: None where there is none, `worst` without a motion that
    can be played."""

    tasks = ("t2m",)
    worst: float

    def score(self, rollouts: Sequence[Rollout]) -> list[float | None]:
        claims = {rollout.caption: claims_of(rollout.caption or "") for rollout in rollouts}
        return [
            self._score_one(rollout, claims[rollout.caption])
            if rollout.task in self.tasks and claims[rollout.caption]
            else None
            for rollout in rollouts
        ]

    def _score_one(self, rollout: Rollout, claims: Sequence[Claim]) -> float:
        facts = facts_of_motion(rollout.motion, self.context.skeleton)
        return self.worst if facts is None or not rollout.well_formed else self.of_claims(claims, facts)

    def of_claims(self, claims: Sequence[Claim], facts: MotionFacts) -> float:
        raise NotImplementedError


class Facts(_OfClaims):
    """Share of the caption's claims that hold, less a price for actions it does not tell, in [0, 1].

    None where the caption claims nothing that can be checked; 0 without a motion that can be played.
    """

    name = "facts"
    worst = WORST

    def of_claims(self, claims: Sequence[Claim], facts: MotionFacts) -> float:
        extras = min(len(untold(claims, facts)), MOST_EXTRAS)
        price = EXTRA_PRICE * extras + (OPPOSED_PRICE if opposed(claims, facts) else 0.0)
        return max(WORST, share_holding(claims, facts) - price)


class Contradiction(_OfClaims):
    """-1 where a claim of the caption fails for the motion, 0 where none does.

    A share of claims forgives a wrong side among many that are right, and takes off for actions that nobody told: what
    is contradicted can be worth as much as what is not. None where the caption claims nothing that can be checked; -1
    without a motion that can be played.
    """

    name = "contradiction"
    worst = CONTRADICTED

    def of_claims(self, claims: Sequence[Claim], facts: MotionFacts) -> float:
        return CONTRADICTED if any(verdict(claim, facts) is False for claim in claims) else 0.0


def share_holding(claims: Sequence[Claim], facts: MotionFacts) -> float:
    """Share of `claims` (at least one) that hold; those that cannot be said count by half."""
    values = [verdict(claim, facts) for claim in claims]
    return float(np.mean([UNSAID if value is None else value for value in values]))


def facts_of_motion(motion: np.ndarray | None, skeleton: Skeleton) -> MotionFacts | None:
    """Facts of (T, D) denormalised features; None without a finite motion of two frames."""
    if motion is None or len(motion) < 2 or not np.isfinite(motion).all():
        return None
    return motion_facts(joints_in_metres(motion, skeleton), skeleton)
