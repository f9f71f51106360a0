"""The parts of a policy are merged into its model here, layer by layer: added up in float32 and rounded once.

A LoRA update of a bfloat16 model is mostly finer than the grid of its weights. So nothing is rounded between two parts,
and of no model a float32 copy is held: one layer at a time is enough.
"""

from collections.abc import Sequence

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from peft.utils.other import TrainableTokensWrapper
from torch import Tensor, nn
from transformers import PreTrainedModel

from models.policy.checkpoint import Part
from utils.errors import InputError
from utils.files.torch_files import check_form, shown


def merge_parts(model: PreTrainedModel, parts: Sequence[Part], last_apart: bool = False) -> PreTrainedModel | PeftModel:
    """The model with `parts` in it, in order; their values were looked at when their file was read.

    Args:
        model: at the precision that the result shall have; changed in place.
        last_apart: the adapter of the last part, where that is one, stays an adapter in float32 on top of the others:
            the policy is then the one that its training had, whatever the precision. Its rows of tokens are values and
            no small changes: these are put into the model.

    Raises:
        InputError: a weight has no place, or a place no weight.
    """
    full = [number for number, part in enumerate(parts) if part.lora is None]
    first, whole = 0, {}
    if full:
        first, whole = full[-1] + 1, parts[full[-1]].weights  # it takes the place of all before
        check_form(whole, model.state_dict())
        model.load_state_dict(whole)
        model.tie_weights()
    adapters = {f"part{number}": part for number, part in enumerate(parts[first:])}
    adapted = None
    for name, part in adapters.items():
        adapted = _with_adapter(adapted or model, name, part)
    if adapted is None:
        return model
    names = tuple(adapters)
    merged = names[:-1] if last_apart else names
    for path, layer in model.named_modules():
        _merge_layer(layer, merged, names, whole.get(f"{path}.weight"))
    if not last_apart:
        return adapted.unload()
    for name in merged:
        adapted.delete_adapter(name)
    _without_row_adapters(adapted)
    adapted.set_adapter(names[-1])
    return adapted


def _with_adapter(model: PreTrainedModel | PeftModel, name: str, part: Part) -> PeftModel:
    """The model under one more adapter, in float32."""
    try:
        config = LoraConfig(**part.lora)
        if isinstance(model, PeftModel):
            model.add_adapter(name, config)
        else:
            model = get_peft_model(model, config, adapter_name=name)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"no LoRA adapter has the settings {shown(part.lora)} ({shown(str(error))})") from None
    # peft passes over what it does not find, and leaves the rest as drawn.
    expected = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)
    check_form(part.weights, expected)
    set_peft_model_state_dict(model, part.weights, adapter_name=name)
    return model


@torch.no_grad()
def _merge_layer(layer: nn.Module, names: tuple[str, ...], rows_of: tuple[str, ...], whole: Tensor | None) -> None:
    """Add what the adapters `names` say of a layer to its weight, or put in the rows of tokens of those of `rows_of`.

    Args:
        whole: the weight in the checkpoint, where it is finer than in the model; None: the model's.
    """
    if isinstance(layer, LoraLayer):
        weight = layer.get_base_layer().weight
        total = (weight if whole is None else whole).to(weight.device, torch.float32, copy=True)
        for name in names:
            if name in layer.lora_A:
                total += layer.get_delta_weight(name).float()
        weight.copy_(total)
    elif isinstance(layer, TrainableTokensWrapper):
        # Rows are replaced, so those of the last adapter stay.
        rows = layer.token_adapter
        for name in rows_of:
            if name in rows.token_indices:
                rows.get_base_layer().weight[rows.token_indices[name]] = rows.trainable_tokens_delta[name].to(
                    rows.get_base_layer().weight
                )


def _without_row_adapters(model: PeftModel) -> None:
    """Take the wrappers of trained rows away: at every token they would put the rows into a copy of the matrix anew."""
    wrappers = [path for path, layer in model.named_modules() if isinstance(layer, TrainableTokensWrapper)]
    for path in wrappers:
        parent, _, name = path.rpartition(".")
        wrapper = model.get_submodule(path)
        setattr(model.get_submodule(parent), name, wrapper.original_module)
    for config in model.peft_config.values():
        config.trainable_token_indices = None
