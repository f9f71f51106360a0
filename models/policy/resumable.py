"""What our trainers of SFT and GRPO add to those of trl: whole states to go on from, and an end where they diverge.

It stands before trl's class among the bases: ``class Ours(ResumableTrainer, SFTTrainer)``.
"""

import math
import os
import pickle
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants
from safetensors import SafetensorError
from torch import nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from models.policy.states import UNFINISHED, newest_state, processes_of, publish
from utils.errors import InputError, first_line, refused_by_system
from utils.files.atomic import named
from utils.files.json_files import read_json, write_json
from utils.files.torch_files import refused_objects

_PROGRESS = "progress_{}.json"  # of each process


@cache
def _settle_libraries() -> None:
    """What the libraries shall not do, said once."""
    # trl's trainers would tell the hub of every training: what leaves this machine is the user's choice.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    # Older transformers (5.16) has the optimiser of several processes on a CPU put onto "cpu:0", which torch does not
    # know.
    torch.serialization.register_package(
        9, lambda storage: None, lambda storage, place: storage if place.startswith("cpu:") else None
    )


class ResumableTrainer(Trainer):
    """A trainer whose states survive a kill, and which stops before it learns from what is no number.

    Args:
        settings_file: holds settings of the user's own; None: there are none.
        named: arguments of trl's trainer.
    """

    def __init__(self, *, settings_file: str | None = None, **named: Any) -> None:
        _settle_libraries()
        self._settings_file = settings_file
        self._writing: Path | None = None  # the folder that gets the state in writing
        self._saved_step = -1
        self._losses: list[torch.Tensor] = []  # of the micro-batches of this step, not looked at yet
        self._since_log: dict[str, Any] = {}  # `since_log` of the state that training goes on from
        self._summed_from: int | None = None  # the step that the sum of losses begins at; None: where `train` began
        super().__init__(**named)
        self.add_callback(_GoOn(self))

    # --- States ---

    def newest_state(self) -> Path | None:
        """The latest whole state; torn ones are set aside by the first process (`models.policy.states`).

        Raises:
            InputError: another number of processes wrote it.
        """
        with self.accelerator.main_process_first():
            state = newest_state(Path(self.args.output_dir), mend=self.accelerator.is_main_process)
        if state is not None and (before := processes_of(state)) != self.args.world_size:
            raise InputError(
                f"{state}: was written by {before} process{'es' if before > 1 else ''}, and {self.args.world_size} "
                f"cannot go on from it: start as many as before (torchrun --nproc_per_node {before}), or use another "
                "--exp-name"
            )
        return state

    def since_log(self) -> dict[str, Any]:
        """What this process has counted since the last row of metrics, JSON-able: with it the next row is that of a
        run that was not interrupted. A subclass adds its own."""
        return {
            "loss": self._tr_loss.item(),
            "sum": self._total_loss_scalar,
            "logged": self._globalstep_last_logged,
            "metrics": {name: list(values) for name, values in self._metrics["train"].items()},
            "tokens": self._total_train_tokens,
        }

    def go_on(self, since_log: dict[str, Any]) -> None:
        """Take up what `since_log` returned when the state was written."""
        self._tr_loss = torch.tensor(since_log["loss"], device=self.args.device)
        self._globalstep_last_logged = since_log["logged"]
        # States of earlier versions have no sum: then it begins with the losses that no row has yet.
        self._total_loss_scalar = since_log.get("sum", 0.0)
        self._summed_from = 0 if "sum" in since_log else since_log["logged"]
        self._total_train_tokens = since_log["tokens"]
        for name, values in since_log["metrics"].items():
            self._metrics["train"][name] = list(values)

    def train(self, resume_from_checkpoint: str | None = None, **named: Any) -> Any:
        """Train from a whole state on, or from the start.

        Raises:
            InputError: the state holds Python objects; the first step fails with settings of the user's own.
        """
        file = None if resume_from_checkpoint is None else Path(resume_from_checkpoint, self._progress_name)
        self._since_log = read_json(file) if file is not None and file.is_file() else {}
        try:
            return super().train(resume_from_checkpoint=resume_from_checkpoint, **named)
        except pickle.UnpicklingError as error:  # of the state: nothing else is read from pickles
            problem = refused_objects(error) or "one of its files is damaged"
            raise InputError(
                f"{resume_from_checkpoint}: {problem}: remove this folder, and training goes on from the state before"
            ) from None
        except Exception:
            if self._settings_file is None or self.state.global_step > 0:
                raise
            with settings_of_trl(self._settings_file):  # some of them are looked at by the first step only
                raise

    def log(self, logs: dict[str, float], *given: Any, **named: Any) -> None:
        """Log a row; the mean loss of the last one is that of all steps, not only of those since the run went on."""
        if "train_loss" in logs and self._summed_from is not None:
            steps = self.state.global_step - self._summed_from
            logs = {**logs, "train_loss": self._total_loss_scalar / max(1, steps)}
        super().log(logs, *given, **named)

    @property
    def _progress_name(self) -> str:
        return _PROGRESS.format(self.args.process_index)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write a state whole or not at all. Raises OSError that names it."""
        if self._saved_step == self.state.global_step:
            return  # by an interrupt, which ends the loop at that step
        place = Path(self.args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        with ExitStack() as ending:
            self._writing = place.with_name(UNFINISHED)
            ending.callback(self._stop_writing)
            unfinished = self._writing / place.name
            try:
                super()._save_checkpoint(model, trial)
                write_json(unfinished / self._progress_name, self.since_log())
                self.accelerator.wait_for_everyone()
                if self.accelerator.is_main_process:
                    publish(unfinished, place, self.args.world_size, self.args.save_total_limit)
            except (RuntimeError, SafetensorError, OSError) as error:
                refusal = _refused(unfinished, place, error)
                if refusal is None:
                    raise
                raise refusal from error
        self._saved_step = self.state.global_step

    def _stop_writing(self) -> None:
        if self.accelerator.is_main_process:
            shutil.rmtree(self._writing, ignore_errors=True)
        self._writing = None

    def _get_output_dir(self, trial: Any) -> str:
        return super()._get_output_dir(trial) if self._writing is None else str(self._writing)

    def create_optimizer(self, *given: Any, **named: Any) -> Any:
        with settings_of_trl():
            return super().create_optimizer(*given, **named)

    def create_scheduler(self, *given: Any, **named: Any) -> Any:
        with settings_of_trl():
            return super().create_scheduler(*given, **named)

    def set_initial_training_values(self, *given: Any, **named: Any) -> Any:
        with settings_of_trl():
            return super().set_initial_training_values(*given, **named)

    # --- Divergence ---

    def training_step(self, *given: Any, **named: Any) -> torch.Tensor:
        loss = super().training_step(*given, **named)
        self._losses.append(loss.detach())  # a look at each would wait for the device; see `_get_grad_norm`
        return loss

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)
        losses, self._losses = self._losses, []
        for loss in torch.stack(losses).tolist() if losses else ():
            self.refuse_no_number("loss", loss)
        # With float16 the scaler finds too large gradients itself, and leaves the step out.
        if norm is not None and getattr(self.accelerator, "scaler", None) is None:
            self.refuse_no_number("norm of the gradient", float(norm))
        return norm

    def refuse_no_number(self, what: str, value: float) -> None:
        """Raise InputError where training has diverged: before the optimiser's step, so that the weights are whole."""
        if not math.isfinite(value):
            raise InputError(
                f"the {what} is {value} after {self.state.global_step} steps: the training has diverged. What was "
                "saved before is kept, and nothing else is written; give a smaller --learning-rate (or a smaller "
                "--max-grad-norm, a longer --warm-up) and --no-resume"
            )


