"""Reading the published flat checkpoint of the language model: LoRA tensors of two adapters and rows of new tokens.

    base_model.model.model.layers.0.self_attn.q_proj.lora_A.t2m.weight ...   adapters ``t2m`` and ``m2t``
    embeddings, lm_head      (nb_code + 2, H)     rows of <Motion>, </Motion>, <Motion_0>, <Motion_1>, ...

Ranks follow from the shapes; the scale of an adapter (lora_alpha) leaves no trace and must be told.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from peft import get_peft_model_state_dict
from torch import Tensor
from transformers import PreTrainedModel

from dataset.captions.tags import MOTION_CLOSE, MOTION_OPEN
from dataset.cot.sample import TASKS
from models.language.vocabulary import MotionVocabulary
from models.policy.adapters import LoraSize, add_sft_adapter, lora_part
from models.policy.checkpoint import Part
from utils.errors import InputError
from utils.files.torch_files import check_finite, shown, what_it_holds

EMBEDDINGS, HEAD = "embeddings", "lm_head"
_EXTRA_ROWS = 2
_LORA_A = re.compile(r"\.lora_A\.(\w+)\.weight$")


@dataclass(frozen=True)
class ImportedAdapter:
    """One adapter as a part of a checkpoint, and how it fits the backbone.

    Attributes:
        part: ours.
        matched: how many LoRA tensors fit.
        untouched: modules of the backbone that would take an adapter and have none in the file.
    """

    part: Part
    matched: int
    untouched: tuple[str, ...]


def codes_of(state: Mapping[str, Tensor], source: str) -> int:
    """Size of the codebook, by the number of rows. Raises InputError for a file of another layout."""
    missing = [name for name in (EMBEDDINGS, HEAD) if name not in state]
    if missing:
        raise InputError(
            f"{source}: no {' and '.join(missing)} in it: not the published layout ({what_it_holds(state)})"
        )
    used = {name: value for name, value in state.items() if name in (EMBEDDINGS, HEAD) or ".lora_" in str(name)}
    other = [name for name, value in used.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
    if other:
        raise InputError(f"{source}: {shown(other[0])} is no tensor: not the published layout")
    try:
        check_finite(used.items())
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    rows = {name: tuple(state[name].shape) for name in (EMBEDDINGS, HEAD)}
    if rows[EMBEDDINGS] != rows[HEAD] or len(rows[HEAD]) != 2 or rows[HEAD][0] <= _EXTRA_ROWS:
        raise InputError(
            f"{source}: {EMBEDDINGS} is {rows[EMBEDDINGS]} and {HEAD} {rows[HEAD]}, expected twice (codes + 2, H)"
        )
    return rows[HEAD][0] - _EXTRA_ROWS


def tasks_of(state: Mapping[str, Tensor], source: str) -> tuple[str, ...]:
    """Names of the adapters in the file."""
    names = {found.group(1) for name in state if (found := _LORA_A.search(str(name)))}
    unknown = sorted(names - set(TASKS))
    if unknown or not names:
        raise InputError(f"{source}: adapters {', '.join(unknown) or 'none'}, expected {' and '.join(TASKS)}")
    return tuple(task for task in TASKS if task in names)


def import_adapter(
    state: Mapping[str, Tensor],
    task: str,
    alpha: int,
    model: PreTrainedModel,
    vocabulary: MotionVocabulary,
    source: str,
) -> ImportedAdapter:
    """The adapter of `task` with the rows of the motion tokens.

    Args:
        state: content of the file.
        alpha: scale of the adapter.
        model: backbone with motion tokens; it is wrapped and given back as it was.
        source: the file, for messages.

    Raises:
        InputError: a tensor that the backbone has no place for, or of another shape.
    """
    # An adapter of the rank that the tensors have, on the modules that can take one.
    own = {name.replace(f".{task}.weight", ".weight"): v for name, v in state.items() if f".{task}.weight" in str(name)}
    ranks = {len(tensor) if tensor.ndim else 0 for name, tensor in own.items() if ".lora_A." in name}
    if len(ranks) != 1:
        raise InputError(f"{source}: the adapter {task} has ranks {sorted(ranks)}, expected one")
    adapted = add_sft_adapter(model, vocabulary, LoraSize(ranks.pop(), alpha, 0.0))
    weights = dict(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    places = {name for name in weights if ".lora_" in name}
    # Every tensor of the file must have a place in it.
    for name, tensor in own.items():
        if name not in places:
            raise InputError(f"{source}: the backbone has no place for {name} (is --llm-backbone the right one?)")
        if weights[name].shape != tensor.shape:
            raise InputError(
                f"{source}: {name} is {tuple(tensor.shape)}, the backbone wants {tuple(weights[name].shape)}"
            )
    used = sorted({_layer_of(name) for name in own})
    # The published rows of the motion tokens go to where these tokens are in our vocabulary.
    places_of_rows = _row_places(vocabulary)
    for name in [name for name in weights if ".lora_" not in name]:
        published = state[HEAD if "lm_head" in name else EMBEDDINGS].detach()
        if published.shape[1] != weights[name].shape[1]:
            raise InputError(
                f"{source}: rows of width {published.shape[1]}, the backbone's have {weights[name].shape[1]}"
            )
        rows = weights[name].detach().clone()
        rows[places_of_rows] = published.to(rows)
        weights[name] = rows
    # What the file says nothing of stays as it is: an adapter of zeros changes nothing.
    untouched = sorted({_layer_of(name) for name in places} - set(used))
    own = {name: tensor.detach().float() for name, tensor in own.items()}
    empty = {name: torch.zeros_like(weights[name]) for name in places if name not in own}
    part = lora_part(adapted, (task,), "imported", use_reasoning=False)
    adapted.unload()
    part = Part(part.tasks, part.stage, {**weights, **own, **empty}, part.lora, part.use_reasoning)
    return ImportedAdapter(part, len(own), tuple(untouched))


def _row_places(vocabulary: MotionVocabulary) -> list[int]:
    """For each published row its place among our new tokens, which hold further tags."""
    place = {token_id: index for index, token_id in enumerate(vocabulary.new_ids)}
    ids = [vocabulary.marker_id(MOTION_OPEN), vocabulary.marker_id(MOTION_CLOSE), *vocabulary.code_ids]
    return [place[token_id] for token_id in ids]


def _layer_of(name: str) -> str:
    return name.partition(".lora_")[0].removeprefix("base_model.model.")
