"""Supervised fine-tuning from rows to checkpoints."""

import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import set_seed
from trl import SFTConfig

from dataset.cot.training_rows import TrainingData, task_rows
from models.policy.adapters import LoraSize, add_sft_adapter, full_part, lora_part, refuse_spread_weights
from models.policy.callbacks import AfterEpoch, KeepBest, SaveEvery, StopOnInterrupt, StopWithoutGain, ValidateEvery
from models.policy.checkpoint import Part, metrics_of, save_checkpoint
from models.policy.logs import RunLog, TrainingBar
from models.policy.loop import train_to_the_end
from models.policy.policy import Policy
from models.policy.resumable import settings_of_trl
from models.sft.batch import SupervisionCollator
from models.sft.config import SupervisionConfig
from models.sft.lengths import batches_of_a_step
from models.sft.trainer import ReplyMetrics, WeightedSFTTrainer
from utils.errors import InputError
from utils.metrics.criteria import CRITERIA, Criterion
from utils.plots import plot_learning_curves
from utils.run.session import Session

_ABOUT_THE_MACHINE = ("_runtime", "_per_second", "_num_tokens", "_preparation_time")


@dataclass(frozen=True)
class Validation:
    """When and how checkpoints are compared.

    Attributes:
        start, interval: first validated epoch, and epochs between two validations.
        patience: validations in a row without a gain that end the run; None: none do.
        best_by: what decides, a name of `utils.metrics.criteria.CRITERIA`.
        replies: measures replies at every validation; needed for every criterion but the loss. None: no replies.
    """

    start: int = 0
    interval: int = 1
    patience: int | None = None
    best_by: str = "loss"
    replies: ReplyMetrics | None = None

    @property
    def criterion(self) -> Criterion:
        return CRITERIA[self.best_by]


@dataclass(frozen=True, eq=False)
class SftPlan:
    """How supervised fine-tuning goes about it.

    Attributes:
        trainer: trl's settings: epochs, batches, learning rate, where its state is kept.
        lora: size of the adapter; None trains every weight.
        save_minutes: between two states of the trainer inside an epoch; infinite: only its end has one.
        token_learning_rate: of the rows of new tokens beside an adapter; None: that of the adapter.
        reply_tokens: longest reply that the samples show; the checkpoint tells it. None: not known.
        settings_file: holds settings of the user's own, which trl may refuse; None: there are none.
        length_groups: samples of a step are of about one length.
        tokens_per_step: as many batches are added up to a step as come nearest to it; None: as `trainer` says.
    """

    trainer: SFTConfig
    lora: LoraSize | None
    save_minutes: float = math.inf
    settings_file: str | None = None
    token_learning_rate: float | None = None
    reply_tokens: int | None = None
    length_groups: bool = False
    tokens_per_step: int | None = None


def supervise(
    policy: Policy,
    data: TrainingData,
    supervision: SupervisionConfig,
    validation: Validation,
    plan: SftPlan,
    session: Session,
) -> dict[str, float | str] | None:
    """Train and write ``motionllm_{name}_latest.pth``, ``_best.pth`` and learning_curves.png.

    Args:
        policy: what is trained; its checkpoint gets one more part.
        session: checkpoints, logs and the trainer's state for resuming go into its folder.

    Returns:
        the best validation's numbers and the best checkpoint's path; without a best one the latest's path. An empty
        dict in all processes but the first; None where the training was interrupted.

    Raises:
        InputError: the training diverges, or trl refuses its settings.
    """
    if plan.lora is not None:
        refuse_spread_weights(plan.trainer)
    folder, name = session.folder, data.tasks[0] if len(data.tasks) == 1 else "both"
    latest, best = (folder.path / f"motionllm_{name}_{kind}.pth" for kind in ("latest", "best"))
    trainer = _make_trainer(policy, data, supervision, validation, plan)

    def save(path: Path, metrics: dict[str, float]) -> None:
        part = _trained_part(trainer, data.tasks, plan, supervision.use_reasoning)
        if part is not None:
            save_checkpoint(path, replace(policy.checkpoint.with_part(part), metrics=metrics))

    # What happens beside the loop: logs, validations, checkpoints, one bar.
    criterion = validation.criterion
    for callback in (
        RunLog(folder),
        StopOnInterrupt(session.interrupt),
        SaveEvery(plan.save_minutes),
        ValidateEvery(validation.start, validation.interval),
        KeepBest(criterion, lambda metrics: save(best, _kept(metrics)), _best_so_far(best, criterion)),
        AfterEpoch(lambda epoch: save(latest, {"epoch": float(epoch)})),
        *([] if validation.patience is None else [StopWithoutGain(criterion, validation.patience)]),
    ):
        trainer.add_callback(callback)
    shown = {"loss": "loss", "mean_token_accuracy": "accuracy", "tokens_per_second": "token/s", "eval_loss": "val_loss"}
    TrainingBar(f"SFT {name}", {**shown, criterion.logged: f"val_{criterion.name}"}).attach(trainer)

    if not train_to_the_end(trainer, session.interrupt, lambda metrics: save(latest, metrics)):
        return None
    if not trainer.is_world_process_zero():
        return {}
    if not latest.is_file():
        raise InputError(f"{folder.path}: the training has taken no step: give more data, or a smaller batch")
    plot_learning_curves(folder.path / "metrics.jsonl", folder.path / "learning_curves.png", f"SFT {name}")
    if best.is_file():
        return {**metrics_of(best), "best": str(best)}
    logging.warning("no validation could compute %s, so there is no best checkpoint, only the latest", criterion.name)
    return {"latest": str(latest)}


