"""What Chain-of-Motion ranks candidates by: rewards that need no reference, and agreement."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch

from com.chain_of_motion import Score
from models.language.rollout import Rollout

Embed = Callable[[Sequence[str]], torch.Tensor]
AGREEMENT = "agreement"
WORST = -1.0


def agreement(candidates: Sequence[Rollout], voters: Sequence[Sequence[Rollout]], embed: Embed) -> list[float | None]:
    """Mean cosine in [-1, 1] of each candidate's answer and its voters' answers.

    Args:
        candidates: N candidates; one without an answer gets -1.
        voters: for each, the candidates of its query's first round. It does not vote for itself; a voter without an
            answer does not vote. Equal answers vote as often as they were drawn.
        embed: texts -> (M, E) rows of length 1.

    Returns:
        One value a candidate, None where nobody votes on it.
    """
    found: list[float | None] = []
    for candidate, group in zip(candidates, voters, strict=True):
        others = [voter.answer for voter in group if voter is not candidate and voter.answer]
        if not candidate.answer:
            found.append(WORST)
        elif not others:
            found.append(None)
        else:
            own, *rows = embed([candidate.answer, *others])
            found.append(float((torch.stack(rows) @ own).mean().clamp(-1, 1)))
    return found


Table = Callable[[Sequence[Rollout]], Mapping[str, Sequence[float | None]]]


class Ranking:
    """The weighted sum of scorers, None entries left out.

    Args:
        table: rollouts -> one column a scorer (``WeightedRewards.table``); None without any but agreement.
        weights: factor by scorer, that of ``agreement`` among them where it is wanted.
        embed: sentence embeddings for agreement.

    Raises:
        ValueError: agreement without `embed`.
    """

    def __init__(self, table: Table | None, weights: Mapping[str, float], embed: Embed | None = None) -> None:
        if AGREEMENT in weights and embed is None:
            raise ValueError("agreement needs sentence embeddings")
        self._table, self._embed = table, embed
        self.weights = dict(weights)

    def __call__(self, candidates: Sequence[Rollout], voters: Sequence[Sequence[Rollout]]) -> list[Score]:
        """One score a candidate; `voters` of each are the first candidates of its query (see `agreement`)."""
        columns: dict[str, Sequence[float | None]] = {} if self._table is None else dict(self._table(candidates))
        if AGREEMENT in self.weights:
            columns[AGREEMENT] = agreement(candidates, voters, self._embed)
        return [self._score({name: column[row] for name, column in columns.items()}) for row in range(len(candidates))]

    def _score(self, parts: dict[str, float | None]) -> Score:
        known = [self.weights[name] * value for name, value in parts.items() if value is not None]
        return Score(sum(known) if known else math.nan, parts)  # no scorer applies: refused by the search, not a 0
