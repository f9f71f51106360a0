"""Which device a run uses, and at which precision a language model works there."""

import torch

from utils.errors import InputError


def resolve_device(name: str) -> torch.device:
    """``auto`` -> a GPU if there is one, else the CPU; anything else as torch names it.

    Raises:
        InputError: unknown name, or a GPU that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"--device {name!r}: expected auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"--device {name}: this machine has {torch.cuda.device_count()} GPU(s)")
    return device


def model_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Precision of a language model: ``fp32``, ``bf16``, or ``auto``: bf16 on a GPU that has it, else float32."""
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
