"""From names, files and weights to rewards with the models behind them: for GRPO, and for Chain-of-Motion.

format=0.2,my_reward.py:MyReward=0.3
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset.captions.tagger import Tagger
from dataset.cot.sample import TASKS
from models.text_motion.evaluator import TextMotionEvaluator
from models.tokenizer.motion_tokenizer import MotionTokenizer
from rewards import REWARDS
from rewards.base import RewardContext, Scorer
from rewards.mixture.weighted import WeightedReward, WeightedRewards, checked_weight
from rewards.models import RewardModels
from utils.asset_hints import how_to_get
from utils.errors import InputError
from utils.files.fingerprints import fingerprint


@dataclass(frozen=True, eq=False)
class Rewarding:
    """Rewards that are ready to score, and the evaluator among the models behind them (None without one)."""

    rewards: WeightedRewards
    evaluator: TextMotionEvaluator | None = None

    @property
    def evaluator_fingerprint(self) -> str | None:
        """Names the evaluator, so that nobody is judged by what has rewarded it without being told."""
        return None if self.evaluator is None else self.evaluator.fingerprint


def load_rewards(
    weights: Mapping[str, float], motion_tokenizer: MotionTokenizer, models: RewardModels, tagger: Callable[[], Tagger]
) -> Rewarding:
    """The rewards in `weights`.

    Args:
        weights: by name, all above 0 (`usable_for`); none at all gives no rewards.
        motion_tokenizer: decodes what is judged.
        tagger: makes the tagger of captions for `consistency`; not called without it.

    Raises:
        InputError: a model is missing or cannot be loaded.
    """
    if not weights:
        return Rewarding(WeightedRewards([]))
    evaluator = _load_evaluator(models) if "consistency" in weights else None
    context = RewardContext(
        skeleton=motion_tokenizer.skeleton,
        nb_code=motion_tokenizer.nb_code,
        evaluator=evaluator,
        tagger=None if evaluator is None else tagger(),
        semantic_model_name=models.semantic,
        nli_model_name=models.nli,
        device=models.device,
        max_batch_size=models.max_batch_size,
    )
    return Rewarding(build_rewards(weights, context), evaluator)


def build_rewards(weights: Mapping[str, float], context: RewardContext) -> WeightedRewards:
    """Load every reward of `weights` with a weight above 0; the others are not even built."""
    wanted = {name: weight for name, weight in weights.items() if checked_weight(name, weight) > 0}
    if not wanted:
        raise InputError("no reward has a weight above 0: give at least one")
    return WeightedRewards(
        [WeightedReward(column_name(name), load_reward(name, context), weight) for name, weight in wanted.items()]
    )


def load_reward(name_or_path: str, context: RewardContext) -> Scorer:
    """Build the reward called `name_or_path`: a name of `rewards.REWARDS`, or ``path/to/file.py:Class``.

    Raises:
        InputError: unknown name, missing file or class, a class that is no reward, or a model that cannot be loaded.
    """
    return _reward_class(name_or_path)(context)


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
        weights[name] = checked_weight(name, weight)
    if not weights:
        raise InputError(f"no reward in {spec!r}: expected name=weight,... with names {', '.join(REWARDS)}")
    return weights


def usable_for(weights: Mapping[str, float], tasks: Sequence[str]) -> dict[str, float]:
    """The entries of `weights` above 0 that judge at least one of `tasks`, so that no model is loaded in vain.

    Raises:
        InputError: unknown name, or nothing is left.
    """
    judging = {name: weight for name, weight in weights.items() if set(_reward_class(name).tasks) & set(tasks)}
    usable = {name: weight for name, weight in judging.items() if checked_weight(name, weight) > 0}
    if not usable:
        raise InputError(f"none of the rewards {', '.join(weights)} has a weight and judges {' or '.join(tasks)}")
    return usable


def reference_free(weights: Mapping[str, float]) -> dict[str, float]:
    """The entries of `weights` that never read the true caption: what Chain-of-Motion may rank by."""
    return {name: weight for name, weight in weights.items() if not _reward_class(name).needs_reference}


def column_name(name_or_path: str) -> str:
    """What a reward is called in tables, logs and traces: its name, or the class in a file."""
    return name_or_path if name_or_path in REWARDS else name_or_path.rpartition(":")[2]


def _load_evaluator(models: RewardModels) -> TextMotionEvaluator:
    if models.evaluator is None or not Path(models.evaluator).exists():
        found = "" if models.evaluator is None else f", not {models.evaluator}, which does not exist"
        raise InputError(
            f"the consistency reward needs --reward-evaluator FOLDER (made by prepare.train_evaluator){found}; "
            f"--reward-align-weight 0 leaves it out; {how_to_get('evaluator-t2m')}"
        )
    return TextMotionEvaluator.load(models.evaluator, device=models.device)


def _reward_class(name_or_path: str) -> type:
    if name_or_path in REWARDS:
        module_name, _, class_name = REWARDS[name_or_path].partition(":")
        return getattr(importlib.import_module(module_name), class_name)
    path, colon, class_name = name_or_path.rpartition(":")
    if not (colon and path.endswith(".py")):
        raise InputError(f"unknown reward {name_or_path!r}: expected one of {', '.join(REWARDS)}, or file.py:Class")
    return _class_from_file(Path(path), class_name)


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
