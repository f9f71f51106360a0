"""`format`: is the reply written as asked, and are its codes a plausible motion sentence?"""

from collections.abc import Hashable, Sequence

import numpy as np

from models.language.rollout import Rollout
from rewards.base import Reward

# A block said this often in a row is a loop; for single codes: four identical ones in a row (as published).
LOOP_OCCURRENCES = 4


def looped_share(sequence: Sequence[Hashable], occurrences: int = LOOP_OCCURRENCES) -> float:
    """Share of the items that repeat the block before them inside a loop, in [0, 1).

    A loop is a block of any length that stands at least `occurrences` times in a row; its first occurrence does
    not count as repeated. ``a b c c c c`` gives 3/6, ``a b a b a b a b`` gives 6/8, no loop gives 0.
    """
    length = len(sequence)
    if length < occurrences:
        return 0.0
    numbers = {item: number for number, item in enumerate(dict.fromkeys(sequence))}
    ids = np.array([numbers[item] for item in sequence])
    looped = np.zeros(length, dtype=bool)
    for period in range(1, length // occurrences + 1):
        for start, stop in _runs(ids[period:] == ids[:-period]):
            if stop - start >= period * (occurrences - 1):
                looped[start + period : stop + period] = True
    return float(looped.mean())


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """[start, stop) of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


# Motions of HumanML3D last 40 to 199 frames, 4 frames a code; the published reward accepts 4 to 52 codes.
MIN_CODES = 4
MAX_CODES = 52
WELL_FORMED = 1.0
NOTHING_USABLE = -1.0
# What each defect costs; together they come to `NOTHING_USABLE`. Count and range as published.
COUNT_PENALTY = 0.5
RANGE_PENALTY = 0.3
GRAMMAR_PENALTY = 0.2


class MotionFormat(Reward):
    """Grammar of the reply, number, range and variety of its codes; in [-1, 1].

    * Nothing usable (t2m: no codes; m2t: no answer): -1.
    * Otherwise defects add up: a count of codes outside [4, 52] -0.5, codes outside the codebook -0.3 times their
      share, a reply that breaks the grammar of `models.language.replies` or was cut off -0.2.
    * No defect: 1, less the squared share of codes or of words that only repeat (four identical codes in a row, a
      loop). Squared, since real motion holds still and waves on: it loses 0.1 on average, a reply that is one loop
      nearly all (measured on the real-motion pack with a tokenizer of 256 codes).
    """

    name = "format"

    def score_applicable(self, rollouts: Sequence[Rollout]) -> list[float]:
        return [self._score(rollout) for rollout in rollouts]

    def _score(self, rollout: Rollout) -> float:
        codes = None if rollout.codes is None else np.asarray(rollout.codes)
        if rollout.task == "t2m":
            if codes is None or codes.size == 0:
                return NOTHING_USABLE
            penalty = self._codes_penalty(codes)
            said = [codes.tolist(), _words(rollout.reasoning)]
        else:
            if not (rollout.answer or "").strip():
                return NOTHING_USABLE
            penalty = 0.0
            said = [_words(rollout.answer), _words(rollout.reasoning)]
        if not rollout.well_formed:
            penalty += GRAMMAR_PENALTY
        if penalty > 0.0:
            return max(-penalty, NOTHING_USABLE)
        return WELL_FORMED - max(looped_share(sequence) for sequence in said) ** 2

    def _codes_penalty(self, codes: np.ndarray) -> float:
        out_of_count = not MIN_CODES <= codes.size <= MAX_CODES
        out_of_range = float(np.mean((codes < 0) | (codes >= self.context.nb_code)))
        return COUNT_PENALTY * out_of_count + RANGE_PENALTY * out_of_range


def _words(text: str | None) -> list[str]:
    return (text or "").lower().split()
