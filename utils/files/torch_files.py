"""Files of torch (.pth, .tar) are read here, and only as plain values: nothing in them is ever executed."""

import pickle
from pathlib import Path

import torch

from utils.errors import InputError


def read_torch_file(path: str | Path) -> dict:
    """Content of a .pth file, tensors on the CPU; never unpickles code. Raises InputError."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(f"{path}: not a readable checkpoint ({str(error).splitlines()[0]})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, not a checkpoint")
    return content
