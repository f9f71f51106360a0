"""`consistency`: do caption and motion belong together? Cosine of the evaluator's two embeddings."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from dataset.humanml.pairs import FRAMES_PER_UNIT
from models.language.rollout import Rollout
from rewards.base import Reward, RewardContext
from rewards.cache import ResultCache
from utils.errors import InputError
from utils.files.fingerprints import fingerprint

WORST = -1.0


class TextMotionConsistency(Reward):
    """Cosine in [-1, 1] of a caption's and a motion's embedding; -1 where the reply has no usable caption or motion.

    t2m: the query's caption and the motion of the reply. m2t: the caption of the reply and the given motion. Neither
    reads the reference, so the reward may also rank candidates. Captions become word/POS tokens by `context.tagger`.
    """

    name = "consistency"

    def __init__(self, context: RewardContext) -> None:
        super().__init__(context)
        if context.evaluator is None or context.tagger is None:
            raise InputError(
                "reward 'consistency' needs a text-motion evaluator (a folder of prepare.train_evaluator) and a tagger "
                "of captions: give --reward-evaluator"
            )
        if context.evaluator.words is None:
            raise InputError("reward 'consistency' needs an evaluator with word vectors, this one has none")
        if context.evaluator.skeleton != context.skeleton:
            raise InputError(
                f"reward 'consistency': the evaluator reads {context.evaluator.skeleton.name} motions, "
                f"these are {context.skeleton.name}"
            )
        self._evaluator, self._tagger = context.evaluator, context.tagger
        self._captions: ResultCache[tuple[str, ...], torch.Tensor] = ResultCache()
        self._motions: ResultCache[str, torch.Tensor] = ResultCache()

    def caches(self) -> dict[str, ResultCache]:
        return {"captions": self._captions, "motions": self._motions}

    def score_applicable(self, rollouts: Sequence[Rollout]) -> list[float]:
        tokens = [self._tagger.tag(rollout.caption) if rollout.caption else () for rollout in rollouts]
        usable = [
            index
            for index, rollout in enumerate(rollouts)
            if tokens[index] and _is_usable(rollout.motion, self.context.skeleton.feature_dim)
        ]
        scores = [WORST] * len(rollouts)
        if usable:
            captions = self._embed_captions([tokens[index] for index in usable])
            motions = self._embed_motions([rollouts[index].motion for index in usable])
            for index, cosine in zip(usable, (captions * motions).sum(dim=-1).tolist(), strict=True):
                scores[index] = max(-1.0, min(1.0, cosine))
        return scores

    def _embed_captions(self, captions: list[tuple[str, ...]]) -> torch.Tensor:
        """(N, E) rows of length 1; a caption is embedded once, however often it stands here or stood before."""

        def compute(new: list[tuple[str, ...]]) -> list[torch.Tensor]:
            return _unit_rows(self._evaluator.embed_captions(new))

        return torch.stack(self._captions.get_many(captions, compute))

    def _embed_motions(self, motions: list[np.ndarray]) -> torch.Tensor:
        names = [fingerprint(motion) for motion in motions]
        by_name = dict(zip(names, motions, strict=True))

        def compute(new: list[str]) -> list[torch.Tensor]:
            return _unit_rows(self._evaluator.embed_features([by_name[name] for name in new]))

        return torch.stack(self._motions.get_many(names, compute))


def _unit_rows(embeddings: torch.Tensor) -> list[torch.Tensor]:
    return list(functional.normalize(embeddings.float(), dim=-1).cpu())


def _is_usable(motion: np.ndarray | None, feature_dim: int) -> bool:
    if motion is None or len(motion) < FRAMES_PER_UNIT:
        return False
    if motion.shape[1] != feature_dim:
        raise InputError(f"reward 'consistency': motion of {motion.shape[1]} features, expected {feature_dim}")
    return bool(np.isfinite(motion).all())
