"""The frozen backbone in 4-bit numbers (QLoRA), where the package bitsandbytes is installed."""

import importlib.util
from typing import Any

import torch
from transformers import BitsAndBytesConfig

from utils.errors import InputError


def four_bit(dtype: torch.dtype) -> dict[str, Any]:
    """Arguments of `from_pretrained` that hold the weights in NF4 and compute with `dtype`."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise InputError("--load-in-4bit needs the package bitsandbytes (pip install bitsandbytes)")
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": config, "dtype": dtype}
