"""From a checkpoint to a language model: the backbone with motion tokens, and the parts of a task merged into it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from models.checkpoints import Checkpoint, Part
from models.motion_vocabulary import MotionVocabulary
from models.peft_patch import let_wrapped_heads_answer_bias
from models.token_rows import add_token_rows, copy_token_rows
from utils.asset_hints import how_to_get
from utils.errors import InputError

# Attention and MLP projections of Qwen (and of most decoder-only models).
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class LoraSize:
    r: int
    alpha: int
    dropout: float


@dataclass(frozen=True)
class Start:
    """What a stage of training starts from: the model, and the checkpoint that its part will be added to."""

    model: PreTrainedModel
    vocabulary: MotionVocabulary
    checkpoint: Checkpoint


def load_text_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The text tokenizer of a backbone (hub id or folder), without motion tokens."""
    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise _no_backbone(name, error) from error


def load_backbone(
    name: str, nb_code: int, seed: int, codebook: Tensor | None = None, **loading: Any
) -> tuple[PreTrainedModel, MotionVocabulary, int]:
    """A language model with motion tokens.

    Args:
        name: hub id or folder.
        nb_code: size of the codebook.
        seed, codebook: first rows of the new tokens, see `models.token_rows`.
        loading: further arguments of `from_pretrained`, for example `in_4bit`'s; float32 where they say nothing.

    Returns:
        (model with one fresh row per new token, vocabulary, text tokens before extension)
    """
    tokenizer = load_text_tokenizer(name)
    try:
        model = AutoModelForCausalLM.from_pretrained(name, **{"dtype": torch.float32, **loading})
    except (OSError, ValueError) as error:
        raise _no_backbone(name, error) from error
    text_vocabulary = len(tokenizer)
    vocabulary = MotionVocabulary(tokenizer, nb_code)
    add_token_rows(model, vocabulary, seed, codebook)
    return model, vocabulary, text_vocabulary


def build_policy(
    checkpoint: Checkpoint, task: str | None, backbone: str | None = None, **loading: Any
) -> tuple[PreTrainedModel, MotionVocabulary]:
    """The merged model of a checkpoint for one task, ready to generate or to be trained further.

    Args:
        checkpoint: what to rebuild.
        task: whose policy; None: the backbone alone.
        backbone: where the backbone lies now, when it has moved.
        loading: as in `load_backbone`. Parts are merged at the precision that the backbone is loaded in.
    """
    config = checkpoint.config if backbone is None else replace(checkpoint.config, backbone=backbone)
    model, vocabulary, text_vocabulary = load_backbone(config.backbone, config.nb_code, config.seed, **loading)
    if text_vocabulary != config.text_vocabulary:
        raise InputError(
            f"backbone {config.backbone} has {text_vocabulary} text tokens, but the checkpoint was trained on one "
            f"with {config.text_vocabulary}"
        )
    for part in checkpoint.parts_of(task) if task is not None else ():
        if part.lora is None:
            _replace_weights(model, part.weights, config.backbone)
            continue
        peft_model = get_peft_model(model, LoraConfig(**part.lora))
        set_peft_model_state_dict(peft_model, part.weights)
        model = peft_model.merge_and_unload()
    return model, vocabulary


def continue_policy(
    checkpoint: Checkpoint, tasks: Sequence[str], full: bool, backbone: str | None = None, **loading: Any
) -> Start:
    """What supervised fine-tuning of `tasks` starts from, after the training that `checkpoint` holds.

    A task that the checkpoint knows goes on from its policy. A new task starts, under LoRA, from the plain backbone
    with the trained rows of the motion tokens, so that both tasks keep adapters of their own on one backbone; with
    full fine-tuning it starts from the other task's weights. A joint run continues the one policy there is.

    Raises:
        InputError: a joint run from two different policies, or a policy that would have to be merged into 4 bits.
    """
    known = [task for task in tasks if task in checkpoint.tasks]
    if not checkpoint.shared_by(known):
        raise InputError(
            f"the checkpoint has a policy of its own for each of {' and '.join(known)}: train one task at a time"
        )
    if len(tasks) > 1 and known:
        parts = tuple(replace(p, tasks=tuple(tasks)) if known[0] in p.tasks else p for p in checkpoint.parts)
        checkpoint, known = replace(checkpoint, parts=parts), list(tasks)
    if known and "quantization_config" in loading:
        raise InputError("--load-in-4bit cannot go on from a trained policy: 4-bit weights cannot take it up")
    source = known[0] if known else next(iter(checkpoint.tasks), None)
    if known or full or source is None:
        model, vocabulary = build_policy(checkpoint, source, backbone, **loading)
    else:
        trained, _ = build_policy(checkpoint, source, backbone)
        model, vocabulary = build_policy(checkpoint, None, backbone, **loading)
        copy_token_rows(trained, model, vocabulary)
    if full:
        model.requires_grad_(True)  # a merged adapter leaves what it was merged into frozen
    return Start(model, vocabulary, checkpoint)


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


def full_part(weights: dict[str, Tensor], tasks: Sequence[str], stage: str, **about: Any) -> Part:
    """Part of full fine-tuning; `weights`: the whole state dict."""
    return Part(tuple(tasks), stage, weights, None, **about)


def lora_part(model: PeftModel, tasks: Sequence[str], stage: str, **about: Any) -> Part:
    """Part of a trained adapter; `about`: further fields of `Part`."""
    config = model.peft_config["default"]
    kept = ("r", "lora_alpha", "lora_dropout", "target_modules", "trainable_token_indices", "task_type")
    values = {name: value for name, value in config.to_dict().items() if name in kept and value is not None}
    values["target_modules"] = sorted(values["target_modules"])
    values["task_type"] = str(getattr(values["task_type"], "value", values["task_type"]))
    weights = dict(get_peft_model_state_dict(model, save_embedding_layers=False))
    return Part(tuple(tasks), stage, weights, values, **about)


def _replace_weights(model: PreTrainedModel, weights: dict[str, Tensor], backbone: str) -> None:
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            f"the checkpoint's weights do not fit backbone {backbone}: {str(error).splitlines()[1].strip()}"
        ) from error
    model.tie_weights()


def _no_backbone(name: str, error: Exception) -> InputError:
    return InputError(
        f"--llm-backbone {name!r} cannot be loaded ({str(error).splitlines()[0]}): give a folder, or a hub id with "
        f"network access; {how_to_get('backbone')}"
    )
