"""These functions say which device a run uses, and at which precision a language model works there.

torch is imported when one of them is asked: command lines import this file, and `--help` must not wait for torch.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from utils.errors import InputError

if TYPE_CHECKING:
    import torch


def resolve_device(name: str, flag: str = "--device") -> "torch.device":
    """``auto`` -> a GPU if there is one, else the CPU; ``cpu``, ``cuda`` and ``cuda:N`` as torch names them.

    Args:
        flag: that gave the name, for messages.

    Raises:
        InputError: another name, or a GPU that is not there.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if re.fullmatch(r"cpu|cuda(:\d{1,4})?", name) is None:
        kind = name.partition(":")[0]
        known = f" ({kind} is not supported)" if kind in ("mps", "xpu", "npu", "hpu", "xla", "rocm") else ""
        raise InputError(f"{flag} {name}: expected auto, cpu, cuda or cuda:N{known}")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"{flag} {name}: this machine has {torch.cuda.device_count()} GPU(s)")
    return device


def local_device(device: "torch.device") -> "torch.device":
    """The one that this process uses: of several GPUs ``cuda`` is that of its place among those that were started."""
    import torch

    if device.type != "cuda" or device.index is not None:
        return device
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", torch.cuda.current_device())))


def model_dtype(precision: str, device: "torch.device") -> "torch.dtype":
    """Precision of a language model: ``fp32``, ``bf16``, or ``auto``: bf16 on a GPU that has it, else float32."""
    import torch

    if precision == "auto":
        # A GPU without it in hardware emulates it, and is slower than with float32.
        native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bf16" if native else "fp32"
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


@contextmanager
def full_float32() -> Iterator[None]:
    """Inside, a GPU computes float32 as float32; by default its convolutions round to TF32, with 10 bits."""
    import torch

    places = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [place.allow_tf32 for place in places]
    try:
        for place in places:
            place.allow_tf32 = False
        yield
    finally:
        for place, allowed in zip(places, before, strict=True):
            place.allow_tf32 = allowed


def narrow_to_gpu(name: str) -> str:
    """``cuda:1`` -> ``cuda``, with all other GPUs hidden from this process; any other name as it is.

    transformers' trainer takes the first GPU that it sees, or all of them. To be called before anything looks for
    GPUs; N counts what CUDA_VISIBLE_DEVICES shows, as everywhere in torch.

    Raises:
        InputError: CUDA_VISIBLE_DEVICES shows no such GPU.
    """
    kind, _, number = name.partition(":")
    if kind != "cuda" or not number.isdigit():
        return name
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        shown = [entry.strip() for entry in visible.split(",") if entry.strip()]
        if int(number) >= len(shown):
            raise InputError(f"--device {name}: CUDA_VISIBLE_DEVICES shows {len(shown)} GPU(s)")
        number = shown[int(number)]
    os.environ["CUDA_VISIBLE_DEVICES"] = number
    return "cuda"
