"""Both stages hand their settings to trl here: what they share, --trainer-config on top, one GPU a process."""

import copy
import difflib
import inspect
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau
from transformers import GenerationConfig, SchedulerType, Trainer, TrainingArguments, get_scheduler
from transformers.integrations import get_available_reporting_integrations
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION
from transformers.training_args import OptimizerNames, ParallelMode
from transformers.utils import is_liger_kernel_available

from options.train import TrainSettings
from options.trainer_file import CHECKPOINTING, read_trainer_file
from utils.errors import InputError, first_line
from utils.run.folder import RunFolder

Config = TypeVar("Config", bound=TrainingArguments)

_OF_OPTIMIZERS = ("optim", "optim_args", "optim_target_modules", "adam_beta1", "adam_beta2", "adam_epsilon")
_OF_LOGS = ("log_level", "log_level_replica")
_OF_SCHEDULES = ("lr_scheduler_type", "lr_scheduler_kwargs")
# Optimisers that look at the model before they are made; the trainer tells of them.
_NEED_A_MODEL = ("galore", "apollo", "lomo", "adalomo")
_MANY_STEPS = 1_000_000  # no phase of a schedule is longer

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
    check_parts(config, extra, f"--trainer-config {file}")
    return _on_one_gpu(config)


def check_parts(config: TrainingArguments, given: Collection[str], where: str) -> None:
    """Try out what fields of --trainer-config ask for: the optimiser and the schedule on a weight of their own.

    The trainer makes them when everything is loaded; what is wrong with them is told by transformers, torch and
    packages that may not be installed, each in its own way.

    Args:
        given: names of the fields in the file.
        where: the beginning of an error message, which names the file.

    Raises:
        InputError: naming the fields.
    """
    if "use_liger_kernel" in given and config.use_liger_kernel and not is_liger_kernel_available():
        raise InputError(
            f"{where}: use_liger_kernel: its package is not installed (pip install liger-kernel): do that, or leave "
            "the field out"
        )
    if "fp16" in given and config.fp16 and config.use_cpu:
        raise InputError(
            f"{where}: fp16: a CPU has no training in float16: leave it out, or see --device and --precision"
        )
    with _of_fields(_OF_LOGS, given, where):
        config.get_process_log_level()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2, 2))], lr=config.learning_rate)
    with _of_fields(_OF_OPTIMIZERS, given, where):
        kind, settings = Trainer.get_optimizer_cls_and_kwargs(config)
        if not config.optim.startswith(_NEED_A_MODEL):
            optimizer = kind(optimizer.param_groups[0]["params"], **settings)
            _refuse_unread(config, [name for name in _OF_OPTIMIZERS if name in given])
    with _of_fields(_OF_SCHEDULES, given, where):
        _refuse_unknown(config.lr_scheduler_kwargs, _arguments_of(config.lr_scheduler_type), "the schedule takes no")
        schedule = get_scheduler(config.lr_scheduler_type, optimizer, 1, _MANY_STEPS, config.lr_scheduler_kwargs)
        if isinstance(schedule, ReduceLROnPlateau):
            raise ValueError("it needs a validation metric, which no schedule gets here")
        schedule.step()
    with _of_fields(("generation_kwargs",), given, where):
        _refuse_unknown(getattr(config, "generation_kwargs", None), vars(GenerationConfig()), "generation has no")


def _refuse_unread(config: TrainingArguments, fields: Collection[str]) -> None:
    """Raise ValueError for a field that makes no difference to the optimiser, though it is not at its default."""
    for name in fields:
        without, default = copy.copy(config), config.__dataclass_fields__[name].default
        setattr(without, name, default)
        same = Trainer.get_optimizer_cls_and_kwargs(without) == Trainer.get_optimizer_cls_and_kwargs(config)
        if name != "optim" and getattr(config, name) != default and same:
            raise ValueError(f"the optimiser {OptimizerNames(config.optim).value} does not read {name}")


def _arguments_of(schedule: str | SchedulerType) -> Collection[str]:
    """What --trainer-config may give a schedule: all that its function takes and transformers does not give it."""
    function = TYPE_TO_SCHEDULER_FUNCTION[SchedulerType(schedule)]
    arguments = inspect.signature(function).parameters.keys()
    return arguments - {"optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}


def _refuse_unknown(given: Collection[str] | None, known: Collection[str], refusal: str) -> None:
    """Raise ValueError for a name that transformers would pass over."""
    for name in given or ():
        if name not in known:
            like = difflib.get_close_matches(str(name), known, 1)
            raise ValueError(f"{refusal} {name}" + (f" (is {like[0]} meant?)" if like else ""))


@contextmanager
def _of_fields(fields: Collection[str], given: Collection[str], where: str) -> Iterator[None]:
    """Within it whatever fails is the fault of those `fields` that were given; without any it is one of ours."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no step is taken before that of the schedule
            yield
    except Exception as error:
        named = [name for name in fields if name in given]
        if not named:
            raise
        them = "them" if len(named) > 1 else "it"
        raise InputError(
            f"{where}: {', '.join(named)}: {first_line(error)}; leave {them} out, or give what transformers knows"
        ) from error


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
        "gradient_checkpointing": None,  # where there is a newer name, trl's default for this one would win over it
        CHECKPOINTING: on_gpu,
        "logging_nan_inf_filter": False,  # models.policy.resumable stops there
        "ddp_find_unused_parameters": False,
        "use_cpu": settings.device.type == "cpu",
        "dataloader_pin_memory": on_gpu,
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
