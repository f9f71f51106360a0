"""What of a training is shown and written down while trl's loops run: metrics, replies, one bar."""

from collections.abc import Callable, Sequence
from pathlib import Path

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
from utils.files.json_files import is_number
from utils.progress import Progress
from utils.run.folder import RunFolder
from utils.run.scalar_log import ScalarLog


class RunLog(TrainerCallback):
    """Every row of metrics that the trainer logs goes to metrics.jsonl; a run that continues from a state forgets the
    rows after it, and writes them again.

    It also goes to TensorBoard where its package is installed, and to `extra` where that is given.
    """

    def __init__(self, run: RunFolder, extra: Callable[[dict], None] | None = None) -> None:
        self.scalars = ScalarLog(run)
        self.extra = extra

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if state.is_world_process_zero:
            self.scalars.forget_after(state.global_step)

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
        self.write({"step": state.global_step, **{name: value for name, value in logs.items() if is_number(value)}})

    def write(self, row: dict[str, float]) -> None:
        """Log numbers that the trainer does not know of; the row must have a ``step``. First process only."""
        self.scalars.log(row)
        if self.extra is not None:
            self.extra(row)


class ReplyLog(TrainerCallback):
    """Whenever the trainer logs a step, append some replies to a jsonl, with that step; a run that continues forgets
    those of later steps than its own.

    Args:
        file: one line a reply.
        replies: what to show; called in the first process only.
    """

    def __init__(self, file: Path, replies: Callable[[], Sequence[dict]]) -> None:
        self.journal = Journal(file)
        self.replies = replies

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if state.is_world_process_zero:
            self.journal.forget_after(state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict | None = None,
        **kwargs: object,
    ) -> None:
        if state.is_world_process_zero and "loss" in (logs or {}):
            self.journal.append(*({"step": state.global_step, **reply} for reply in self.replies()))


class TrainingBar(TrainerCallback):
    """One progress bar over all steps, with the latest of `shown` metrics (name in the log -> name in the bar).

    Use with `attach`: it takes the place of the trainer's own bars, which open one more for every validation.
    """

    def __init__(self, label: str, shown: dict[str, str]) -> None:
        self.label = label
        self.shown = shown
        self.latest: dict[str, str] = {}
        self.bar: Progress | None = None

    def attach(self, trainer: Trainer) -> None:
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(self)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if state.is_world_process_zero:
            self.bar = Progress(total=state.max_steps, initial=state.global_step, desc=self.label, unit="step")

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
        # A number that could not be computed is None: the reward of replies that no reward applies to.
        numbers = {key: value for key, value in (logs or {}).items() if is_number(value)}
        self.latest |= {name: f"{numbers[key]:.3g}" for key, name in self.shown.items() if key in numbers}
        if self.bar is not None:
            self.bar.set_postfix(self.latest)

    def close(self) -> None:
        """End the bar's line, so that what is printed next has one of its own."""
        if self.bar is not None:
            self.bar.close()
