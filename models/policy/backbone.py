"""The backbone is loaded here: its text tokenizer, its weights (in 4-bit numbers where wanted), its motion tokens."""

from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import is_bitsandbytes_available

from models.language.vocabulary import MotionVocabulary
from models.policy.token_rows import add_token_rows
from utils.asset_hints import how_to_get
from utils.errors import InputError, first_line
from utils.files.pretrained import load_part, load_weights


def load_text_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The text tokenizer of a backbone (hub id or folder), without motion tokens."""
    try:
        return load_part(AutoTokenizer, name)
    except InputError as error:
        raise _no_backbone(name, error) from error


def parameters_of(name: str) -> int:
    """How many parameters a backbone (hub id or folder) has, before motion tokens; only its configuration is read."""
    try:
        config = load_part(AutoConfig, name)
    except InputError as error:
        raise _no_backbone(name, error) from error
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config).num_parameters()
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise _no_backbone(name, InputError(f"its config.json: {first_line(error)}")) from error


def load_backbone(
    name: str,
    nb_code: int,
    seed: int,
    codebook: Tensor | None = None,
    row_multiple: int = 1,
    device: torch.device | None = None,
    **loading: Any,
) -> tuple[PreTrainedModel, MotionVocabulary, int]:
    """A language model with motion tokens.

    Args:
        name: hub id or folder.
        nb_code: size of the codebook.
        seed, codebook: first rows of the new tokens, see `models.policy.token_rows`.
        row_multiple: see `models.policy.token_rows`.
        device: weights are read straight to it, each at the precision that it shall have; None: the CPU.
        loading: further arguments of `from_pretrained`, for example `four_bit`'s; float32 where they say nothing.

    Returns:
        (model with one fresh row per new token, vocabulary, text tokens before extension)
    """
    tokenizer = load_text_tokenizer(name)
    try:
        model = load_weights(AutoModelForCausalLM, name, **{"dtype": torch.float32, **placed_on(device), **loading})
    except InputError as error:
        raise _no_backbone(name, error) from error
    text_vocabulary = len(tokenizer)
    vocabulary = MotionVocabulary(tokenizer, nb_code)
    add_token_rows(model, vocabulary, seed, codebook, row_multiple=row_multiple)
    return model, vocabulary, text_vocabulary


def attention(name: str) -> dict[str, str]:
    """Arguments of `from_pretrained` for attention by ``sdpa``, ``eager`` or ``flash_attention_2``.

    The first is what transformers takes by itself, where the architecture has it.
    """
    return {} if name == "sdpa" else {"attn_implementation": name}


def placed_on(device: torch.device | None) -> dict[str, Any]:
    """Arguments of `from_pretrained` that read weights straight to a device."""
    return {} if device is None or device.type == "cpu" else {"device_map": {"": device}}


def four_bit(dtype: torch.dtype) -> dict[str, Any]:
    """Arguments of `from_pretrained` that hold the weights in NF4 and compute with `dtype`.

    What is trained on top is merged into the backbone's own weights later (`models.policy.policy.build_policy`), never
    into the 4-bit ones, whose rounding would swallow most of it.
    """
    if not is_bitsandbytes_available():
        raise InputError("--load-in-4bit needs the package bitsandbytes (pip install bitsandbytes)")
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": config, "dtype": dtype}


def _no_backbone(name: str, error: InputError) -> InputError:
    return InputError(
        f"--llm-backbone {name!r} cannot be loaded ({error}): give a folder, or a hub id with network access; "
        f"{how_to_get('backbone')}"
    )
