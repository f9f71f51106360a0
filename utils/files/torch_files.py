"""These functions read and write files of torch (.pth, .tar) as plain values: nothing in a file is ever executed."""

import pickle
import re
import struct
from pathlib import Path
from typing import Any

import torch

from utils.errors import InputError
from utils.files.atomic import write_atomic

# What torch raises for damaged files, found by damaging many: the bytes choose its way, so nearly anything can fail.
_DAMAGED_PICKLE = (pickle.UnpicklingError, EOFError, struct.error, LookupError, TypeError, AttributeError)
_DAMAGED = (*_DAMAGED_PICKLE, OSError, RuntimeError, ValueError, AssertionError, MemoryError)
_PYTHON_OBJECT = re.compile(r"Unsupported \w+: GLOBAL (\S+)")


def write_torch_file(path: str | Path, content: dict[str, Any]) -> None:
    """Write plain values and tensors, whole or not at all; `read_torch_file` reads them."""
    write_atomic(path, lambda stream: torch.save(content, stream))


def read_torch_file(path: str | Path) -> dict[str, Any]:
    """The dictionary in a file of torch, with its tensors on the CPU.

    Raises:
        InputError: no such file, a damaged one, or one that holds code or no dictionary.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise InputError(f"{path}: not a readable checkpoint: {_problem(error)}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, not a checkpoint")
    return content


def _problem(error: Exception) -> str:
    """What to do, in our words: those of torch advise to load the file unsafely."""
    found = _PYTHON_OBJECT.search(str(error))
    if found is not None:
        return f"it holds Python objects ({found[1]}), which are never loaded, only tensors and plain values"
    return (
        f"it cannot be read: damaged, or only a part of it is here ({type(error).__name__}); copy it or make it again"
    )
