"""The project's checkpoint: one file that says what it is and rebuilds the policy.

A policy is a backbone, optionally a full set of weights in its place (`base_weights`), and adapters applied and
merged in order: SFT adds the first, RLVR another. A LoRA adapter carries the rows of the motion tokens it trained.
The motion tokenizer rides along, so that evaluation needs no shape flag.
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from models.motion_tokenizer import MotionTokenizer
from models.motion_vocabulary import MotionVocabulary
from models.prompts import PROMPT_VERSION
from utils.errors import InputError
from utils.files import fingerprint, write_atomic

FORMAT = "morl-checkpoint"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class PolicyConfig:
    """What a checkpoint's weights belong to.

    Attributes:
        backbone: hub id or folder of the language model.
        nb_code: size of the codebook its motion tokens speak of.
        tasks: tasks it was trained on.
        stage: ``sft`` or ``rlvr``.
        finetune: ``lora`` or ``full``.
        text_vocabulary: tokens of the backbone's tokenizer before motion tokens were added.
        use_reasoning: it was trained to reason before it answers.
        seed: seed of the run, which also drew the first rows of the motion tokens.
        rewarded_by: fingerprints of the text-motion evaluators whose reward it was trained on.
    """

    backbone: str
    nb_code: int
    tasks: tuple[str, ...]
    stage: str
    finetune: str
    text_vocabulary: int
    use_reasoning: bool = True
    seed: int = 0
    prompt_version: str = PROMPT_VERSION
    rewarded_by: tuple[str, ...] = ()

    def after_rlvr(self, tasks: tuple[str, ...], evaluator: str | None) -> "PolicyConfig":
        """The policy after GRPO under an evaluator of this fingerprint: who judges it later should know."""
        rewarded_by = dict.fromkeys([*self.rewarded_by, *([] if evaluator is None else [evaluator])])
        return replace(self, stage="rlvr", tasks=tasks, rewarded_by=tuple(rewarded_by))


@dataclass(frozen=True)
class Adapter:
    """A trained LoRA: its configuration (keyword arguments of `LoraConfig`) and its tensors."""

    config: dict[str, Any]
    weights: dict[str, torch.Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """Everything in the file. `base_weights` is None where the backbone's own weights are used."""

    config: PolicyConfig
    base_weights: dict[str, torch.Tensor] | None
    adapters: tuple[Adapter, ...] = ()
    motion_tokenizer: dict[str, Any] | None = None
    metrics: dict[str, float] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Names the policy's weights."""
        tensors = dict(self.base_weights or {})
        for number, adapter in enumerate(self.adapters):
            tensors |= {f"{number}.{name}": tensor for name, tensor in adapter.weights.items()}
        parts: list[bytes | str] = [str(asdict(self.config))]
        for name in sorted(tensors):
            parts += [name, tensors[name].detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()]
        return fingerprint(*parts)


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write the file atomically; loadable with ``torch.load(weights_only=True)``."""
    value = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "config": {**asdict(checkpoint.config), "tasks": list(checkpoint.config.tasks)},
        "base_weights": _to_cpu(checkpoint.base_weights) if checkpoint.base_weights is not None else None,
        "adapters": [{"config": item.config, "weights": _to_cpu(item.weights)} for item in checkpoint.adapters],
        "motion_tokenizer": checkpoint.motion_tokenizer,
        "metrics": checkpoint.metrics,
    }
    write_atomic(path, lambda stream: torch.save(value, stream))


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a file of `save_checkpoint`.

    Raises:
        InputError: no such file, not a checkpoint of this project, or of a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no such checkpoint: {path}")
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} cannot be read as a checkpoint: {str(error).splitlines()[0]}") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InputError(f"{path} is not a checkpoint of this project (no '{FORMAT}' format mark)")
    if value["format_version"] > FORMAT_VERSION:
        raise InputError(f"{path} has format version {value['format_version']}; this code reads up to {FORMAT_VERSION}")
    lists = ("tasks", "rewarded_by")
    config = PolicyConfig(**{
        name: tuple(field) if name in lists else field for name, field in value["config"].items()
    })  # fmt: skip
    if config.prompt_version != PROMPT_VERSION:
        raise InputError(f"{path} was trained with prompts {config.prompt_version}; this code speaks {PROMPT_VERSION}")
    adapters = tuple(Adapter(item["config"], item["weights"]) for item in value["adapters"])
    return Checkpoint(config, value["base_weights"], adapters, value["motion_tokenizer"], value["metrics"])


def motion_tokenizer_of(checkpoint: Checkpoint, given: str | None, source: str) -> MotionTokenizer:
    """The checkpoint's motion tokenizer, or the one at `given`; both must speak the same codebook.

    Args:
        checkpoint: a policy.
        given: path of ``--motion-tokenizer``, or None.
        source: name of the checkpoint, for messages.
    """
    inside = MotionTokenizer.from_state(checkpoint.motion_tokenizer) if checkpoint.motion_tokenizer else None
    if given is None:
        if inside is None:
            raise InputError(f"{source} carries no motion tokenizer: give one with --motion-tokenizer")
        return inside
    outside = MotionTokenizer.load(given)
    if outside.nb_code != checkpoint.config.nb_code:
        raise InputError(
            f"--motion-tokenizer {given} has {outside.nb_code} codes, but {source} was trained with "
            f"{checkpoint.config.nb_code}"
        )
    if inside is not None and inside.fingerprint != outside.fingerprint:
        raise InputError(
            f"--motion-tokenizer {given} ({outside.fingerprint}) is not the one {source} was trained with "
            f"({inside.fingerprint})"
        )
    return outside


def load_text_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The text tokenizer of a backbone (hub id or folder), without motion tokens."""
    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise _no_backbone(name, error) from error


