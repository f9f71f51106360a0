"""The trainer of a text-motion evaluator takes the training steps, and keeps a state to stop and go on with."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from dataset.captions.word_vectors import POS_CLASSES, WordVectorizer
from dataset.humanml.pairs import FRAMES_PER_UNIT, PairBatch
from models.text_motion.evaluator import TextMotionEvaluator
from models.text_motion.loss import ContrastiveLoss
from models.text_motion.networks import FOOT_CONTACT_DIMS, NETWORK_NAMES, EvaluatorSizes, build_networks
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


class EvaluatorTrainer:
    """Networks, word vectors, loss and optimiser.

    Args:
        sizes: of the networks; `word_size` is that of the word vectors.
        words: starting vectors; learned further where `config.train_word_vectors`.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        sizes: EvaluatorSizes,
        words: WordVectorizer,
        config: TrainerConfig,
        device: torch.device,
    ) -> None:
        self.skeleton, self.words, self.config = skeleton, words, config
        self.device = device
        self.networks = nn.ModuleDict(build_networks(skeleton.feature_dim, sizes))
        self.vectors = nn.Embedding.from_pretrained(
            torch.from_numpy(words.vectors.copy()), freeze=not config.train_word_vectors
        )
        self.loss = ContrastiveLoss(config.temperature)
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
        return self.networks["text_encoder"](vectors, one_hot, torch.from_numpy(batch.text_lengths))

    def _embed_motion(self, batch: PairBatch) -> torch.Tensor:
        motions = torch.from_numpy(batch.motions[..., :-FOOT_CONTACT_DIMS]).to(self.device)
        lengths = torch.from_numpy(batch.motion_lengths) // FRAMES_PER_UNIT
        return self.networks["motion_encoder"](self.networks["movement_encoder"](motions), lengths)

    def step(self, batch: PairBatch, rate: float) -> float:
        """One optimiser step at `rate` times the learning rate; returns the loss.

        Raises:
            InputError: it is no number any more; the networks are as they were before the step.
        """
        self._parts.train()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * self.config.learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        ids = torch.from_numpy(batch.caption_ids).to(self.device)
        loss = self.loss(self._embed_text(batch), self._embed_motion(batch), ids)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self._parts.parameters(), MAX_GRADIENT_NORM)
        for what, value in (("loss", loss.item()), ("norm of the gradient", norm.item())):
            if not math.isfinite(value):
                raise InputError(f"the {what} is {value}: the training has diverged; give a smaller --learning-rate")
        self.optimizer.step()
        return loss.item()

    def words_with(self, vectors: np.ndarray) -> WordVectorizer:
        """The vocabulary with other vectors (V, word_size)."""
        return WordVectorizer(self.words.words, vectors)

    def evaluator(self, mean: np.ndarray, std: np.ndarray) -> TextMotionEvaluator:
        """A copy of what was learned so far, ready to judge."""
        state = {
            name: {key: value.detach().cpu().clone() for key, value in self.networks[name].state_dict().items()}
            for name in NETWORK_NAMES
        }
        words = self.words_with(self.vectors.weight.detach().cpu().numpy().copy())
        return TextMotionEvaluator.from_published(state, mean, std, self.skeleton, words).to(self.device)

    def state_dict(self) -> dict[str, Any]:
        return {"parts": self._parts.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._parts.load_state_dict(state["parts"])
        self.optimizer.load_state_dict(state["optimizer"])
