"""Merged weights while replies are drawn, where that is exact, and what is noted of the draws of trl's own loop.

While replies are generated, an adapter that is merged costs nothing. The log-probability under which a token was drawn
tells how far the policy that samples is from the one that learns.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedModel
from trl import GRPOConfig

from models.language.grammar import processed_generation


def draws_plainly(settings: GRPOConfig) -> bool:
    """Whether replies are drawn by temperature and nucleus alone, as our own loop does; trl's knows further ways."""
    further = (settings.top_k, settings.min_p, settings.generation_kwargs, settings.cache_implementation)
    queued = settings.use_transformers_continuous_batching
    return settings.repetition_penalty == 1 and settings.temperature > 0 and not queued and not any(further)


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
        with _without_wrappers(model):
            yield
    finally:
        model.unmerge_adapter()
        with torch.no_grad():
            for weight, before in zip(weights, kept, strict=True):
                weight.copy_(before)


@contextmanager
def _without_wrappers(model: PeftModel) -> Iterator[None]:
    """Inside, each layer stands where its adapter does: the wrapper of a merged one only asks, at every token, whether
    there is anything to add."""
    wrappers = [(path, layer) for path, layer in model.named_modules() if isinstance(layer, BaseTunerLayer)]
    places = [
        (model.get_submodule(path.rpartition(".")[0]), path.rpartition(".")[2], layer) for path, layer in wrappers
    ]
    try:
        for parent, name, wrapper in places:
            setattr(parent, name, wrapper.get_base_layer())
        yield
    finally:
        for parent, name, wrapper in places:
            setattr(parent, name, wrapper)


def _weights_under_adapters(model: PeftModel) -> list[torch.Tensor]:
    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    return [layer.get_base_layer().weight for layer in layers]


def _can_be_merged(weight: torch.Tensor) -> bool:
    is_whole = not hasattr(weight, "placements") and not hasattr(weight, "ds_id")  # DTensor, ZeRO-3
    return weight.dtype in (torch.float32, torch.float64) and weight.dim() == 2 and is_whole


class DrawnLogprobs(LogitsProcessor):
    """Notes log-probabilities of the tokens that are drawn; the last of all processors, it changes no score."""

    def __init__(self) -> None:
        self._columns: list[Tensor] = []
        self._scores: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(B, L) ids so far and (B, V) scores -> the same scores."""
        if self._scores is not None:
            self._columns.append(_of_tokens(self._scores, input_ids[:, -1]))
        self._scores = scores
        return scores

    def of(self, replies: Sequence[list[int]]) -> list[list[float]] | None:
        """Of each token of each reply, up to its end of sequence; None where nothing was noted.

        Args:
            replies: one for each row of the batch.
        """
        if self._scores is None:
            return None
        # Only a reply as long as the batch has a token that was drawn after the last call.
        last = torch.tensor([reply[-1] if reply else 0 for reply in replies], device=self._scores.device)
        rows = torch.stack([*self._columns, _of_tokens(self._scores, last)], dim=1).tolist()
        return [row[: len(reply)] for row, reply in zip(rows, replies, strict=True)]


@contextmanager
def noting_draws(model: PreTrainedModel) -> Iterator[DrawnLogprobs]:
    """While inside, what `model.generate` draws is noted."""
    noted = DrawnLogprobs()
    with processed_generation(model, lambda _, others: [*others, noted]):
        yield noted


def _of_tokens(scores: Tensor, ids: Tensor) -> Tensor:
    """(B, V) scores and (B,) ids -> (B,) log-probabilities."""
    return scores.gather(1, ids[:, None])[:, 0] - scores.logsumexp(dim=1)