@contextmanager
def settings_of_trl(file: str | None = None) -> Iterator[None]:
    """Within it what trl and transformers refuse of a trainer's settings is the user's mistake: InputError.

    Args:
        file: holds settings of the user's own; with it whatever fails there is theirs, since much of what they ask for
            is looked at when it is used, and fails in any way.
    """
    try:
        yield
    except Exception as error:
        in_words = isinstance(error, (ValueError, ImportError, NotImplementedError))
        ours = not in_words and file is None
        if ours or isinstance(error, InputError) or refused_by_system(error) is not None:
            raise
        kind = "" if in_words else f"{type(error).__name__}: "
        where = "--trainer-config" + (f" {file}; leave its fields out one by one" if file is not None else "")
        raise InputError(f"trl cannot train with these settings: {kind}{first_line(error)} ({where})") from error


def spread_weights(settings: TrainingArguments | None = None) -> str | None:
    """What holds a piece of the weights in each process, ``FSDP`` or ``ZeRO-3``; None: every process holds them whole.

    accelerate tells the processes that it starts by variables; the rest stands in the settings themselves, where there
    are some already.
    """
    if (settings is not None and settings.fsdp) or os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true":
        return "FSDP"
    plugin = None if settings is None else settings.deepspeed_plugin
    stage = os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") if plugin is None else plugin.zero_stage
    return "ZeRO-3" if str(stage) == "3" else None


class _GoOn(TrainerCallback):
    """Gives the counters of a state back when the loop has set its own to zero, and the epoch to the order of rows."""

    def __init__(self, trainer: ResumableTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if self.trainer._since_log:
            self.trainer.go_on(self.trainer._since_log)

    def on_epoch_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        train_dataloader: DataLoader | None = None,
        **kwargs: object,
    ) -> None:
        # The loop tells it to the batches that are left of an epoch, from where it does not reach the sampler of
        # several processes: their order of rows would be that of the first epoch.
        if hasattr(train_dataloader, "set_epoch"):
            train_dataloader.set_epoch(int(state.epoch or 0))


def _refused(unfinished: Path, place: Path, error: Exception) -> OSError | None:
    """The system's refusal behind a failed writing, None where there is none that is not `error` itself; torch makes a
    RuntimeError of it that does not say which.

    The file that it could not write asks the system once more.
    """
    if isinstance(error, OSError):
        return named(error, place) if error.errno else None
    files = [file for file in unfinished.rglob("*") if file.is_file()]
    try:
        for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)[-1:]:
            with file.open("ab") as stream:
                stream.write(bytes(1 << 20))
    except OSError as refusal:
        return named(refusal, place)
    return None
