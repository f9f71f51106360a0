"""A session trains a text-motion evaluator in a run folder: schedule, validation, best weights, resume."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dataset.humanml.layout import MotionRecord
from dataset.humanml.pairs import TextMotionPairs
from models.text_motion.evaluator import TextMotionEvaluator
from models.text_motion.real_motion import EmbeddedRecords
from models.text_motion.trainer import EvaluatorTrainer
from utils.errors import InputError
from utils.files.torch_files import state_of_a_run, write_torch_file
from utils.metrics.criteria import OF_REAL_MOTION
from utils.metrics.text_motion import GROUP
from utils.progress import Progress
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag
from utils.run.schedule import cosine_fall, share_done, warm_up

STATE_FILE = "latest_state.pth"
WARM_UP_STEPS = 20
LAST_RATE = 0.02  # of the learning rate, where the cosine schedule ends
SAVE_EVERY_SECONDS = 15.0
VALIDATION_SEED = 0  # the same captions and groups at every epoch


@dataclass(frozen=True)
class SessionConfig:
    """When training ends; `max_minutes` counts training time over all runs, None = no limit."""

    epochs: int
    batch_size: int
    max_minutes: float | None
    patience: int
    val_repeats: int
    seed: int


@dataclass(frozen=True, eq=False)
class EvaluatorData:
    """What an evaluator learns from, and what it is chosen by.

    Attributes:
        pairs: at least 2 training clips, normalised with `mean` and `std` (D,).
        validation: at least 2 clips; its mean reciprocal rank chooses the weights and stops the training.
        fingerprint: of the training data; a state of other data is refused.
    """

    pairs: TextMotionPairs
    validation: Sequence[MotionRecord]
    mean: np.ndarray
    std: np.ndarray
    fingerprint: str


class EvaluatorSession:
    """Trains until finished or interrupted, keeps what matches validation captions and motions best.

    Raises:
        InputError: too few clips.
    """

    def __init__(
        self, trainer: EvaluatorTrainer, data: EvaluatorData, config: SessionConfig, folder: RunFolder
    ) -> None:
        training, validation = len(data.pairs), len(data.validation)
        if training < 2 or validation < 2:
            raise InputError(f"an evaluator needs 2 clips to train and validate: {training}, {validation} given")
        self._trainer, self._data, self.config, self._folder = trainer, data, config, folder
        self._rng = np.random.default_rng(config.seed)
        self._saved_at = time.perf_counter()
        self.epoch, self.step, self.seconds = 0, 0, 0.0
        self.best_score, self.best_epoch = -math.inf, 0
        self.best: TextMotionEvaluator | None = None

    @property
    def finished(self) -> bool:
        return self.progress >= 1 or self.epoch - self.best_epoch >= self.config.patience

    @property
    def progress(self) -> float:
        """Share of the epochs or of the minutes that is used up, whichever is more; the schedule follows it."""
        epochs = self.config.epochs
        steps = math.ceil(len(self._data.pairs) / self.config.batch_size) * epochs
        return share_done(max(self.step / steps, self.epoch / epochs), self.seconds, self.config.max_minutes)

    def train(self, interrupt: InterruptFlag) -> None:
        """Run to the end; on an interrupt save what there is and return early."""
        with Progress(total=self.config.epochs, initial=self.epoch, desc="evaluator", unit="epoch") as bar:
            while not self.finished and not interrupt.raised:
                losses = self._run_epoch(interrupt)
                if interrupt.raised:
                    break
                self.epoch += 1
                row = self._validate(losses)
                bar.update()
                bar.set_postfix({name: f"{row[name]:.3f}" for name in ("loss", "val_R@1", "val_R@3")})
                if time.perf_counter() - self._saved_at > SAVE_EVERY_SECONDS:
                    self._save()
        self._save()

    def _run_epoch(self, interrupt: InterruptFlag) -> list[float]:
        losses = []
        began = time.perf_counter()
        for batch in self._data.pairs.epoch(self.config.batch_size, self._rng, self._trainer.config.word_dropout):
            rate = warm_up(self.step, WARM_UP_STEPS) * cosine_fall(self.progress, LAST_RATE)
            losses.append(self._trainer.step(batch, rate))
            self.step += 1
            self.seconds += time.perf_counter() - began
            began = time.perf_counter()
            if interrupt.raised or (self.config.max_minutes is not None and self.progress >= 1):
                break
        return losses

    def _validate(self, losses: list[float]) -> dict[str, float]:
        began = time.perf_counter()
        evaluator = self._trainer.evaluator(self._data.mean, self._data.std)
        embedded = EmbeddedRecords.of(evaluator, self._data.validation)
        rng = np.random.default_rng(VALIDATION_SEED)
        repeats = embedded.repeats(self.config.val_repeats, rng, min(GROUP, len(self._data.validation)))
        means = {f"val_{name}": float(np.mean([row[name] for row in repeats])) for name in OF_REAL_MOTION}
        score = embedded.mean_reciprocal_rank()
        if score > self.best_score:
            self.best, self.best_score, self.best_epoch = evaluator, score, self.epoch
        self.seconds += time.perf_counter() - began
        row = {"epoch": self.epoch, "step": self.step, "seconds": round(self.seconds, 1)}
        row |= {"loss": float(np.mean(losses)), "val_mrr": score, **means}
        self._folder.log(row)
        return row

    def _save(self) -> None:
        if self.best is None:  # interrupted within the first epoch: nothing worth keeping
            return
        self.best.save(self._folder.path)
        state = {
            "data": self._data.fingerprint,
            "trainer": self._trainer.state_dict(),
            "best": self.best.state(),
            "best_vectors": torch.from_numpy(self.best.words.vectors),
            "counters": (self.epoch, self.step, self.seconds, self.best_score, self.best_epoch),
            "numpy_rng": json.dumps(self._rng.bit_generator.state),
            "torch_rng": torch.get_rng_state(),
        }
        write_torch_file(self._state_path, state)
        self._saved_at = time.perf_counter()

    def resume(self) -> bool:
        """Continue from the last saved state if there is one, and forget the rows that a killed run logged after it.

        Raises:
            InputError: the state is damaged, or of other data.
        """
        found = self._state_path.is_file()
        if found:
            with state_of_a_run(self._state_path) as state:
                self._load(state)
        self._folder.metrics.forget_after(self.step)
        return found

    def _load(self, state: dict[str, Any]) -> None:
        if state["data"] != self._data.fingerprint:
            raise InputError(f"{self._state_path}: was trained on other data: use another --exp-name")
        trainer = self._trainer
        trainer.load_state_dict(state["trainer"])
        self.epoch, self.step, self.seconds, self.best_score, self.best_epoch = state["counters"]
        words = trainer.words_with(state["best_vectors"].numpy())
        mean, std = self._data.mean, self._data.std
        self.best = trainer.with_weights(state["best"], mean, std, words)
        self._rng.bit_generator.state = json.loads(state["numpy_rng"])
        torch.set_rng_state(state["torch_rng"])

    @property
    def _state_path(self) -> Path:
        return self._folder.path / STATE_FILE


def forget_state(folder: RunFolder) -> None:
    """Remove what only an unfinished run needs."""
    (folder.path / STATE_FILE).unlink(missing_ok=True)
