"""Our flags -> trl's SFTConfig and GRPOConfig. The only place where the two vocabularies meet."""

from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml
from transformers import TrainingArguments
from transformers.integrations import get_available_reporting_integrations
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from transformers.training_args import ParallelMode
from trl import GRPOConfig, SFTConfig

from options.flags.training import TrainingFlags
from options.train import TrainSettings
from utils.errors import InputError
from utils.run.folder import RunFolder

Config = TypeVar("Config", bound=TrainingArguments)

TRAINER_STATE = "trainer_state"  # folder of a run in which trl's trainer keeps what it needs to go on


def sft_config(settings: TrainSettings, folder: RunFolder) -> SFTConfig:
    """Supervised fine-tuning: our collator and weights, trl's loop."""
    training, sft = settings.training, settings.sft
    epochs = sft.epochs_m2t if training.training_task == "m2t" else sft.epochs_t2m
    fields: dict[str, Any] = {
        **_shared(settings, folder),
        "num_train_epochs": epochs,
        "per_device_train_batch_size": training.batch_size,
        "per_device_eval_batch_size": max(training.batch_size, 16),
        "lr_scheduler_type": training.lr_schedule or "cosine",
        "dataloader_num_workers": settings.data.cot_num_workers,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "max_length": None,
        "packing": False,
        "loss_type": "nll",
        "prediction_loss_only": True,
    }
    return _on_one_gpu(SFTConfig(**_with_extra(fields, training, SFTConfig)))


def grpo_config(settings: TrainSettings, reward_weights: list[float], folder: RunFolder) -> GRPOConfig:
    """GRPO: group size, KL, clipping and reward aggregation by the published flags."""
    training, rl = settings.training, settings.rl
    completions = training.batch_size * rl.rl_group_size
    if completions % training.gradient_accumulation:
        raise InputError(
            f"--gradient-accumulation {training.gradient_accumulation} must divide --batch-size x --rl-group-size "
            f"= {completions}"
        )
    aggregation = "sum_then_normalize" if rl.disable_rl_component_norm else "normalize_then_sum"
    fields: dict[str, Any] = {
        **_shared(settings, folder),
        "num_train_epochs": rl.rl_epochs,
        "per_device_train_batch_size": completions // training.gradient_accumulation,
        "num_generations": rl.rl_group_size,
        "max_completion_length": settings.max_reply_tokens,
        "beta": rl.rl_kl_coef,
        "epsilon": rl.rl_clip_eps,
        "multi_objective_aggregation": aggregation,
        "scale_rewards": rl.rl_scale_rewards,
        "reward_weights": reward_weights,
        "temperature": rl.rl_temperature,
        "top_p": rl.rl_top_p,
        "top_k": 0,
        "loss_type": "dapo",
        "lr_scheduler_type": training.lr_schedule or "constant_with_warmup",
        "log_completions": False,
    }
    return _on_one_gpu(GRPOConfig(**_with_extra(fields, training, GRPOConfig)))


def _on_one_gpu(config: Config) -> Config:
    """Of several GPUs that one process sees it uses the first; all of them are a matter of `accelerate launch`.

    Left alone, transformers spreads batches over threads (DataParallel), which trl's fused head cannot.
    """
    if config.parallel_mode == ParallelMode.NOT_DISTRIBUTED:
        config._n_gpu = 1
    return config


def _shared(settings: TrainSettings, folder: RunFolder) -> dict[str, Any]:
    """Fields of both stages."""
    run, training = settings.run, settings.training
    on_gpu = settings.device.type == "cuda"
    return {
        "output_dir": str(folder.path / TRAINER_STATE),
        "learning_rate": training.learning_rate,
        "gradient_accumulation_steps": training.gradient_accumulation,
        "seed": run.seed,
        "data_seed": run.seed,
        "bf16": settings.dtype is torch.bfloat16,
        "warmup_steps": training.warm_up,
        "max_grad_norm": training.max_grad_norm,
        "weight_decay": training.weight_decay,
        "activation_checkpointing": on_gpu,
        "gradient_checkpointing": None,  # trl's default for the deprecated name would win over the new one
        "ddp_find_unused_parameters": False,
        "use_cpu": settings.device.type == "cpu",
        "dataloader_pin_memory": on_gpu,
        "logging_steps": training.print_iter,
        "save_strategy": "epoch",
        "save_total_limit": 1,
        "remove_unused_columns": False,
        "report_to": _trackers(training.report_to),
        "run_name": run.exp_name,
        "disable_tqdm": True,  # models.policy.callbacks.TrainingBar shows one bar instead of many
    }


def _trackers(names: str) -> list[str]:
    """Names of --report-to whose packages are there, so that a run does not find out at its first log."""
    wanted = [name for name in (part.strip() for part in names.split(",")) if name not in ("", "none")]
    known, installed = list(INTEGRATION_TO_CALLBACK), get_available_reporting_integrations()
    for name in wanted:
        if name not in known:
            raise InputError(f"--report-to {name}: not known, expected some of {', '.join(sorted(known))}")
        if name not in installed:
            raise InputError(f"--report-to {name}: its package is not installed (pip install {name.replace('_', '-')})")
    return wanted


def _with_extra(fields: dict[str, Any], training: TrainingFlags, config: type) -> dict[str, Any]:
    """Fields of --trainer-config over ours."""
    if training.trainer_config is None:
        return fields
    file = Path(training.trainer_config)
    if not file.is_file():
        raise InputError(f"--trainer-config: no such file: {file}")
    extra = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    unknown = sorted(set(extra) - set(config.__dataclass_fields__))
    if unknown:
        raise InputError(f"--trainer-config {file}: {config.__name__} has no field {', '.join(unknown)}")
    return {**fields, **extra}
