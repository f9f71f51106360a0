"""Drafts for training data: attempts that a sample improves on, as Chain-of-Motion's reflections show them.

What a draft gets wrong is named, and what is not named is right: half of the drafts are written of the same clip and
lack nothing, the others are of a clip that contradicts the sample in something that can be measured
(`dataset.facts.contradictions`). So the model learns to change what is named and to trust the rest. The best of several
attempts, which is what it is shown at test time, mostly lacks nothing: a model that learned to doubt it would throw
away what made it the best.
"""

import random
from collections.abc import Sequence

from dataset.cot.sample import Draft, Sample
from dataset.facts.contradictions import contradictions
from dataset.facts.motion_facts import MotionFacts

# Other samples that one draft is chosen from.
TRIES = 32


class Drafts:
    """Draws drafts from the samples of one split.

    Args:
        samples: what may become a draft, and is given one.
        facts: measured facts by clip id; a clip without them contradicts nothing.
        seed: with the sample's place it decides the draft.
    """

    def __init__(self, samples: Sequence[Sample], facts: dict[str, MotionFacts], seed: int = 0) -> None:
        self._samples, self._facts, self._seed = samples, facts, seed
        self._words = [frozenset(sample.caption.lower().strip(".").split()) for sample in samples]
        self._of_clip: dict[str, list[int]] = {}
        for index, sample in enumerate(samples):
            self._of_clip.setdefault(sample.id, []).append(index)

    def draft(self, index: int) -> Draft | None:
        """A draft for sample `index`; None where every other sample says the same."""
        rng = random.Random(f"{self._seed}/{index}")
        kept = rng.random() < 0.5
        same, wrong = self._of_the_same_clip(index, rng), self._of_another_clip(index, rng)
        chosen = same if kept else wrong
        if chosen is None:
            chosen = wrong if kept else same
        if chosen is None:
            return None
        other = self._samples[chosen]
        return Draft(other.reasoning, other.caption, *self._lacking(self._samples[index], other))

    def _of_the_same_clip(self, index: int, rng: random.Random) -> int | None:
        """Another caption of it."""
        own = self._samples[index]
        others = [other for other in self._of_clip[own.id] if self._samples[other].caption != own.caption]
        return rng.choice(others) if own.id and others else None

    def _of_another_clip(self, index: int, rng: random.Random) -> int | None:
        """One that contradicts the sample, for both tasks if there is one among those drawn; else the nearest."""
        own = self._samples[index]
        others = [
            other
            for other in (rng.randrange(len(self._samples)) for _ in range(TRIES))
            if self._samples[other].id != own.id and self._samples[other].caption != own.caption
        ]
        if not others:
            return None
        partly = None
        for other in others:
            lacking = self._lacking(own, self._samples[other])
            if all(lacking):
                return other
            if any(lacking) and partly is None:
                partly = other
        nearest = max(others, key=lambda other: _likeness(self._words[index], self._words[other]))
        return nearest if partly is None else partly

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
