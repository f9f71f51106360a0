"""Supervised fine-tuning from rows to checkpoints."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, set_seed
from transformers.trainer_utils import get_last_checkpoint
from trl import SFTConfig

from dataset.cot.samples import CotSamples
from dataset.cot.training_rows import task_rows
from models.policy.adapters import LoraSize, add_sft_adapter, full_part, lora_part, refuse_spread_weights
from models.policy.callbacks import (
    AfterEpoch,
    KeepBest,
    RunLog,
    StopOnInterrupt,
    StopWithoutGain,
    TrainingBar,
    ValidateEvery,
)
from models.policy.checkpoint import load_checkpoint, save_checkpoint
from models.policy.policy import Start
from models.sft.batch import SupervisionCollator, SupervisionConfig
from models.sft.trainer import WeightedSFTTrainer
from utils.errors import InputError
from utils.metrics.criteria import CRITERIA, Criterion
from utils.plots import plot_learning_curves
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag

_ABOUT_THE_MACHINE = ("_runtime", "_per_second", "_num_tokens", "_preparation_time")
# Metrics of the replies of a model in training, for example FID; None: validation by loss only.
ReplyMetrics = Callable[[PreTrainedModel], dict[str, float]]


@dataclass(frozen=True)
class Validation:
    """When and how checkpoints are compared.

    Attributes:
        start, interval: first validated epoch, and epochs between two validations.
        patience: validations in a row without a gain that end the run; None: none do.
        best_by: what decides, a name of `utils.metrics.criteria.CRITERIA`.
        replies: measures replies at every validation; needed for every criterion but the loss.
    """

    start: int = 0
    interval: int = 1
    patience: int | None = None
    best_by: str = "loss"
    replies: ReplyMetrics | None = None

    @property
    def criterion(self) -> Criterion:
        return CRITERIA[self.best_by]


@dataclass(frozen=True)
class TrainingData:
    """Rows that are trained on and validated; each serves every task of `tasks` that it is usable for.

    Attributes:
        t2m_share: share of t2m among the rows of an epoch of both tasks; None: as many as there are.
    """

    train: CotSamples
    validation: CotSamples
    tasks: tuple[str, ...]
    t2m_share: float | None = None

    def __post_init__(self) -> None:
        if self.t2m_share is not None and len(self.tasks) < 2:
            raise InputError(f"--t2m-share mixes two tasks, but only {self.tasks[0]} is trained")


def supervise(
    start: Start,
    data: TrainingData,
    trainer_config: SFTConfig,
    supervision: SupervisionConfig,
    lora: LoraSize | None,
    validation: Validation,
    run: RunFolder,
    interrupt: InterruptFlag,
) -> dict[str, float | str]:
    """Train and write ``motionllm_{name}_latest.pth``, ``_best.pth`` and learning_curves.png.

    Args:
        start: backbone with motion tokens, and the checkpoint that what is trained is added to.
        lora: size of the adapter; None trains every weight.
        run: where checkpoints, logs and the trainer's state for resuming go.

    Returns:
        the best validation's numbers and the best checkpoint's path; without a best one the latest's path
    """
    if lora is not None:
        refuse_spread_weights()
    vocabulary, tasks = start.vocabulary, data.tasks
    name = tasks[0] if len(tasks) == 1 else "both"
    latest, best = (run.path / f"motionllm_{name}_{kind}.pth" for kind in ("latest", "best"))
    set_seed(trainer_config.seed)  # draws the adapter
    trained = start.model if lora is None else add_sft_adapter(start.model, vocabulary, lora)

    def save(path: Path, metrics: dict[str, float]) -> None:
        # Of full weights every process may hold a share; an adapter is whole everywhere (`spread_weights`).
        state = trainer.gathered_state() if lora is None else {}
        if trainer.is_world_process_zero():
            about: dict[str, Any] = {"stage": "sft", "use_reasoning": supervision.use_reasoning}
            part = full_part(state, tasks, **about) if lora is None else lora_part(trained, tasks, **about)
            save_checkpoint(path, replace(start.checkpoint.with_part(part), metrics=metrics))

    criterion = validation.criterion
    seed = trainer_config.seed
    trainer = WeightedSFTTrainer(
        model=trained,
        args=trainer_config,
        train_dataset=task_rows(data.train, tasks, data.t2m_share, seed),
        eval_dataset=task_rows(data.validation, tasks),
        data_collator=SupervisionCollator(data.train, vocabulary, supervision, seed),
        processing_class=vocabulary.tokenizer,
        callbacks=[
            RunLog(run),
            StopOnInterrupt(interrupt),
            ValidateEvery(validation.start, validation.interval),
            KeepBest(criterion, lambda metrics: save(best, _kept(metrics)), _best_so_far(best, criterion)),
            AfterEpoch(lambda epoch: save(latest, {"epoch": float(epoch)})),
            *([] if validation.patience is None else [StopWithoutGain(criterion, validation.patience)]),
        ],
    )
    trainer.eval_collator = SupervisionCollator(
        data.validation, vocabulary, replace(supervision, reflection_share=0.0), 0
    )
    trainer.reply_metrics = validation.replies
    for weight in trained.parameters():
        if weight.requires_grad:  # trl makes those on a 4-bit backbone bf16, where small steps round to nothing
            weight.data = weight.data.float()
    shown = {"loss": "loss", "mean_token_accuracy": "accuracy", "tokens_per_second": "token/s", "eval_loss": "val_loss"}
    TrainingBar(f"SFT {name}", {**shown, criterion.logged: f"val_{criterion.name}"}).attach(trainer)
    trainer.train(resume_from_checkpoint=_last_state(trainer_config.output_dir))
    if interrupt.raised:
        save(latest, {"step": float(trainer.state.global_step)})
        return {}
    if not trainer.is_world_process_zero():
        return {}
    plot_learning_curves(run.path / "metrics.jsonl", run.path / "learning_curves.png", f"SFT {name}")
    if not best.is_file():
        logging.warning(
            "no validation could compute %s, so there is no best checkpoint, only the latest", criterion.name
        )
        return {"latest": str(latest)}
    return {**load_checkpoint(best).metrics, "best": str(best)}


def _kept(metrics: dict[str, float]) -> dict[str, float]:
    """Of a validation's numbers those that describe the checkpoint, as ``val_loss``, ``val_token_accuracy``, ..."""
    names = (name for name in metrics if name.startswith("eval_") and not name.endswith(_ABOUT_THE_MACHINE))
    return {f"val_{name.removeprefix('eval_')}": metrics[name] for name in names}


def _last_state(folder: str) -> str | None:
    """The trainer's own checkpoint to resume from; None on a fresh start."""
    return get_last_checkpoint(folder) if Path(folder).is_dir() else None


def _best_so_far(path: Path, criterion: Criterion) -> float | None:
    if not path.is_file():
        return None
    kept = load_checkpoint(path).metrics
    return criterion.badness({criterion.logged: kept.get(f"val_{criterion.name}", float("nan"))})
