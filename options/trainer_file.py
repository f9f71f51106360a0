"""--trainer-config is read here: a YAML file of further fields of trl's configurations, each of which is checked."""

import difflib
import math
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from transformers import TrainingArguments
from trl import GRPOConfig

from utils.errors import InputError
from utils.files.json_files import is_number
from utils.files.yaml_files import read_yaml

# Fields that would break what this project does around trl's loop, or that it never reads, and what to use instead.
_ROWS = "batches are made of row numbers"
_HUB = "see prepare.export_hf"
_MODEL = "the model is loaded by --llm-backbone, or by the checkpoint that training starts from"
_METRICS = "no metrics of trl's are computed"
_COMMAND = "the command says what is done"
_OURS = {
    "output_dir": "see --out-dir and --exp-name",
    "seed": "see --seed",
    "use_cpu": "see --device",
    "report_to": "see --report-to",
    "disable_tqdm": "one bar shows the whole run",
    "save_strategy": "states are saved after every epoch and every --save-minutes",
    "save_steps": "see --save-minutes",
    "save_only_model": "a run could not be continued",
    "load_best_model_at_end": "the best checkpoint is a file of its own",
    "metric_for_best_model": "the best checkpoint is chosen by --best-by in SFT and --rl-best-by in GRPO",
    "greater_is_better": "the best checkpoint is chosen by --best-by in SFT and --rl-best-by in GRPO",
    "resume_from_checkpoint": "the same command continues a run",
    "ignore_data_skip": "a continued run would see data twice",
    "remove_unused_columns": _ROWS,
    "length_column_name": _ROWS,
    "label_names": _ROWS,
    "prediction_loss_only": "validations need it",
    "bf16_full_eval": "validations have the precision of the training, see --precision",
    "fp16_full_eval": "validations have the precision of the training, see --precision",
    "include_for_metrics": _METRICS,
    "batch_eval_metrics": _METRICS,
    "model_init_kwargs": _MODEL,
    "trust_remote_code": _MODEL,
    "do_train": _COMMAND,
    "do_eval": _COMMAND,
    "do_predict": _COMMAND,
    "push_to_hub": _HUB,
    "hub_token": _HUB,
    "hub_private_repo": _HUB,
    "hub_model_id": _HUB,
    "hub_strategy": _HUB,
    "hub_always_push": _HUB,
    "hub_revision": _HUB,
}
_WEIGHTED = "the loss is the cross-entropy with a weight per token, see --reasoning-weight and --motion-weight"
_LEARNED = "the reply is learned and the query is not, see --reasoning-weight and --motion-weight"
_SFT_VALIDATION = "see --epochs-start-val and --epochs-val-interval"
_OF_SFT = {
    "loss_type": _WEIGHTED,
    "label_smoothing_factor": _WEIGHTED,
    "average_tokens_across_devices": "the loss is divided by the weight of the whole step, on all devices",
    "router_aux_loss_coef": _WEIGHTED,
    "completion_only_loss": _LEARNED,
    "assistant_only_loss": _LEARNED,
    "eval_strategy": _SFT_VALIDATION,
    "eval_steps": _SFT_VALIDATION,
    "eval_delay": _SFT_VALIDATION,
    "chat_template_path": "see --prompt-style",
    "pad_token": "the text tokenizer's own token is used",
    "eos_token": "the text tokenizer's own token is used",
    "use_cache": "training needs no cache",
    "max_length": "see --max-text-len and --max-motion-len",
    "truncation_mode": "see --max-text-len and --max-motion-len",
    "dataset_kwargs": _ROWS,
    "dataset_text_field": _ROWS,
    "dataset_num_proc": _ROWS,
    "shuffle_dataset": "every epoch is shuffled, see --seed",
    "packing": _ROWS,
    "packing_strategy": _ROWS,
    "eval_packing": _ROWS,
    "padding_free": _ROWS,
    "pad_to_multiple_of": _ROWS,
}
_GRPO_VALIDATION = "see --rl-val-epochs, --rl-eval-prompts and --rl-eval-samples"
_VLLM = "trl would load the plain backbone, without motion tokens: see --engine vllm"
_OF_GRPO = {
    "use_vllm": _VLLM,
    "vllm_mode": _VLLM,
    "vllm_model_impl": _VLLM,
    "vllm_enable_sleep_mode": _VLLM,
    "vllm_structured_outputs_regex": "see --engine vllm and --constrain-grammar",
    "vllm_server_base_url": _VLLM,
    "vllm_server_host": _VLLM,
    "vllm_server_port": _VLLM,
    "vllm_server_timeout": _VLLM,
    "vllm_group_port": _VLLM,
    "vllm_max_model_length": _VLLM,
    "vllm_tensor_parallel_size": _VLLM,
    "reward_weights": "see --rewards",
    "data_seed": "see --seed",
    "label_smoothing_factor": "the loss is that of the policy, see loss_type",
    "chat_template_kwargs": "prompts are those of the checkpoint that training starts from",
    "train_sampling_strategy": "the order of the prompts is a matter of --seed and shuffle_dataset",
    "max_tool_calling_iterations": "there are no tools",
    "log_multimodal": "there are no images",
    "num_generations_eval": _GRPO_VALIDATION,
    "per_device_eval_batch_size": _GRPO_VALIDATION,
    "eval_strategy": _GRPO_VALIDATION,
    "eval_steps": _GRPO_VALIDATION,
    "eval_delay": _GRPO_VALIDATION,
    "eval_on_start": _GRPO_VALIDATION,
    "eval_accumulation_steps": _GRPO_VALIDATION,
}
# Numbers that may not be below 0, and those that must be above; every other one may be -1, which stands for none.
_NOT_NEGATIVE = {
    "weight_decay", "dataloader_num_workers", "warmup_steps", "max_grad_norm", "adam_beta1", "adam_beta2",
    "adam_epsilon", "beta", "epsilon", "data_seed", "top_k", "min_p",
    "neftune_noise_alpha", "epsilon_high", "top_entropy_quantile", "ref_model_mixup_alpha",
    "dataloader_prefetch_factor",
}  # fmt: skip
_POSITIVE = {
    "num_train_epochs", "learning_rate", "per_device_train_batch_size", "per_device_eval_batch_size", "logging_steps",
    "gradient_accumulation_steps", "num_generations", "max_completion_length", "temperature", "num_iterations",
    "steps_per_generation", "generation_batch_size", "top_p", "repetition_penalty", "eval_accumulation_steps", "delta",
    "ref_model_sync_steps", "sapo_temperature_neg", "sapo_temperature_pos", "torch_empty_cache_steps",
    "vllm_gpu_memory_utilization",
}  # fmt: skip
_MOST = {
    "data_seed": 2**32 - 1,  # what all of torch, numpy and transformers take
    "top_p": 1,
    "min_p": 1,
    "top_entropy_quantile": 1,
    "ref_model_mixup_alpha": 1,
    "vllm_gpu_memory_utilization": 1,
}
# Words that trl and transformers look at late, or take for another one.
_WORDS = {"scale_rewards": ("group", "batch", "none")}
# transformers before 5.23 knows this by the older one of its two names only.
CHECKPOINTING, _OTHER_NAME = "activation_checkpointing", "gradient_checkpointing"
if CHECKPOINTING not in TrainingArguments.__dataclass_fields__:
    CHECKPOINTING, _OTHER_NAME = _OTHER_NAME, CHECKPOINTING
