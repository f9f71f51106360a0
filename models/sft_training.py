"""Supervised fine-tuning from rows to checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel
from transformers.trainer_utils import get_last_checkpoint
from trl import SFTConfig

from dataset.cot_samples import CotSamples
from models.checkpoints import Checkpoint, adapter_of, load_checkpoint, save_checkpoint
from models.motion_vocabulary import MotionVocabulary
from models.peft_patch import let_wrapped_heads_answer_bias
from models.sft_batch import SupervisionCollator, SupervisionConfig
from models.sft_trainer import WeightedSFTTrainer
from models.training_callbacks import (
    AfterEpoch,
    KeepBest,
    RunLog,
    StopOnInterrupt,
    StopWithoutGain,
    TrainingBar,
    ValidateEvery,
)
from utils.interrupt import InterruptFlag
from utils.run_folder import RunFolder

# Attention and MLP projections of Qwen (and of most decoder-only models).
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class LoraSize:
    r: int
    alpha: int
    dropout: float


@dataclass(frozen=True)
class Validation:
    """First validated epoch, epochs between two validations, and how many without a gain end the run (None: none)."""

    start: int
    interval: int
    patience: int | None = None


def add_sft_adapter(model: PreTrainedModel, vocabulary: MotionVocabulary, size: LoraSize) -> PeftModel:
    """LoRA on attention and MLP, and the rows of the new tokens; everything else stays frozen."""
    let_wrapped_heads_answer_bias()
    rows: dict[str, list[int]] = {"embed_tokens": vocabulary.new_ids}
    if not model.config.tie_word_embeddings:
        rows["lm_head"] = vocabulary.new_ids
    config = LoraConfig(
        r=size.r,
        lora_alpha=size.alpha,
        lora_dropout=size.dropout,
        target_modules=list(LORA_TARGETS),
        trainable_token_indices=rows if vocabulary.new_ids else None,
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def supervise(
    model: PreTrainedModel,
    vocabulary: MotionVocabulary,
    train: CotSamples,
    validation: CotSamples,
    tasks: Sequence[str],
    trainer_config: SFTConfig,
    supervision: SupervisionConfig,
    lora: LoraSize | None,
    checkpoint: Checkpoint,
    schedule: Validation,
    run: RunFolder,
    interrupt: InterruptFlag,
) -> dict[str, float | str]:
    """Train and write ``motionllm_{name}_latest.pth`` and ``_best.pth`` (by validation loss).

    Args:
        model: backbone with motion tokens.
        train, validation: rows; each serves every task of `tasks` that it is usable for.
        lora: size of the adapter; None trains every weight.
        checkpoint: what the file says besides its weights.
        run: where checkpoints, logs and the trainer's state for resuming go.

    Returns:
        the last validation's numbers and the best checkpoint's path
    """
    name = tasks[0] if len(tasks) == 1 else "both"
    latest, best = (run.path / f"motionllm_{name}_{kind}.pth" for kind in ("latest", "best"))
    trained = model if lora is None else add_sft_adapter(model, vocabulary, lora)

    def save(path: Path, metrics: dict[str, float]) -> None:
        # Clones: training goes on while the file is written, and tied weights are stored once.
        if lora is None:
            weights = {key: value.detach().cpu() for key, value in model.state_dict().items()}
            content = replace(checkpoint, base_weights=weights, metrics=metrics)
        else:
            content = replace(checkpoint, adapters=(*checkpoint.adapters, adapter_of(trained)), metrics=metrics)
        save_checkpoint(path, content)

    trainer = WeightedSFTTrainer(
        model=trained,
        args=trainer_config,
        train_dataset=task_rows(train, tasks),
        eval_dataset=task_rows(validation, tasks),
        data_collator=SupervisionCollator(train, vocabulary, supervision, trainer_config.seed),
        processing_class=vocabulary.tokenizer,
        callbacks=[
            RunLog(run),
            StopOnInterrupt(interrupt),
            ValidateEvery(schedule.start, schedule.interval),
            KeepBest(lambda metrics: save(best, metrics), _best_so_far(best)),
            AfterEpoch(lambda epoch: save(latest, {"epoch": float(epoch)})),
            *([] if schedule.patience is None else [StopWithoutGain(schedule.patience)]),
        ],
    )
    shown = {"loss": "loss", "mean_token_accuracy": "accuracy", "eval_loss": "val_loss"}
    TrainingBar(f"SFT {name}", shown).attach(trainer)
    trainer.eval_collator = SupervisionCollator(validation, vocabulary, replace(supervision, reflection_share=0.0), 0)
    trainer.train(resume_from_checkpoint=_last_state(trainer_config.output_dir))
    if interrupt.raised:
        save(latest, {"step": float(trainer.state.global_step)})
        return {}
    return {**load_checkpoint(best).metrics, "best": str(best)}


def task_rows(samples: CotSamples, tasks: Sequence[str]) -> Dataset:
    """One row {"row", "task"} per sample and task it is usable for; the collator reads the sample itself."""
    rows = [
        {"row": index, "task": task}
        for index, own in enumerate(samples.rows["task"])
        for task in tasks
        if own in ("", task)
    ]
    return Dataset.from_list(rows)


def _last_state(folder: str) -> str | None:
    """The trainer's own checkpoint to resume from; None on a fresh start."""
    return get_last_checkpoint(folder) if Path(folder).is_dir() else None


def _best_so_far(path: Path) -> float | None:
    return load_checkpoint(path).metrics["val_loss"] if path.is_file() else None
