"""The loop in which transformers draws replies: a batch of prompts, one token of each at a time, until all have ended.

It calls the model and nothing else. transformers' own loop prepares every step anew for any kind of model, which costs
a tiny model on a CPU more than a third of its time, and it computes on for replies that have ended until the longest
has: here they leave the batch.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer
from transformers.integrations import is_deepspeed_zero3_enabled, is_fsdp_managed_module

# (after how many tokens is looked which replies have ended; which share of a batch ends before the others go on alone).
# A GPU would wait at every look, and its steps take as long for half the rows.
_LOOKS = {"cpu": (1, 1 / 8), "cuda": (8, 1 / 2)}


class Step(Protocol):
    """What changes the scores of the next tokens, as a logits processor of transformers does."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(B, L) ids so far and (B, V) float32 scores -> (B, V) scores."""
        ...

    def keep(self, rows: Tensor) -> None:
        """From now on the batch has only its `rows` (M,), in this order."""
        ...


@dataclass(frozen=True)
class Prompts:
    """A batch of B prompts, padded on the left to L columns.

    Attributes:
        ids: (B, L).
        mask: (B, L), 0 where there is padding; None: there is none.
        tokens: the same as lists, without padding.
    """

    ids: Tensor
    mask: Tensor | None
    tokens: Sequence[Sequence[int]]

    @classmethod
    def padded(cls, prompts: Sequence[Sequence[int]], pad: int, device: torch.device) -> "Prompts":
        """The batch of these prompts, in their order."""
        lengths = [len(one) for one in prompts]
        longest = max(lengths)
        ids = torch.tensor([[pad] * (longest - len(one)) + list(one) for one in prompts], device=device)
        mask = None
        if min(lengths) < longest:
            mask = torch.tensor([[0] * (longest - length) + [1] * length for length in lengths], device=device)
        return cls(ids, mask, prompts)


def draw(model: PreTrainedModel, prompts: Prompts, steps: Sequence[Step], most: int, eos: int) -> list[list[int]]:
    """A reply to each prompt, up to and with the end of sequence, at most `most` tokens.

    Args:
        steps: change the scores, one after the other; the token with the highest score is the next one.
        eos: id of the end of sequence.
    """
    # What is fed first: all of the prompts, or their last tokens, where those that begin alike were computed once.
    (rows, length), device = prompts.ids.shape, prompts.ids.device
    cache = _shared_prefill(model, prompts)
    fed = 0 if cache is None else length - 1
    cache = DynamicCache(config=model.config) if cache is None else cache
    known = {_name_of_cache(model): cache}
    ids = torch.cat([prompts.ids, prompts.ids.new_full((rows, most), eos)], dim=1)
    mask = prompts.mask if prompts.mask is None else torch.cat([prompts.mask, ids.new_ones(rows, most)], dim=1)
    # All replies, and whose the rows of the batch are.
    replies, owner = ids[:, length:].clone(), torch.arange(rows, device=device)
    every, share = _LOOKS.get(device.type, _LOOKS["cuda"])
    for end in range(length, length + most):
        padding = {} if mask is None else {"attention_mask": mask[:, :end], "position_ids": _positions(mask, fed, end)}
        output = model(input_ids=ids[:, fed:end], use_cache=True, logits_to_keep=1, **known, **padding)
        scores = output.logits[:, -1].to(torch.float32, copy=True)
        for step in steps:
            scores = step(ids[:, :end], scores)
        ids[:, end] = scores.argmax(dim=-1)
        fed, drawn = end, end + 1 - length
        if drawn % every or drawn == most:
            continue
        # Replies that have ended leave the batch, once they are enough to pay for a copy of the others.
        ended = (ids[:, length : end + 1] == eos).any(dim=1).tolist()
        if all(ended) and not _in_step_with_others(model):
            break
        if share * len(ended) <= sum(ended) < len(ended):
            stay = torch.tensor([row for row, done in enumerate(ended) if not done], device=device)
            replies[owner] = ids[:, length:]
            ids, owner, mask = ids[stay], owner[stay], mask if mask is None else mask[stay]
            cache.batch_select_indices(stay)
            for step in steps:
                step.keep(stay)
    replies[owner] = ids[:, length:]
    return [_until(reply, eos) for reply in replies.tolist()]