def _make_trainer(
    policy: Policy, data: TrainingData, supervision: SupervisionConfig, validation: Validation, plan: SftPlan
) -> WeightedSFTTrainer:
    language, seed = policy.language, plan.trainer.seed
    set_seed(seed)  # draws the adapter
    model = policy.model
    if plan.lora is not None:
        model = add_sft_adapter(model, language.vocabulary, plan.lora)
    # Rows name a line and a task only; the collators hold the samples and read them lazily.
    train_rows = task_rows(data.train, data.tasks, data.t2m_share, seed)
    unshown = replace(supervision, reflection_share=0.0)
    collator, config = SupervisionCollator(data.train, language, supervision, seed), plan.trainer
    if plan.tokens_per_step is not None:
        samples = config.per_device_train_batch_size * config.world_size
        batches = batches_of_a_step(plan.tokens_per_step, collator, train_rows, samples)
        config.gradient_accumulation_steps = batches
        logging.info("a step: %d times %d samples, which come nearest to --tokens-per-step", batches, samples)
    with settings_of_trl(plan.settings_file):
        trainer = WeightedSFTTrainer(
            model=model,
            args=config,
            train_dataset=train_rows,
            eval_dataset=task_rows(data.validation, data.tasks),
            data_collator=collator,
            eval_collator=SupervisionCollator(data.validation, language, unshown, 0),
            reply_metrics=validation.replies,
            token_learning_rate=plan.token_learning_rate,
            lengths=data.train.rough_lengths()[train_rows["row"]] if plan.length_groups else None,
            settings_file=plan.settings_file,
            processing_class=language.vocabulary.tokenizer,
        )
    for weight in model.parameters():
        if weight.requires_grad:  # trl makes those on a 4-bit backbone bf16, where small steps round to nothing
            weight.data = weight.data.float()
    return trainer


def _trained_part(
    trainer: WeightedSFTTrainer, tasks: tuple[str, ...], plan: SftPlan, use_reasoning: bool
) -> Part | None:
    """What is trained, as it is now; None in all processes but the first. Every process must call it."""
    # Of full weights every process may hold a share; an adapter is whole everywhere (`refuse_spread_weights`).
    state = trainer.gathered_state() if plan.lora is None else {}
    if not trainer.is_world_process_zero():
        return None
    about = {"use_reasoning": use_reasoning, "reply_tokens": plan.reply_tokens}
    if plan.lora is None:
        return full_part(state, tasks, "sft", **about)
    return lora_part(trainer.accelerator.unwrap_model(trainer.model), tasks, "sft", **about)


def _kept(metrics: dict[str, float]) -> dict[str, float]:
    """Of a validation's numbers those that describe the checkpoint, as ``val_loss``, ``val_token_accuracy``, ..."""
    names = (name for name in metrics if name.startswith("eval_") and not name.endswith(_ABOUT_THE_MACHINE))
    return {f"val_{name.removeprefix('eval_')}": metrics[name] for name in names}


def _best_so_far(path: Path, criterion: Criterion) -> float | None:
    if not path.is_file():
        return None
    kept = metrics_of(path)
    return criterion.badness({criterion.logged: kept.get(f"val_{criterion.name}", float("nan"))})
