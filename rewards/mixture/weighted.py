"""Several rewards and their weights score rollouts together: a table, and its weighted sum."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.language.rollout import Rollout
from rewards.base import Reward, Scorer, applies
from rewards.cache import CacheStatistics
from utils.errors import InputError


@dataclass(frozen=True)
class WeightedReward:
    """One column of the table: what it is called, the reward, and its factor in the sum."""

    name: str
    reward: Scorer
    weight: float


class WeightedRewards:
    """Several rewards and their weights. One row of the table is a rollout, one column a reward."""

    def __init__(self, rewards: Sequence[WeightedReward]) -> None:
        names = [entry.name for entry in rewards]
        if len(set(names)) != len(names):
            raise InputError(f"two rewards share a name: {', '.join(names)}")
        self.rewards = tuple(rewards)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.rewards)

    @property
    def weights(self) -> tuple[float, ...]:
        return tuple(entry.weight for entry in self.rewards)

    def table(self, rollouts: Sequence[Rollout]) -> dict[str, list[float | None]]:
        """Unweighted scores: name -> one float per rollout, None where that reward does not apply."""
        return {entry.name: _score_column(entry, rollouts) for entry in self.rewards}

    def combine(self, table: Mapping[str, Sequence[float | None]]) -> list[float | None]:
        """Weighted sum of each row of a table, None entries left out; None where no reward applies at all."""
        totals: list[float | None] = []
        for row in zip(*(table[entry.name] for entry in self.rewards), strict=True):
            parts = [weight * value for weight, value in zip(self.weights, row, strict=True) if value is not None]
            totals.append(math.fsum(parts) if parts else None)
        return totals

    def total(self, rollouts: Sequence[Rollout]) -> list[float | None]:
        """`combine(table(rollouts))`; use the two when the columns are wanted as well, so that all is scored once."""
        return self.combine(self.table(rollouts))

    def cache_statistics(self) -> dict[str, CacheStatistics]:
        """Counts of every cache the rewards hold, named ``reward/what``."""
        ours = [entry for entry in self.rewards if isinstance(entry.reward, Reward)]
        caches = {f"{entry.name}/{what}": cache for entry in ours for what, cache in entry.reward.caches().items()}
        return {name: cache.statistics() for name, cache in caches.items()}


def checked_weight(name: str, weight: float) -> float:
    """`weight`; InputError, naming the reward, where it is no finite number of at least 0."""
    if not (math.isfinite(weight) and weight >= 0):
        raise InputError(f"reward {name!r}: weight {weight} must be a finite number of at least 0")
    return weight


def _score_column(entry: WeightedReward, rollouts: Sequence[Rollout]) -> list[float | None]:
    """Scores where the reward applies; checked, since a reward from a user's file may return anything."""
    indices = [index for index, rollout in enumerate(rollouts) if applies(entry.reward, rollout)]
    column: list[float | None] = [None] * len(rollouts)
    if not indices:
        return column
    values = list(entry.reward.score([rollouts[index] for index in indices]))
    if len(values) != len(indices):
        raise InputError(f"reward {entry.name!r} gave {len(values)} scores for {len(indices)} rollouts")
    for index, value in zip(indices, values, strict=True):
        if value is not None and not math.isfinite(value):
            raise InputError(f"reward {entry.name!r} gave {value} for rollout {rollouts[index].id or index}")
        column[index] = None if value is None else float(value)
    return column
