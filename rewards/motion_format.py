"""`format`: is the reply written as asked, and are its codes a plausible motion sentence?"""

from collections.abc import Sequence

import numpy as np

from models.prompts import parse_reply
from models.rollout import Rollout
from rewards.base import Reward
from rewards.repetition import looped_share

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
      share, a reply that breaks the grammar of `models.prompts` or was cut off -0.2.
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
        if not rollout.finished or parse_reply(rollout.text, rollout.task).problem is not None:
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
