"""Runs the loop of one of trl's trainers from its last state to its end, or to Ctrl-C."""

from collections.abc import Callable
from pathlib import Path

from transformers import Trainer
from transformers.trainer_utils import get_last_checkpoint

from utils.run.interrupt import InterruptFlag


def train_to_the_end(
    trainer: Trainer, interrupt: InterruptFlag, save_latest: Callable[[dict[str, float]], None]
) -> bool:
    """Train from the trainer's own last state on, or from the start where there is none.

    After Ctrl-C the step is finished and `save_latest` writes a checkpoint of the weights as they are; every process
    calls it.

    Returns:
        False where an interrupt ended it before its end
    """
    folder = trainer.args.output_dir
    with interrupt:
        trainer.train(resume_from_checkpoint=get_last_checkpoint(folder) if Path(folder).is_dir() else None)
        if interrupt.raised:
            save_latest({"step": float(trainer.state.global_step)})
            return False
    return True
