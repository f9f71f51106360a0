"""Runs the loop of one of trl's trainers from its last state to its end, or to Ctrl-C."""

from collections.abc import Callable
from pathlib import Path

from transformers import Trainer
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from utils.run.interrupt import InterruptFlag


def train_to_the_end(
    trainer: Trainer, interrupt: InterruptFlag, save_latest: Callable[[dict[str, float]], None]
) -> bool:
    """Train from the trainer's own last whole state on, or from the start where there is none.

    After Ctrl-C the step is finished and `save_latest` writes a checkpoint of the weights as they are; every process
    calls it. Where that step was the last one, the training is at its end all the same.

    Returns:
        False where an interrupt ended it before its end
    """
    with interrupt:
        trainer.train(resume_from_checkpoint=last_state(Path(trainer.args.output_dir)))
        if interrupt.raised and trainer.state.global_step < trainer.state.max_steps:
            save_latest({"step": float(trainer.state.global_step)})
            return False
    return True


def last_state(folder: Path) -> str | None:
    """The folder ``checkpoint-STEP`` of the latest step that is whole: a kill while one is written leaves a part of it.

    `Trainer._save_checkpoint` writes trainer_state.json last.
    """
    states = {
        int(step): state
        for state in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*")
        if (step := state.name.removeprefix(f"{PREFIX_CHECKPOINT_DIR}-")).isdigit()
        and (state / TRAINER_STATE_NAME).is_file()
    }
    return str(states[max(states)]) if states else None
