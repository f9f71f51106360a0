"""Runs the loop of one of our trainers from its last state to its end, or to Ctrl-C."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from transformers import TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from models.policy.callbacks import EndsEarly, WarnOfLauncher, anywhere
from models.policy.logs import TrainingBar
from models.policy.resumable import ResumableTrainer
from utils.run.interrupt import InterruptFlag

Found = TypeVar("Found")


def train_to_the_end(
    trainer: ResumableTrainer, interrupt: InterruptFlag, save_latest: Callable[[dict[str, float]], None]
) -> bool:
    """Train from the trainer's own last whole state on, or from the start where there is none.

    After Ctrl-C the step is finished and `save_latest` writes a checkpoint of the weights as they are; every process
    calls it. Where that step was the last one, the training is at its end all the same. Several processes do the same,
    whichever of them heard the signal, and none leaves before all have written.

    Returns:
        False where an interrupt ended it before its end

    Raises:
        InputError: the training diverges, or another number of processes wrote the last state.
        Stopped: an interrupt came before the first step, which leaves nothing to save.
    """
    trainer.add_callback(WarnOfLauncher())
    with interrupt:
        state = trainer.newest_state()
        if state is not None and _is_over(trainer, state):
            return True  # killed between its last state and its last line
        try:
            trainer.train(resume_from_checkpoint=None if state is None else str(state))
        finally:
            for bar in _callbacks(trainer, TrainingBar):
                bar.close()
        # A signal that came too late for its step to hear of it is agreed on here.
        if anywhere(interrupt.raised, trainer.args) and trainer.state.global_step < trainer.state.max_steps:
            save_latest({"step": float(trainer.state.global_step)})
            trainer.accelerator.wait_for_everyone()  # of those that leave earlier the launcher would kill the others
            return False
    return True


def _is_over(trainer: ResumableTrainer, folder: Path) -> bool:
    """Whether no step is left after a state: the loop would take one more."""
    state = TrainerState.load_from_json(str(folder / TRAINER_STATE_NAME))
    if state.global_step >= state.max_steps:
        return True
    return any(stop.is_over(state) for stop in _callbacks(trainer, EndsEarly))


def _callbacks(trainer: ResumableTrainer, kind: type[Found]) -> list[Found]:
    return [found for found in trainer.callback_handler.callbacks if isinstance(found, kind)]