def _no_backbone(name: str, error: Exception) -> InputError:
    return InputError(
        f"--llm-backbone {name!r} cannot be loaded ({str(error).splitlines()[0]}): give a folder made by "
        f"prepare.make_tiny_llm or downloaded before, or a hub id with network access"
    )


def load_backbone(name: str, nb_code: int, seed: int) -> tuple[PreTrainedModel, MotionVocabulary, int]:
    """A language model with motion tokens.

    Returns:
        (model with one fresh row per new token, vocabulary, text tokens before extension)
    """
    tokenizer = load_text_tokenizer(name)
    try:
        model = AutoModelForCausalLM.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise _no_backbone(name, error) from error
    text_vocabulary = len(tokenizer)
    vocabulary = MotionVocabulary(tokenizer, nb_code)
    vocabulary.add_rows(model, seed)
    return model, vocabulary, text_vocabulary


def build_policy(checkpoint: Checkpoint, backbone: str | None = None) -> tuple[PreTrainedModel, MotionVocabulary]:
    """The merged model of a checkpoint, ready to generate or to be trained further.

    Args:
        checkpoint: what to rebuild.
        backbone: where the backbone lies now, when it has moved.
    """
    config = checkpoint.config if backbone is None else replace(checkpoint.config, backbone=backbone)
    model, vocabulary, text_vocabulary = load_backbone(config.backbone, config.nb_code, config.seed)
    if text_vocabulary != config.text_vocabulary:
        raise InputError(
            f"backbone {config.backbone} has {text_vocabulary} text tokens, but the checkpoint was trained on one "
            f"with {config.text_vocabulary}"
        )
    if checkpoint.base_weights is not None:
        try:
            model.load_state_dict(checkpoint.base_weights)
        except RuntimeError as error:
            raise InputError(
                f"the checkpoint's weights do not fit backbone {config.backbone}: {str(error).splitlines()[1].strip()}"
            ) from error
        model.tie_weights()
    for adapter in checkpoint.adapters:
        peft_model = get_peft_model(model, LoraConfig(**adapter.config))
        set_peft_model_state_dict(peft_model, adapter.weights)
        model = peft_model.merge_and_unload()
    return model, vocabulary


def adapter_of(model: PeftModel) -> Adapter:
    """The trained adapter of a peft model as it goes into a checkpoint."""
    config = model.peft_config["default"]
    kept = ("r", "lora_alpha", "lora_dropout", "target_modules", "trainable_token_indices", "task_type")
    values = {name: value for name, value in config.to_dict().items() if name in kept and value is not None}
    values["target_modules"] = sorted(values["target_modules"])
    values["task_type"] = str(getattr(values["task_type"], "value", values["task_type"]))
    return Adapter(values, dict(get_peft_model_state_dict(model, save_embedding_layers=False)))


def _to_cpu(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in weights.items()}
