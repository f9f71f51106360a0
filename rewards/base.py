"""What a reward is: something that reads rollouts and gives each a float (higher is better) or None.

`None` means "not applicable to this rollout", never "failed": a reply that a reward should judge but cannot (no codes,
no answer) gets the reward's worst score, and a reward that cannot run at all raises `InputError` when it is built.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from dataset.captions.tagger import Tagger
from dataset.cot.sample import TASKS
from models.language.rollout import Rollout
from rewards.cache import ResultCache
from rewards.models import RewardModels
from utils.motion.skeleton import KIT, T2M, Skeleton

if TYPE_CHECKING:  # a reward that needs no evaluator does not load one
    from models.text_motion.evaluator import TextMotionEvaluator

# A reward of your own imports nothing else of this project (rewards/README.md shows one). These names stay here,
# wherever the files behind them move.
__all__ = [
    "KIT",
    "T2M",
    "TASKS",
    "Reward",
    "RewardContext",
    "Rollout",
    "Scorer",
    "Skeleton",
    "applies",
    "joints_in_metres",
]


@dataclass(frozen=True)
class RewardContext:
    """All that a reward may be built from; a field is None where the run has no such thing.

    Attributes:
        skeleton: the skeleton of the motions.
        nb_code: size of the codebook; codes lie in [0, nb_code).
        evaluator: text-motion co-embedding for `consistency`.
        tagger: turns a caption into "word/POS" tokens for the evaluator.
        semantic_model_name: sentence-embedding model of `semantic`: folder, installed package or hub id.
        nli_model_name: natural-language-inference model of `coherence`: folder, installed package or hub id.
        device: where the rewards' own models run (torch device string).
        max_batch_size: most texts or text pairs that go through a model at once.
    """

    skeleton: Skeleton
    nb_code: int
    evaluator: "TextMotionEvaluator | None" = None
    tagger: Tagger | None = None
    semantic_model_name: str | None = None
    nli_model_name: str | None = None
    device: str = "cpu"
    max_batch_size: int = RewardModels.max_batch_size


class Scorer(Protocol):
    """The least a reward of your own must have (a class in any file: ``--rewards my_reward.py:MyReward=0.3``)."""

    tasks: tuple[str, ...]
    needs_reference: bool

    def score(self, rollouts: Sequence[Rollout]) -> list[float | None]: ...


def joints_in_metres(motion: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The motion of a rollout, (T, D) features, as joints (T, J, 3) in metres with Y up."""
    # The library's function of the same name, behind a door that stays. Imported late, since it needs torch.
    from utils.motion import features

    return features.joints_in_metres(motion, skeleton)


def applies(reward: Scorer, rollout: Rollout) -> bool:
    """Whether `reward` has anything to say on `rollout`: right task, and a reference where one is needed."""
    return rollout.task in reward.tasks and (bool(rollout.reference) or not reward.needs_reference)


class Reward:
    """Base of the built-in rewards: leaves out what does not apply, so that a subclass sees only its own rollouts.

    A subclass sets the class attributes and writes `score_applicable`; `__init__` takes the context and raises
    `InputError` when something it needs is missing.
    """

    name: ClassVar[str]
    tasks: ClassVar[tuple[str, ...]] = TASKS
    needs_reference: ClassVar[bool] = False

    def __init__(self, context: RewardContext) -> None:
        self.context = context

    def score(self, rollouts: Sequence[Rollout]) -> list[float | None]:
        """One float per rollout, in order; None where the reward does not apply."""
        scores: list[float | None] = [None] * len(rollouts)
        indices = [index for index, rollout in enumerate(rollouts) if applies(self, rollout)]
        if indices:
            values = self.score_applicable([rollouts[index] for index in indices])
            for index, value in zip(indices, values, strict=True):
                scores[index] = float(value)
        return scores

    def caches(self) -> dict[str, ResultCache]:
        """The caches this reward holds, by what they remember (for logs, and to clear them)."""
        return {}

    def score_applicable(self, rollouts: Sequence[Rollout]) -> Sequence[float]:
        """Scores of rollouts that this reward applies to (never empty)."""
        raise NotImplementedError(f"{type(self).__name__} must write score_applicable")
