"""What an attempt lacks, in words: for the reflection that asks the model to do better.

    the feet slide; the motion turns right, the text says turns left      t2m
    the answer says turns left, the motion turns right                    m2t

The words come from what the rewards measure (grammar, terms of `physical`) and from what is measured on the motion
against what the caption says (`dataset.facts.contradictions`); never from a reference. Nothing lacking gives an empty
text.
"""

import re
from collections.abc import Sequence

from dataset.claims.claims import claims_of
from dataset.facts.contradictions import contradictions
from dataset.facts.failing import fails_from
from dataset.facts.verdicts import verdict
from models.language.rollout import Rollout
from rewards.base import RewardContext
from rewards.facts import facts_of_motion
from rewards.physical_plausibility import PhysicalPlausibility
from utils.motion.skeleton import Skeleton

# A term of `physical` is worth a word from here on: real motion has 0, and a decoded one 0.1 of `bones`.
NOTICED = 0.2
_SENTENCE = re.compile(r".+?(?:[.!?](?=\s|$)|$)", re.DOTALL)
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

    def right_until(self, rollouts: Sequence[Rollout]) -> list[int | None]:
        """How much of each attempt is right, from its beginning; None where nothing wrong in it has a place.

        t2m: codes before the first moment at which the motion is not what the caption claims, or breaks a limit of
        `physical`. m2t: characters of the text before the first sentence of the reasoning that the motion denies; all
        of them where it denies none.
        """
        broken = self._physical.broken_from([rollout.motion if rollout.task == "t2m" else None for rollout in rollouts])
        return [
            self._codes_right(rollout, frame) if rollout.task == "t2m" else self._reasoning_right(rollout)
            for rollout, frame in zip(rollouts, broken, strict=True)
        ]

    def _codes_right(self, rollout: Rollout, broken: int | None) -> int | None:
        facts = facts_of_motion(rollout.motion, self._skeleton)
        if facts is None:
            return None
        seconds = fails_from(rollout.caption or "", facts)
        frames = [broken, None if seconds is None else int(seconds * self._skeleton.fps)]
        first = min((frame for frame in frames if frame is not None), default=None)
        return None if first is None else first * len(rollout.codes) // len(rollout.motion)

    def _reasoning_right(self, rollout: Rollout) -> int | None:
        facts = facts_of_motion(rollout.motion, self._skeleton)
        if facts is None or not rollout.reasoning:
            return None
        failing = {claim for claim in claims_of(rollout.reasoning) if verdict(claim, facts) is False}
        start = 0
        for match in _SENTENCE.finditer(rollout.reasoning):
            # The sentences together, as the claims of one hang on the others.
            if failing & set(claims_of(rollout.reasoning[: match.end()])):
                return start
            start = match.end()
        return len(rollout.text)

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
