"""Which device a run uses."""

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
