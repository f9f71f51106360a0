"""A session trains the motion tokenizer in a run folder: progress, validation, best and latest file, resume."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.report import reconstruction_report
from models.tokenizer.trainer import TokenizerTrainer
from utils.errors import InputError
from utils.files.atomic import remove_unfinished
from utils.files.torch_files import state_of_a_run, write_torch_file
from utils.progress import Progress
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag
from utils.run.scalar_log import ScalarLog

BEST_FILE = "motion_tokenizer.pth"
# A tokenizer file too (`MotionTokenizer.load` reads it), with the trainer's state beside the weights.
LATEST_FILE = "latest_state.pth"
_SHOW_EVERY = 10


@dataclass(frozen=True)
class Cadence:
    """How many steps lie between two validations, each of which saves the state, and between two rows of training."""

    validate: int
    log: int


class TokenizerSession:
    """Trains until the trainer is finished or interrupted; continues from the run folder's latest state.

    With several processes each has a session; all take the steps, only the main one shows, logs, validates and saves.

    Args:
        trainer: knows the processes that train together.
        tokenizer: wraps the network that `trainer` trains.
        validation: (T, D) denormalised clips; the network that reconstructs them best is kept.
        data_fingerprint: of the training data; a state of other data is refused.
    """

    def __init__(
        self,
        trainer: TokenizerTrainer,
        tokenizer: MotionTokenizer,
        validation: Sequence[np.ndarray],
        cadence: Cadence,
        folder: RunFolder,
        data_fingerprint: str,
    ) -> None:
        self._trainer = trainer
        self._tokenizer = tokenizer
        self._validation = validation
        self._cadence = cadence
        self._folder = folder
        self._data = data_fingerprint
        self._processes = trainer.processes
        self._log = ScalarLog(folder)
        self._validated_step = -1
        self.best_mm = float("inf")

    @property
    def best_path(self) -> Path:
        return self._folder.path / BEST_FILE

    @property
    def latest_path(self) -> Path:
        return self._folder.path / LATEST_FILE

    def resume(self) -> bool:
        """Continue from the latest state if there is one, and clear away what a killed run left behind after it.

        Raises:
            InputError: the state is of other data or sizes, or is not the same for all processes.
        """
        found = self.latest_path.is_file()
        if found:
            with state_of_a_run(self.latest_path) as state:
                if state["config"] != asdict(self._tokenizer.config) or state["data"] != self._data:
                    raise InputError(
                        f"{self.latest_path} is of a network or data set of other size: use another --exp-name"
                    )
                self._trainer.load_state(state["network"], state["trainer"])
                self.best_mm = state["best_mm"]
                self._validated_step = state.get("validated_step", -1)
        step = self._trainer.step
        if self._processes.largest(step, -step) != [step, -step]:
            raise InputError(
                f"{self._folder.path}: the processes find different states there; it must be shared by all"
            )
        if self._processes.is_main:
            remove_unfinished(self._folder.path)
            self._folder.metrics.forget_after(step)
        return found

    def train(self, interrupt: InterruptFlag) -> None:
        """Run to the end; on an interrupt (of any process) save the state and return early."""
        trainer = self._trainer
        with self._bar() as bar:
            while not self._agree_to_stop(interrupt):
                began = time.perf_counter()
                trainer.train_step()
                bar.update()
                if trainer.step % _SHOW_EVERY == 0:
                    self._show(bar)
                if trainer.step % self._cadence.log == 0:
                    self._log_training()
                    trainer.clear_recent()
                if trainer.step % self._cadence.validate == 0:
                    self._validate()
                    self._save()
                trainer.seconds += time.perf_counter() - began
        if trainer.finished and trainer.step != self._validated_step:
            self._validate()
        self._save()
        self._processes.wait()  # a process that ends may end the others, so wait until all is saved

    def _agree_to_stop(self, interrupt: InterruptFlag) -> bool:
        """The same answer in all processes: clocks, on which the learning rate may depend, and signals differ."""
        self._trainer.seconds, interrupted = self._processes.largest(self._trainer.seconds, interrupt.raised)
        return self._trainer.finished or interrupted > 0

    def _bar(self) -> Progress:
        config, shown = self._trainer.config, self._processes.is_main
        total = config.total_iter if config.max_minutes is None else None  # nobody knows how many fit into the time
        start = self._trainer.step
        return Progress(
            total=total, initial=start, desc="tokenizer", unit="step", dynamic_ncols=True, disable=not shown
        )

    def _log_training(self) -> None:
        recent = self._trainer.recent()
        if self._processes.is_main:
            self._log.log({"step": self._trainer.step, **asdict(recent)})

    def _show(self, bar: Progress) -> None:
        recent = self._trainer.recent()
        shown = {
            "loss": f"{recent.loss:.3f}",
            "perplexity": f"{recent.perplexity:.0f}",
            "usage": f"{recent.usage:.0%}",
            "val": f"{self.best_mm:.1f} mm" if self.best_mm < float("inf") else "-",
        }
        if self._trainer.config.max_minutes is not None:
            shown["time"] = f"{self._trainer.progress:.0%}"
        bar.set_postfix(shown)

    def _validate(self) -> None:
        self._trainer.refuse_divergence()
        self._validated_step = self._trainer.step
        if not self._processes.is_main:
            return
        report = reconstruction_report(self._tokenizer, self._validation)
        row = {f"val_{name}": value for name, value in report.numbers().items()}
        self._log.log({"step": self._trainer.step, "seconds": round(self._trainer.seconds, 1), **row})
        if report.mpjpe_mm < self.best_mm:
            self.best_mm = report.mpjpe_mm
            self._tokenizer.save(self.best_path)

    def _save(self) -> None:
        """The best file is written before this one: a kill in between only makes the resumed run write it again."""
        self._trainer.refuse_divergence()
        if not self._processes.is_main:
            return
        state = {
            **self._tokenizer.state(),
            "trainer": self._trainer.state(),
            "best_mm": self.best_mm,
            "validated_step": self._validated_step,
            "data": self._data,
        }
        write_torch_file(self.latest_path, state)