def _shared_prefill(model: PreTrainedModel, prompts: Prompts) -> Cache | None:
    """Keys and values of all prompt tokens but the last, computed once for prompts that begin alike: equal ones, and
    those of replies that were begun to different lengths. None where no prompt is the beginning of another one."""
    cache, tokens, length = DynamicCache(config=model.config), prompts.tokens, prompts.ids.shape[1]
    # A window that slides keeps no beginnings, and other layers keep no columns.
    columns = all(type(layer) is DynamicLayer for layer in cache.layers)
    whole = _longest_of(tokens) if columns else [tokens.index(one) for one in tokens]
    computed = sorted(set(whole))
    if len(computed) == len(tokens) or length < 2:
        return None
    rows, padding = torch.tensor(computed, device=prompts.ids.device), {}
    if prompts.mask is not None:
        mask = prompts.mask[rows, :-1]
        padding = {"attention_mask": mask, "position_ids": _positions(mask, 0, length - 1)}
    known = {_name_of_cache(model): cache}
    model(input_ids=prompts.ids[rows, :-1], use_cache=True, logits_to_keep=1, **known, **padding)
    place = {row: number for number, row in enumerate(computed)}
    cache.batch_select_indices(torch.tensor([place[row] for row in whole], device=rows.device))
    # A shorter prompt stands further to the right than the one that it is the beginning of.
    shift = [len(tokens[row]) - len(own) for row, own in zip(whole, tokens, strict=True)]
    return _moved_right(cache, torch.tensor(shift, device=rows.device), length - 1) if any(shift) else cache


def _name_of_cache(model: PreTrainedModel) -> str:
    """The argument that takes keys and values: transformers has renamed it, and warns of the name of before."""
    return "cache" if "cache" in inspect.signature(type(model).forward).parameters else "past_key_values"


def _longest_of(prompts: Sequence[Sequence[int]]) -> list[int]:
    """For each prompt the row of the longest one that it is the beginning of, perhaps its own; the first of equals."""
    order = sorted(range(len(prompts)), key=lambda row: (prompts[row], -row))
    longest, found = order[-1], [0] * len(prompts)
    # In this order what begins with a prompt follows it.
    for row in reversed(order):
        if prompts[longest][: len(prompts[row])] != prompts[row]:
            longest = row
        found[row] = longest
    return found


def _moved_right(cache: Cache, shift: Tensor, length: int) -> Cache:
    """Row by row, by `shift` (B,) columns; what comes in at the left is masked as padding."""
    source = (torch.arange(length, device=shift.device) - shift[:, None]).clamp_min(0)
    for layer in cache.layers:
        index = source[:, None, :, None].expand(-1, layer.keys.shape[1], -1, layer.keys.shape[3])
        layer.keys, layer.values = layer.keys.gather(2, index), layer.values.gather(2, index)
    return cache


def _positions(mask: Tensor, start: int, end: int) -> Tensor:
    """(B, L) -> (B, end - start) places of the tokens of these columns among those that are no padding."""
    return (mask[:, :end].cumsum(dim=-1)[:, start:] - 1).clamp_min(0)


def _in_step_with_others(model: PreTrainedModel) -> bool:
    """Whether each of several processes holds a piece of the weights, so that none may compute a token less."""
    return is_fsdp_managed_module(model) or is_deepspeed_zero3_enabled()


def _until(ids: list[int], eos: int) -> list[int]:
    """Ids up to and with the first end of sequence."""
    return ids[: ids.index(eos) + 1] if eos in ids else ids
