"""What an attempt lacks, in words: for the reflection that asks the model to do better.

    the feet slide; the motion turns right, the text says turns left      t2m
    the answer says turns left, the motion turns right                    m2t

The words come from what the rewards measure (grammar, terms of `physical`) and from what is measured on the motion
against what the caption says (`dataset.facts.contradictions`); never from a reference. Nothing lacking gives an empty
text.
"""

from collections.abc import Sequence

from dataset.facts.contradictions import contradictions
from models.language.rollout import Rollout
from rewards.base import RewardContext
from rewards.facts import facts_of_motion
from rewards.physical_plausibility import PhysicalPlausibility
from utils.motion.skeleton import Skeleton

# A term of `physical` is worth a word from here on: real motion has 0, and a decoded one 0.1 of `bones`.
NOTICED = 0.2
_PHYSICAL = {
    "bones": "the limbs change their length",
    "angles": "a joint bends too far",
    "velocity": "the body moves too fast",
    "acceleration": "the motion jerks",
    "skating": "the feet slide",
    "penetration": "the feet sink into the floor",
    "floating": "the body floats above the floor",
}


class Lacking:
    """Words for rollouts; see above. Called with rollouts of any task -> one text each."""

    def __init__(self, skeleton: Skeleton, nb_code: int, device: str = "cpu") -> None:
        self._skeleton = skeleton
        self._physical = PhysicalPlausibility(RewardContext(skeleton, nb_code, device=device))

    def __call__(self, rollouts: Sequence[Rollout]) -> list[str]:
        terms = self._physical.terms(rollouts)
        texts = []
        for index, rollout in enumerate(rollouts):
            found = _malformed(rollout)
            found += [words for name, words in _PHYSICAL.items() if (terms[name][index] or 0.0) >= NOTICED]
            if rollout.caption and (facts := facts_of_motion(rollout.motion, self._skeleton)):
                found += [item.lacking(rollout.task) for item in contradictions(rollout.caption, facts)]
            texts.append("; ".join(found))
        return texts


def _malformed(rollout: Rollout) -> list[str]:
    if not rollout.finished:
        return ["the reply does not end"]
    # Not the problem itself: it names tags, and these would be tags of the prompt.
    return [] if rollout.problem is None else ["the reply is malformed"]
