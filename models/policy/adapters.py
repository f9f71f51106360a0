"""LoRA adapters with the rows of new tokens: how they are added to a backbone, and what of training is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.utils.other import TrainableTokensWrapper
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import PreTrainedModel, TrainingArguments

from models.language.vocabulary import MotionVocabulary
from models.policy.checkpoint import Part
from models.policy.resumable import spread_weights
from utils.errors import InputError

# Attention and MLP projections of Qwen (and of most decoder-only models).
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


_ROWS = "trainable_tokens_delta"  # in the name of the weight that peft keeps the rows of new tokens in


@dataclass(frozen=True)
class LoraSize:
    r: int
    alpha: int
    dropout: float


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


def give_token_rows_a_rate(optimizer: Optimizer, model: nn.Module, rate: float) -> None:
    """Move the rows of new tokens out of the optimiser's groups into one of their own, before it has taken a step.

    The group has all settings of the one that the rows were in but for its learning rate; a model without such rows,
    one without an adapter, keeps its groups.
    """
    rows = {id(weight) for name, weight in model.named_parameters() if _ROWS in name and weight.requires_grad}
    for group in list(optimizer.param_groups):
        own = [weight for weight in group["params"] if id(weight) in rows]
        if own:
            group["params"] = [weight for weight in group["params"] if id(weight) not in rows]
            optimizer.add_param_group({**group, "params": own, "lr": rate})


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


def refuse_spread_weights(settings: TrainingArguments) -> None:
    """Raise InputError under FSDP and ZeRO-3: peft's adapters with token rows fail on weights held in pieces."""
    if (spread := spread_weights(settings)) is not None:
        raise InputError(
            f"LoRA with token rows cannot be trained with {spread}: give --finetune full, or launch with "
            "options/accelerate/ddp.yaml or deepspeed.yaml (ZeRO-2)"
        )


def let_wrapped_heads_answer_bias() -> None:
    """Make `TrainableTokensWrapper.bias` the wrapped layer's bias, or None. Safe to call twice."""
    if not hasattr(TrainableTokensWrapper, "bias"):
        TrainableTokensWrapper.bias = property(lambda self: getattr(self.token_adapter.base_layer, "bias", None))
