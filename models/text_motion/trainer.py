"""The trainer of a text-motion evaluator takes the training steps, and keeps a state to stop and go on with."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from dataset.captions.word_vectors import POS_CLASSES, WordVectorizer
from dataset.humanml.pairs import PairBatch
from models.text_motion.evaluator import TextMotionEvaluator
from models.text_motion.families import GUO, Family, Sizes, State
from models.text_motion.negatives import SimilarCaptions
from models.text_motion.networks import FOOT_CONTACT_DIMS
from utils.errors import InputError
from utils.motion.skeleton import Skeleton

MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class TrainerConfig:
    """How an evaluator is trained; `word_dropout` is the share of words replaced by `unk`."""

    learning_rate: float
    weight_decay: float
    temperature: float
    train_word_vectors: bool
    word_dropout: float
    family: Family = GUO


class EvaluatorTrainer:
    """Networks, word vectors, loss and optimiser.

    Args:
        sizes: of the networks; `word_size` is that of the word vectors.
        words: starting vectors; learned further where `config.train_word_vectors`.
        similar: captions that are no negatives of each other; None: only a caption and itself.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        sizes: Sizes,
        words: WordVectorizer,
        config: TrainerConfig,
        device: torch.device,
        similar: SimilarCaptions | None = None,
    ) -> None:
        self.skeleton, self.words, self.config, self.family = skeleton, words, config, config.family
        self.device, self._similar = device, similar
        self.networks = nn.ModuleDict(self.family.build(skeleton.feature_dim, sizes))
        self.vectors = nn.Embedding.from_pretrained(
            torch.from_numpy(words.vectors.copy()), freeze=not config.train_word_vectors
        )
        self.loss = self.family.loss(config.temperature)
        self._parts = nn.ModuleDict({"networks": self.networks, "vectors": self.vectors, "loss": self.loss})
        self._parts.to(self.device)
        # Weight decay is for matrices of the networks: it would pull rare words' vectors to zero.
        decayed = [p for p in self.networks.parameters() if p.ndim >= 2]
        rest = [p for p in self._parts.parameters() if p.requires_grad and all(p is not other for other in decayed)]
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": config.weight_decay}, {"params": rest, "weight_decay": 0.0}],
            lr=config.learning_rate,
        )

    def _embed_text(self, batch: PairBatch) -> torch.Tensor:
        vectors = self.vectors(torch.from_numpy(batch.word_rows).to(self.device))
        classes = torch.from_numpy(batch.pos_classes).to(self.device)
        one_hot = nn.functional.one_hot(classes, len(POS_CLASSES)).float()
        return self.family.embed_text(self.networks, vectors, one_hot, torch.from_numpy(batch.text_lengths))

    def _embed_motion(self, batch: PairBatch) -> torch.Tensor:
        motions = torch.from_numpy(batch.motions[..., :-FOOT_CONTACT_DIMS]).to(self.device)
        return self.family.embed_motion(self.networks, motions, torch.from_numpy(batch.motion_lengths))

    def _alike(self, ids: np.ndarray) -> torch.Tensor:
        alike = ids[:, None] == ids[None] if self._similar is None else self._similar.among(ids)
        return torch.from_numpy(alike).to(self.device)

    def step(self, batch: PairBatch, rate: float) -> float:
        """One optimiser step at `rate` times the learning rate; returns the loss.

        Raises:
            InputError: it is no number any more; the networks are as they were before the step.
        """
        self._parts.train()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * self.config.learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self._embed_text(batch), self._embed_motion(batch), self._alike(batch.caption_ids))
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self._parts.parameters(), MAX_GRADIENT_NORM)
        loss_value, norm_value = torch.stack([loss.detach(), norm]).tolist()  # together: each look waits for the device
        for what, value in (("loss", loss_value), ("norm of the gradient", norm_value)):
            if not math.isfinite(value):
                raise InputError(f"the {what} is {value}: the training has diverged; give a smaller --learning-rate")
        self.optimizer.step()
        return loss_value

    def words_with(self, vectors: np.ndarray) -> WordVectorizer:
        """The vocabulary with other vectors (V, word_size)."""
        return WordVectorizer(self.words.words, vectors)

    def evaluator(self, mean: np.ndarray, std: np.ndarray) -> TextMotionEvaluator:
        """A copy of what was learned so far, ready to judge."""
        state = {
            name: {key: value.detach().cpu().clone() for key, value in self.networks[name].state_dict().items()}
            for name in self.family.networks
        }
        words = self.words_with(self.vectors.weight.detach().cpu().numpy().copy())
        return self.with_weights(state, mean, std, words)

    def with_weights(
        self, state: State, mean: np.ndarray, std: np.ndarray, words: WordVectorizer
    ) -> TextMotionEvaluator:
        """An evaluator of this family and skeleton with weights of its own."""
        return TextMotionEvaluator.from_state(state, mean, std, self.skeleton, words, self.family).to(self.device)

    def state_dict(self) -> dict[str, Any]:
        return {"parts": self._parts.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._parts.load_state_dict(state["parts"])
        self.optimizer.load_state_dict(state["optimizer"])
