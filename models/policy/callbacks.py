"""What happens around trl's training loops: our checkpoints, our logs, a gentle stop."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm
from transformers import (
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from utils.files.journal import Journal
from utils.metrics.criteria import Criterion
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag
from utils.run.processes import Processes
from utils.run.scalar_log import ScalarLog


class RunLog(TrainerCallback):
    """Every row of metrics that the trainer logs goes to metrics.jsonl.

    It also goes to TensorBoard where its package is installed, and to `extra` where that is given.
    """

    def __init__(self, run: RunFolder, extra: Callable[[dict], None] | None = None) -> None:
        self.scalars = ScalarLog(run)
        self.extra = extra

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict | None = None,
        **kwargs: object,
    ) -> None:
        if not state.is_world_process_zero or not logs:
            return
        self.write({"step": state.global_step, **{name: value for name, value in logs.items() if _is_number(value)}})

    def write(self, row: dict[str, float]) -> None:
        """Log numbers that the trainer does not know of; the row must have a ``step``. First process only."""
        self.scalars.log(row)
        if self.extra is not None:
            self.extra(row)


class ReplyLog(TrainerCallback):
    """Whenever the trainer logs a step, append some replies to a jsonl, with that step.

    Args:
        file: one line a reply.
        replies: what to show; called in the first process only.
    """

    def __init__(self, file: Path, replies: Callable[[], Sequence[dict]]) -> None:
        self.file = file
        self.replies = replies

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict | None = None,
        **kwargs: object,
    ) -> None:
        if state.is_world_process_zero and "loss" in (logs or {}):
            Journal(self.file).append(*({"step": state.global_step, **reply} for reply in self.replies()))


class TrainingBar(TrainerCallback):
    """One progress bar over all steps, with the latest of `shown` metrics (name in the log -> name in the bar).

    Use with `attach`: it takes the place of the trainer's own bars, which open one more for every validation.
    """

    def __init__(self, label: str, shown: dict[str, str]) -> None:
        self.label = label
        self.shown = shown
        self.latest: dict[str, str] = {}
        self.bar: tqdm | None = None

    def attach(self, trainer: Trainer) -> None:
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(self)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if state.is_world_process_zero:
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc=self.label, unit="step")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if self.bar is not None:
            self.bar.update(state.global_step - self.bar.n)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict | None = None,
        **kwargs: object,
    ) -> None:
        self.latest |= {name: f"{logs[key]:.3g}" for key, name in self.shown.items() if key in (logs or {})}
        if self.bar is not None:
            self.bar.set_postfix(self.latest)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if self.bar is not None:
            self.bar.close()


class StopOnInterrupt(TrainerCallback):
    """After Ctrl-C: finish the step, save, leave; of several processes, which hear of it at different steps, all.

    Args:
        flag: raised by Ctrl-C.
        every: leave only after so many steps or a multiple of it, where others cannot be resumed from exactly.
    """

    def __init__(self, flag: InterruptFlag, every: int = 1) -> None:
        self.flag = flag
        self.every = every

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> TrainerControl:
        if state.global_step % self.every == 0 and self._raised_anywhere(args):
            self.flag.raised = True
            control.should_save = True
            control.should_training_stop = True
        return control

    def _raised_anywhere(self, args: TrainingArguments) -> bool:
        (raised,) = Processes(args.process_index, args.world_size, args.device).largest(float(self.flag.raised))
        return raised > 0


class ValidateEvery(TrainerCallback):
    """Ask for a validation after epoch `start`, `start + interval`, ... and after the last one."""

    def __init__(self, start: int, interval: int) -> None:
        self.start = start
        self.interval = interval

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> TrainerControl:
        epoch = _finished_epoch(state)
        if epoch is None:
            return control
        due = epoch >= self.start and (epoch - self.start) % self.interval == 0
        control.should_evaluate = due or state.global_step >= state.max_steps
        return control


class KeepBest(TrainerCallback):
    """Write a checkpoint whenever a validation is the best so far.

    Args:
        criterion: what decides.
        save: writes the best checkpoint; gets the metrics of this validation. Every process calls it.
        best: `Criterion.badness` of the best of an earlier, resumed part of the run.
    """

    def __init__(self, criterion: Criterion, save: Callable[[dict[str, float]], None], best: float | None) -> None:
        self.criterion = criterion
        self.save = save
        self.best = math.inf if best is None else best

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: object,
    ) -> None:
        badness = self.criterion.badness(metrics or {})
        if badness < self.best:
            self.best = badness
            self.save(metrics)


class StopWithoutGain(TrainerCallback):
    """End the run after `patience` validations in a row that were no better than an earlier one.

    It reads the trainer's own history, which a resumed run has too, so that it ends where a straight one would.
    """

    def __init__(self, criterion: Criterion, patience: int) -> None:
        self.criterion = criterion
        self.patience = patience

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        values = [self.criterion.badness(row) for row in state.log_history if "eval_loss" in row]
        if values and len(values) - 1 - values.index(min(values)) >= self.patience:
            control.should_training_stop = True


class AfterEpoch(TrainerCallback):
    """Call `act(epoch)` after each epoch, counted from 0, in every process."""

    def __init__(self, act: Callable[[int], None]) -> None:
        self.act = act

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        epoch = _finished_epoch(state)
        if epoch is not None:
            self.act(epoch)


def _finished_epoch(state: TrainerState) -> int | None:
    """Number of the epoch that has just ended, from 0; None when it was cut short by an interrupt."""
    epoch = state.epoch or 0.0
    whole = round(epoch)
    return whole - 1 if abs(epoch - whole) < 1e-3 else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
