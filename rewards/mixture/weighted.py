"""From names, files and weights to rewards that score rollouts together."""

import importlib
import importlib.util
import inspect
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset.cot.sample import TASKS
from models.language.rollout import Rollout
from rewards import REWARDS
from rewards.base import Reward, RewardContext, Scorer, applies
from rewards.cache import CacheStatistics, ResultCache
from utils.errors import InputError
from utils.files.fingerprints import fingerprint


@dataclass(frozen=True)
class WeightedReward:
    """One column of the table: what it is called, the reward, and its factor in the sum."""

    name: str
    reward: Scorer
    weight: float


def parse_reward_weights(spec: str) -> dict[str, float]:
    """``"format=0.2,my_reward.py:MyReward=0.3"`` -> weights by name, in order.

    Raises:
        InputError: an entry without ``=``, a weight that is no finite number >= 0, a name given twice.
    """
    weights: dict[str, float] = {}
    for entry in filter(None, (part.strip() for part in spec.split(","))):
        name, equals, number = (part.strip() for part in entry.rpartition("="))
        if not (name and equals):
            raise InputError(f"reward {entry!r}: expected name=weight or file.py:Class=weight")
        try:
            weight = float(number)
        except ValueError:
            raise InputError(f"reward {name!r}: weight {number!r} is not a number") from None
        if name in weights:
            raise InputError(f"reward {name!r} is given twice in {spec!r}")
        weights[name] = _checked_weight(name, weight)
    if not weights:
        raise InputError(f"no reward in {spec!r}: expected name=weight,... with names {', '.join(REWARDS)}")
    return weights


def load_reward(name_or_path: str, context: RewardContext) -> Scorer:
    """Build the reward called `name_or_path`: a name of `rewards.REWARDS`, or ``path/to/file.py:Class``.

    Raises:
        InputError: unknown name, missing file or class, a class that is no reward, or a model that cannot be loaded.
    """
    return _reward_class(name_or_path)(context)


def column_name(name_or_path: str) -> str:
    """What a reward is called in tables, logs and traces: its name, or the class in a file."""
    return name_or_path if name_or_path in REWARDS else name_or_path.rpartition(":")[2]


def _reward_class(name_or_path: str) -> type:
    if name_or_path in REWARDS:
        module_name, _, class_name = REWARDS[name_or_path].partition(":")
        return getattr(importlib.import_module(module_name), class_name)
    path, colon, class_name = name_or_path.rpartition(":")
    if not (colon and path.endswith(".py")):
        raise InputError(f"unknown reward {name_or_path!r}: expected one of {', '.join(REWARDS)}, or file.py:Class")
    return _class_from_file(Path(path), class_name)


def usable_for(weights: Mapping[str, float], tasks: Sequence[str]) -> dict[str, float]:
    """The entries of `weights` above 0 that judge at least one of `tasks`, so that no model is loaded in vain.

    Raises:
        InputError: unknown name, or nothing is left.
    """
    judging = {name: weight for name, weight in weights.items() if set(_reward_class(name).tasks) & set(tasks)}
    usable = {name: weight for name, weight in judging.items() if _checked_weight(name, weight) > 0}
    if not usable:
        raise InputError(f"none of the rewards {', '.join(weights)} has a weight and judges {' or '.join(tasks)}")
    return usable


def reference_free(weights: Mapping[str, float]) -> dict[str, float]:
    """The entries of `weights` that never read the true caption: what Chain-of-Motion may rank by."""
    return {name: weight for name, weight in weights.items() if not _reward_class(name).needs_reference}


class WeightedRewards:
    """Several rewards and their weights. One row of the table is a rollout, one column a reward."""

    def __init__(self, rewards: Sequence[WeightedReward]) -> None:
        names = [entry.name for entry in rewards]
        if len(set(names)) != len(names):
            raise InputError(f"two rewards share a name: {', '.join(names)}")
        self.rewards = tuple(rewards)

    @classmethod
    def build(cls, weights: Mapping[str, float], context: RewardContext) -> "WeightedRewards":
        """Load every reward of `weights` with a weight above 0; the others are not even built."""
        wanted = {name: weight for name, weight in weights.items() if _checked_weight(name, weight) > 0}
        if not wanted:
            raise InputError("no reward has a weight above 0: give at least one")
        return cls(
            [WeightedReward(column_name(name), load_reward(name, context), weight) for name, weight in wanted.items()]
        )

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

    def without_references(self) -> "WeightedRewards":
        """Only the rewards that never read the reference (what Chain-of-Motion may rank by)."""
        return WeightedRewards([entry for entry in self.rewards if not entry.reward.needs_reference])

    def for_task(self, task: str) -> "WeightedRewards":
        """Only the rewards that judge `task`."""
        return WeightedRewards([entry for entry in self.rewards if task in entry.reward.tasks])

    def cache_statistics(self) -> dict[str, CacheStatistics]:
        """Counts of every cache the rewards hold, named ``reward/what``."""
        return {name: cache.statistics() for name, cache in self._caches().items()}

    def clear_caches(self) -> None:
        for cache in self._caches().values():
            cache.clear()

    def _caches(self) -> dict[str, ResultCache]:
        ours = [entry for entry in self.rewards if isinstance(entry.reward, Reward)]
        return {f"{entry.name}/{what}": cache for entry in ours for what, cache in entry.reward.caches().items()}


def _checked_weight(name: str, weight: float) -> float:
    if not (math.isfinite(weight) and weight >= 0):
        raise InputError(f"reward {name!r}: weight {weight} must be a finite number of at least 0")
    return weight


def _class_from_file(path: Path, class_name: str) -> type:
    if not path.is_file():
        raise InputError(f"reward file {path} does not exist")
    module_name = f"user_reward_{fingerprint(str(path.resolve()))}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # where dataclasses and pickle look a class's module up
    spec.loader.exec_module(module)
    found = vars(module).get(class_name)
    if not inspect.isclass(found):
        own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module_name]
        raise InputError(f"{path} has no class {class_name!r} (it has: {', '.join(own) or 'none'})")
    missing = [name for name in ("tasks", "needs_reference", "score") if not hasattr(found, name)]
    if missing:
        raise InputError(f"{path}:{class_name} is no reward: it lacks {', '.join(missing)}")
    unknown = set(found.tasks) - set(TASKS)
    if unknown or isinstance(found.tasks, str):
        raise InputError(f"{path}:{class_name}: tasks must be a tuple of {', '.join(TASKS)}, got {found.tasks!r}")
    return found


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
