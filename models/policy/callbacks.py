"""What happens around trl's training loops: validations, our checkpoints, states to go on from, a gentle stop."""

import logging
import math
import time
from collections.abc import Callable

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from utils.metrics.criteria import Criterion
from utils.run.interrupt import InterruptFlag, Stopped
from utils.run.launcher import launched_as_main, launched_processes, launcher_patience
from utils.run.processes import Processes


class StopOnInterrupt(TrainerCallback):
    """After Ctrl-C: finish the step, save, leave; of several processes, which hear of it at different steps, all.

    Args:
        flag: raised by Ctrl-C.
        every: leave only after so many steps or a multiple of it, where others cannot be resumed from exactly.
    """

    def __init__(self, flag: InterruptFlag, every: int = 1) -> None:
        self.flag = flag
        self.every = every

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if anywhere(self.flag.raised, args):  # in what was done before the first step, which leaves nothing to save
            raise Stopped

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> TrainerControl:
        if state.global_step % self.every == 0 and anywhere(self.flag.raised, args):
            self.flag.raised = True
            control.should_save = _ended_epoch(state) is None  # what belongs to an epoch's end is done before it saves
            control.should_training_stop = True
        return control


class WarnOfLauncher(TrainerCallback):
    """Warn, once, of a step that a launcher would not let end after Ctrl-C."""

    def __init__(self) -> None:
        self._began = 0.0
        self._told = launched_processes() == 1 or not launched_as_main()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        self._began = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        seconds, patience = time.monotonic() - self._began, launcher_patience()
        if not self._told and seconds > patience:
            self._told = True
            logging.warning(
                "a step takes %.0f s, and the launcher kills its processes %.0f s after Ctrl-C: export "
                "TORCH_ELASTIC_SHUTDOWN_TIMEOUT=%.0f before you start it, or what was learned since the last state is "
                "lost",
                seconds,
                patience,
                5 * seconds,
            )


class FirstOfAll(TrainerCallback):
    """Call `act` before the first step of a run, in every process, when the model is where it will be trained.

    DeepSpeed moves it there at the beginning of the loop only; asked before, it would answer on the CPU.
    """

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if state.global_step == 0:
            self.act()


class SaveEvery(TrainerCallback):
    """Save the trainer's state inside an epoch too, when so many minutes have gone since the last time.

    Args:
        minutes: between two states.
        every: as in `StopOnInterrupt`.
    """

    def __init__(self, minutes: float, every: int = 1) -> None:
        self.seconds = 60 * minutes
        self.every = every
        self.saved_at = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        self.saved_at = time.monotonic()

    on_save = on_train_begin

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> TrainerControl:
        may_save = state.global_step % self.every == 0 and _ended_epoch(state) is None
        if may_save and anywhere(time.monotonic() - self.saved_at >= self.seconds, args):
            control.should_save = True
        return control


class ValidateEvery(TrainerCallback):
    """Ask for a validation after epoch `start`, `start + interval`, ... and after the last one."""

    def __init__(self, start: int, interval: int) -> None:
        self.start = start
        self.interval = interval

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> TrainerControl:
        epoch = _ended_epoch(state)
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


class EndsEarly(TrainerCallback):
    """May end a run before its last step; a state of such a run is one that no training goes on from."""

    def is_over(self, state: TrainerState) -> bool:
        """Whether a run of this history is at its end."""
        raise NotImplementedError


class StopWithoutGain(EndsEarly):
    """End the run after `patience` validations in a row that were no better than an earlier one.

    It reads the trainer's own history, which a resumed run has too, so that it ends where a straight one would.
    """

    def __init__(self, criterion: Criterion, patience: int) -> None:
        self.criterion = criterion
        self.patience = patience

    def is_over(self, state: TrainerState) -> bool:
        values = [self.criterion.badness(row) for row in state.log_history if "eval_loss" in row]
        return bool(values) and len(values) - 1 - values.index(min(values)) >= self.patience

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if self.is_over(state):
            control.should_training_stop = True


class AfterEpoch(TrainerCallback):
    """Call `act(epoch)` after each epoch, counted from 0, and its validation, in every process.

    The last epoch may be a part of one: it ends where training does.
    """

    def __init__(self, act: Callable[[int], None]) -> None:
        self.act = act
        self.waiting: int | None = None  # the epoch whose validation is asked for

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        epoch = _ended_epoch(state)
        if epoch is None:
            return
        if control.should_evaluate:
            self.waiting = epoch
        else:
            self.act(epoch)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if self.waiting is not None:
            epoch, self.waiting = self.waiting, None
            self.act(epoch)


class StopWhere(EndsEarly):
    """End the run after an epoch of which `over(step)` is true. It stands behind the `AfterEpoch` that finds that out.

    Args:
        over: whether the run is at its end after so many steps: the same answer in every process, and in a run that
            goes on from there.
    """

    def __init__(self, over: Callable[[int], bool]) -> None:
        self.over = over

    def is_over(self, state: TrainerState) -> bool:
        return self.over(state.global_step)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if self.is_over(state):
            control.should_training_stop = True


def _ended_epoch(state: TrainerState) -> int | None:
    """Number of the epoch that ends with this step, from 0, perhaps cut short by the end of all; None: none ends."""
    epoch = float(state.epoch or 0.0)
    if not epoch.is_integer() and state.global_step < state.max_steps:
        return None
    return math.ceil(epoch) - 1


def anywhere(happened: bool, args: TrainingArguments) -> bool:
    """Whether it happened in any process: the same answer in all, which must all ask."""
    (found,) = Processes(args.process_index, args.world_size, args.device).largest(float(happened))
    return found > 0
