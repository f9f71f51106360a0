"""Both stages hand their settings to trl here: what they share, --trainer-config on top, one GPU a process."""

from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml
from transformers import TrainingArguments
from transformers.integrations import get_available_reporting_integrations
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from transformers.training_args import ParallelMode

from options.flags.training import TrainingFlags
from options.train import TrainSettings
from utils.errors import InputError
from utils.files.text_files import read_text
from utils.run.folder import RunFolder

Config = TypeVar("Config", bound=TrainingArguments)

TRAINER_STATE = "trainer_state"  # folder of a run in which trl's trainer keeps what it needs to go on


def trainer_config(kind: type[Config], fields: dict[str, Any], settings: TrainSettings, folder: RunFolder) -> Config:
    """The configuration of trl's trainer for a stage.

    Args:
        kind: SFTConfig or GRPOConfig.
        fields: what the flags of the stage say; over what both stages share, and under those of --trainer-config.

    Raises:
        InputError: --trainer-config or --report-to names what is not there.
    """
    fields = {**_shared(settings, folder), **fields}
    config = kind(**_with_extra(fields, settings.training, kind))
    return _on_one_gpu(config)


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
    try:
        extra = yaml.safe_load(read_text(file)) or {}
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise InputError(f"--trainer-config {file}: not YAML ({problem})") from None
    if not isinstance(extra, dict):
        raise InputError(f"--trainer-config {file}: expected lines of NAME: VALUE, found {type(extra).__name__}")
    unknown = sorted(set(extra) - set(config.__dataclass_fields__))
    if unknown:
        raise InputError(f"--trainer-config {file}: {config.__name__} has no field {', '.join(unknown)}")
    return {**fields, **extra}
