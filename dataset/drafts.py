"""Drafts for training data: attempts that a sample improves on, as Chain-of-Motion's reflections show them.

A draft is what is written of another clip. Half of them are of a clip that the caption nearly fits, the others
contradict it in something that can be measured (`dataset.fact_check`) and say so: the model learns to keep what a good
attempt got right, and to change what is named.
"""

import random
from collections.abc import Sequence

from dataset.fact_check import contradictions
from dataset.sample import Draft, Sample
from utils.motion_facts import MotionFacts

# Other samples that one draft is chosen from.
TRIES = 32


class Drafts:
    """Draws drafts from the samples of one split.

    Args:
        samples: what may become a draft.
        facts: measured facts by clip id; a clip without them contradicts nothing.
        seed: with the sample's place it decides the draft.
    """

    def __init__(self, samples: Sequence[Sample], facts: dict[str, MotionFacts], seed: int = 0) -> None:
        self._samples, self._facts, self._seed = samples, facts, seed
        self._words = [frozenset(sample.caption.lower().strip(".").split()) for sample in samples]

    def draft(self, index: int) -> Draft | None:
        """A draft for sample `index`; None where every other sample is of its clip or says the same."""
        rng = random.Random(f"{self._seed}/{index}")
        own = self._samples[index]
        drawn = [rng.randrange(len(self._samples)) for _ in range(TRIES)]
        others = [
            other for other in drawn
            if self._samples[other].id != own.id and self._samples[other].caption != own.caption
        ]  # fmt: skip
        if not others:
            return None
        nearest = max(others, key=lambda other: _likeness(self._words[index], self._words[other]))
        contradicting = (other for other in others if self._lacking(own, self._samples[other])[0])
        chosen = self._samples[next(contradicting, nearest) if rng.random() < 0.5 else nearest]
        return Draft(chosen.reasoning, chosen.caption, *self._lacking(own, chosen))

    def _lacking(self, own: Sample, other: Sample) -> tuple[str, str]:
        """For t2m (the other motion by the own caption) and for m2t (the other caption by the own motion)."""
        return self._in_words("t2m", own.caption, other.id), self._in_words("m2t", other.caption, own.id)

    def _in_words(self, task: str, caption: str, clip: str) -> str:
        facts = self._facts.get(clip)
        found = [] if facts is None else contradictions(caption, facts)
        return "; ".join(item.lacking(task) for item in found)


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared words over all words."""
    return len(one & other) / len(one | other)
