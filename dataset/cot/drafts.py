"""Training samples get drafts: attempts that a sample improves on, as Chain-of-Motion's reflections show them.

What a draft gets wrong is named, and what is not named is right: half of the drafts are written of the same clip and
lack nothing, the others are of a clip that contradicts the sample in something that can be measured
(`dataset.facts.contradictions`). So the model learns to change what is named and to trust the rest. At test time it is
shown the best of several attempts, which mostly lacks nothing: a model that learned to doubt every draft would throw
away what made this one the best.
"""

import random
from collections.abc import Sequence

from dataset.cot.sample import Draft, Sample
from dataset.facts.contradictions import contradictions
from dataset.facts.motion_facts import MotionFacts

# How many other samples are drawn as candidates for one draft.
TRIES = 32


class Drafts:
    """Draws drafts from the samples of one split.

    Args:
        samples: get a draft each, and may become one.
        facts: measured facts by clip id; a clip without them contradicts nothing.
        seed: decides the draft of a sample together with the sample's index.
    """

    def __init__(self, samples: Sequence[Sample], facts: dict[str, MotionFacts], seed: int = 0) -> None:
        self._samples, self._facts, self._seed = samples, facts, seed
        self._words = [frozenset(sample.caption.lower().strip(".").split()) for sample in samples]
        self._of_clip: dict[str, list[int]] = {}
        for index, sample in enumerate(samples):
            self._of_clip.setdefault(sample.id, []).append(index)

    def draft(self, index: int) -> Draft | None:
        """A draft for sample `index`; None where every other sample says the same."""
        # Both kinds are drawn, so that the draws do not depend on which of them exist.
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
        """Index of a sample of the same clip with another caption; None where there is none."""
        own = self._samples[index]
        others = [other for other in self._of_clip[own.id] if self._samples[other].caption != own.caption]
        return rng.choice(others) if own.id and others else None

    def _of_another_clip(self, index: int, rng: random.Random) -> int | None:
        """Index of a sample of another clip, of those drawn the first of the best kind; None where none fits.

        Best is a sample that contradicts this one for both tasks, then one that does for one task, then the one whose
        caption shares most words.
        """
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
        """What `other` lacks as a draft of `own`, in words, for t2m and for m2t.

        For t2m the other's motion is held against the own caption, for m2t the other's caption against the own motion.
        """
        return self._in_words("t2m", own.caption, other.id), self._in_words("m2t", other.caption, own.id)

    def _in_words(self, task: str, caption: str, clip: str) -> str:
        facts = self._facts.get(clip)
        found = [] if facts is None else contradictions(caption, facts)
        return "; ".join(item.lacking(task) for item in found)


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of words that both hold, among all words of either."""
    return len(one & other) / len(one | other)
