"""`grounding`: is what the reasoning and the answer claim true of the given motion?

Needs no true caption: the motion itself is measured (`dataset.facts`), and each claim holds, fails or cannot be said.
"""

from collections.abc import Sequence

import numpy as np

from dataset.claims.claims import Claim, claims_of
from dataset.facts.motion_facts import MotionFacts
from dataset.facts.untold import counted, untold
from models.language.rollout import Rollout
from rewards.base import Reward
from rewards.facts import facts_of_motion, share_holding

WORST = 0.0
# A text that claims nothing: better than one whose claims fail, worse than one most of whose claims hold.
NOTHING = 0.3
# The price of telling none of the motion's actions: otherwise one safe claim would be as good as a description.
QUIET_PRICE = 0.3


class Grounding(Reward):
    """Share of the claims that hold, of the answer and of the reasoning by halves, in [0, 1].

    Multiplied by 1 - `QUIET_PRICE` x the share of the motion's actions that neither tells. None where neither the texts
    claim nor the motion does anything that can be checked; 0 without an answer.
    """

    name = "grounding"
    tasks = ("m2t",)

    def score(self, rollouts: Sequence[Rollout]) -> list[float | None]:
        known: dict[bytes, MotionFacts | None] = {}  # the rollouts of one prompt share their motion
        scores = []
        for rollout in rollouts:
            if rollout.task not in self.tasks or rollout.motion is None:
                scores.append(None)
                continue
            key = np.ascontiguousarray(rollout.motion).tobytes()
            if key not in known:
                known[key] = facts_of_motion(rollout.motion, self.context.skeleton)
            scores.append(None if known[key] is None else self._score_one(rollout, known[key]))
        return scores

    def _score_one(self, rollout: Rollout, facts: MotionFacts) -> float | None:
        if not rollout.well_formed or not (rollout.answer or "").strip():
            return WORST
        texts = [text for text in (rollout.answer, rollout.reasoning) if (text or "").strip()]
        claims = [claims_of(text) for text in texts]
        happening = counted(facts)
        if not happening and not any(claims):
            return None
        share = np.mean([share_holding(found, facts) if found else NOTHING for found in claims])
        return float(share * (1 - QUIET_PRICE * _silence([one for found in claims for one in found], facts)))


def _silence(claims: Sequence[Claim], facts: MotionFacts) -> float:
    """Share of the motion's actions that are not told; 0 where it has none."""
    happening = counted(facts)
    return len(untold(claims, facts)) / len(happening) if happening else 0.0
