"""Sampling from merged weights where that is exact: while replies are generated, an adapter then costs nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedModel


@contextmanager
def merged_adapter(model: PreTrainedModel | PeftModel) -> Iterator[None]:
    """Inside, the adapter of `model` is part of its weights; afterwards these are bit for bit what they were.

    peft's own un-merging subtracts what it added, and the rounding of that would wander into the KL reference over
    thousands of steps. So the weights under the adapter are kept, once more in memory, and put back.

    A model that cannot be merged without loss or at all is left as it is: one without an adapter, with quantised
    weights, or with weights sharded over processes (FSDP, ZeRO-3). Neither is one whose weights are bf16 or fp16: their
    grid is coarser than an update of the adapter. After 10 steps at 1e-5 nine tenths of what was learned would be
    rounded away (measured at width 2560), and replies would come from another policy than the one that learns.
    """
    weights = _weights_under_adapters(model) if isinstance(model, PeftModel) else []
    if not weights or not all(_can_be_merged(weight) for weight in weights):
        yield
        return
    kept = [weight.detach().clone() for weight in weights]
    try:
        model.merge_adapter()
        yield
    finally:
        model.unmerge_adapter()
        with torch.no_grad():
            for weight, before in zip(weights, kept, strict=True):
                weight.copy_(before)


def _weights_under_adapters(model: PeftModel) -> list[torch.Tensor]:
    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    return [layer.get_base_layer().weight for layer in layers]


def _can_be_merged(weight: torch.Tensor) -> bool:
    is_whole = not hasattr(weight, "placements") and not hasattr(weight, "ds_id")  # DTensor, ZeRO-3
    return weight.dtype in (torch.float32, torch.float64) and weight.dim() == 2 and is_whole
