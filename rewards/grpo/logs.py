"""What GRPO logs of each batch of replies beside trl's own numbers, and the replies it shows."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any, Protocol, runtime_checkable

from models.language.rollout import Rollout
from rewards.cache import CacheStatistics
from rewards.mixture.weighted import WeightedRewards

# Columns of trl's log of completions.
TEXT = "text"
ADVANTAGE = "advantage"
SHOWN_PROMPTS = 2  # of each the best and the worst reply is shown

Table = Mapping[str, Sequence[float | None]]


@runtime_checkable
class Detailed(Protocol):
    """A reward that can tell its terms one by one, None where a term does not apply."""

    def terms(self, rollouts: Sequence[Rollout]) -> Mapping[str, Sequence[float | None]]: ...


def reply_shares(rollouts: Sequence[Rollout], table: Table) -> dict[str, float]:
    """Share of well-formed replies, over all and by task, and share of None of each reward."""
    groups = {"well_formed": rollouts}
    for task in sorted({rollout.task for rollout in rollouts}):
        groups[f"well_formed_{task}"] = [rollout for rollout in rollouts if rollout.task == task]
    shares = {name: fmean(rollout.well_formed for rollout in group) for name, group in groups.items()}
    for name, column in table.items():
        shares[f"rewards/{name}/none"] = fmean(score is None for score in column)
    return shares


def reward_terms(rewards: WeightedRewards, rollouts: Sequence[Rollout]) -> dict[str, float]:
    """Mean of every term of the rewards that have some, for example ``rewards/physical/skating``."""
    means = {}
    for entry in rewards.rewards:
        if not isinstance(entry.reward, Detailed):
            continue
        for term, column in entry.reward.terms(rollouts).items():
            values = [value for value in column if value is not None]
            if values:
                means[f"rewards/{entry.name}/{term}"] = fmean(values)
    return means


def advantage_summary(advantages: Iterable[float]) -> dict[str, float]:
    """Of the replies of a step, over all processes: none far from the others, and not all 0, is what to look for."""
    values = list(advantages)
    return {
        "advantages/mean": fmean(values),
        "advantages/std": pstdev(values),
        "advantages/min": min(values),
        "advantages/max": max(values),
    }


def cache_use(before: Mapping[str, CacheStatistics], after: Mapping[str, CacheStatistics]) -> dict[str, float]:
    """Between two readings: share of look-ups that were answered from memory, where there were any, and the size."""
    numbers = {}
    for name, now in after.items():
        hits, misses = now.hits - before[name].hits, now.misses - before[name].misses
        if hits + misses:
            numbers[f"cache/{name}/hit_rate"] = hits / (hits + misses)
        numbers[f"cache/{name}/size"] = float(now.size)
    return numbers


def shown_replies(replies: Sequence[dict[str, Any]], group_size: int, rewards: WeightedRewards) -> list[dict[str, Any]]:
    """The replies with the highest and the lowest total to each of the first prompts, with that total.

    Args:
        replies: as `MotionGRPOTrainer.last_replies` gives them, replies to one prompt in a row.
        group_size: replies a prompt.
    """
    table = {name: [reply["rewards"][name] for reply in replies] for name in rewards.names}
    rows = [{**reply, "total": total} for reply, total in zip(replies, rewards.combine(table), strict=True)]
    shown = []
    for start in range(0, min(SHOWN_PROMPTS * group_size, len(rows)), group_size):
        group = sorted(rows[start : start + group_size], key=_rank)
        shown += [group[-1], group[0]]
    return shown


def _rank(row: dict[str, Any]) -> float:
    return float("-inf") if row["total"] is None else row["total"]
