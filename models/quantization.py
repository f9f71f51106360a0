"""The frozen backbone in 4-bit numbers (QLoRA), where the package bitsandbytes is installed."""

from typing import Any

import torch
from transformers import BitsAndBytesConfig
from transformers.utils import is_bitsandbytes_available

from utils.errors import InputError


def four_bit(dtype: torch.dtype) -> dict[str, Any]:
    """Arguments of `from_pretrained` that hold the weights in NF4 and compute with `dtype`.

    What is trained on top is merged into the backbone's own weights later (`models.policy.build_policy`), never into
    the 4-bit ones, whose rounding would swallow most of it.
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