_RENAMED = {_OTHER_NAME: CHECKPOINTING, f"{_OTHER_NAME}_kwargs": f"{CHECKPOINTING}_kwargs"}
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", dict: "names with values"}


def read_trainer_file(path: str, kind: type) -> dict[str, Any]:
    """The fields in a --trainer-config.

    Args:
        kind: SFTConfig or GRPOConfig, whose fields they are.

    Raises:
        InputError: no such file, no YAML, a name that is no field or belongs to this project, a value of another type.
    """
    where = f"--trainer-config {path}"
    if not Path(path).is_file():
        raise InputError(f"--trainer-config: no such file: {path}")
    try:
        found = read_yaml(path) or {}
    except InputError as error:
        raise InputError(f"--trainer-config {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{where}: expected lines of NAME: VALUE, found {type(found).__name__}")
    hints, ours = get_type_hints(kind), _OURS | (_OF_GRPO if issubclass(kind, GRPOConfig) else _OF_SFT)
    fields = {}
    for name, value in found.items():
        known = _RENAMED.get(name, name)
        if known not in kind.__dataclass_fields__:
            like = difflib.get_close_matches(str(name), kind.__dataclass_fields__, 1)
            meant = f" (is {like[0]} meant?)" if like else ""
            raise InputError(f"{where}: {kind.__name__} has no field {name}{meant}")
        if name in ours:
            raise InputError(f"{where}: {name} cannot be set: {ours[name]}")
        fields[known] = _checked(value, hints[known], f"{where}: {name}", _least(name), _MOST.get(name, math.inf))
        if value is not None and value not in _WORDS.get(name, (value,)):
            raise InputError(f"{where}: {name}: expected {' or '.join(_WORDS[name])}, found {value!r}")
    if len(fields) < len(found):
        raise InputError(
            f"{where}: {' and '.join(name for name in found if name in _RENAMED)} stand there by two names"
        )
    return fields


def _least(name: str) -> float:
    """What a number of this field may not be below; just above 0 where it must be positive."""
    return math.ulp(0) if name in _POSITIVE else 0 if name in _NOT_NEGATIVE else -1


def _checked(value: Any, hint: Any, where: str, least: float, most: float) -> Any:
    """A value as the field wants it: a whole number may be written with an exponent, and stand for any number."""
    union = get_origin(hint) in (Union, types.UnionType)
    wanted = [get_origin(part) or part for part in (get_args(hint) if union else (hint,))]
    if is_number(value):
        if not math.isfinite(value):
            raise InputError(f"{where}: expected a finite number, found {value}")
        if value > most:
            raise InputError(f"{where}: must not be above {most}, not {value}")
        if value < least:
            raise InputError(f"{where}: {'must be positive' if least > 0 else 'must not be negative'}, not {value}")
        if isinstance(value, float) and value.is_integer() and int in wanted and float not in wanted:
            value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and float in wanted:
        value = float(value)
    if value is None and type(None) in wanted:
        return value
    known = [part for part in wanted if part in (bool, int, float, str, dict, list)]
    if dict in known and isinstance(value, str) and not value.lstrip().startswith("{"):
        known.remove(str)  # transformers reads a dict out of a text that looks like one
    if not known or Literal in wanted or any(type(value) is part for part in known):
        return value
    shown = " or ".join(_KINDS.get(part, "a list") for part in known)
    raise InputError(f"{where}: expected {shown}, found {value!r}")
