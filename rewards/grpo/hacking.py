"""Reward hacking: the reward that is trained on rises while what it was meant to stand for falls."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from utils.metrics.criteria import lower_is_better

TRAINING_REWARD = "training_reward"
HELD_OUT_TOTAL = "held_out_reward/total"
HACKING = "reward_hacking"  # in the row of every validation: how many metrics say that it is
HELD_OUT = "held_out/"  # prefix of metrics by an evaluator that gives no reward
STEPS = 2  # so many validations in a row must have got worse: one alone is often noise
MIN_LOSS = 0.02  # share of the value that is lost in all; less is noise as well


def hacked_metrics(validations: Sequence[Mapping[str, float]]) -> list[str]:
    """Names of held-out metrics that got worse while the training reward rose.

    Args:
        validations: numbers of each validation, oldest first. `TRAINING_REWARD` is the mean over the epoch that ends
            there (absent before the first); `HELD_OUT_TOTAL` and names that begin with `HELD_OUT` are what is looked
            at, each over the last `STEPS` + 1 validations that have it.
    """
    names = dict.fromkeys(name for row in validations for name in row if _is_held_out(name))
    return [name for name in names if _is_hacked(name, [row for row in validations if name in row][-STEPS - 1 :])]


def _is_hacked(name: str, rows: Sequence[Mapping[str, float]]) -> bool:
    rewards = [row[TRAINING_REWARD] for row in rows[1:] if TRAINING_REWARD in row]
    if len(rows) < STEPS + 1 or len(rewards) < STEPS or not _rises(rewards):
        return False
    sign = -1.0 if lower_is_better(name.removeprefix(HELD_OUT)) else 1.0
    badness = [-sign * row[name] for row in rows]
    size = max(abs(badness[0]), abs(badness[-1]))
    return _rises(badness) and badness[-1] - badness[0] >= MIN_LOSS * size


def _is_held_out(name: str) -> bool:
    return name == HELD_OUT_TOTAL or name.startswith(HELD_OUT)


def _rises(values: Sequence[float]) -> bool:
    return all(earlier < later for earlier, later in pairwise(values))
