"""Both stages hand their settings to trl here: what they share, --trainer-config on top, one GPU a process."""

from typing import Any, TypeVar

import torch
from transformers import TrainingArguments
from transformers.integrations import get_available_reporting_integrations
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from transformers.training_args import ParallelMode

from options.train import TrainSettings
from options.trainer_file import read_trainer_file
from utils.errors import InputError, first_line
from utils.run.folder import RunFolder

Config = TypeVar("Config", bound=TrainingArguments)

TRAINER_STATE = "trainer_state"  # folder of a run in which trl's trainer keeps what it needs to go on


def trainer_config(kind: type[Config], fields: dict[str, Any], settings: TrainSettings, folder: RunFolder) -> Config:
    """The configuration of trl's trainer for a stage.

    Args:
        kind: SFTConfig or GRPOConfig.
        fields: what the flags of the stage say; over what both stages share, and under those of --trainer-config.

    Raises:
        InputError: --trainer-config or --report-to names what is not there, or trl refuses what they say.
    """
    file = settings.training.trainer_config
    extra = {} if file is None else read_trainer_file(file, kind)
    try:
        config = kind(**{**_shared(settings, folder), **fields, **extra})
    except (ValueError, TypeError, AttributeError, ImportError, OSError, RuntimeError) as error:
        # Without the file a refusal would be a mistake of ours, unless it names what the machine lacks.
        if file is None and not isinstance(error, ValueError):
            raise
        source = "the flags" if file is None else f"--trainer-config {file}"
        raise InputError(f"{source}: {first_line(error)}") from error
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
        "logging_nan_inf_filter": False,  # models.policy.resumable stops there
        "ddp_find_unused_parameters": False,
        "use_cpu": settings.device.type == "cpu",
        "dataloader_pin_memory": on_gpu,
        "logging_steps": training.print_iter,
        "save_strategy": "epoch",
        "save_total_limit": 2,  # the last may be damaged
        "remove_unused_columns": False,
        "report_to": _trackers(training.report_to),
        "run_name": run.exp_name,
        "disable_tqdm": True,  # models.policy.logs.TrainingBar shows one bar instead of many
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
