"""These functions read and write files of torch (.pth, .tar) as plain values: nothing in a file is ever executed.

What was read is checked here too: weights against those of the network that they are for, values against a dataclass.
"""

import errno
import pickle
import re
import struct
import types
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import torch

from utils.errors import InputError, refused_by_system
from utils.files.atomic import write_atomic
from utils.files.text_files import unreadable
from utils.wording import shortened

# What torch raises for damaged files, found by damaging many: the bytes choose its way, so nearly anything can fail.
_DAMAGED_PICKLE = (pickle.UnpicklingError, EOFError, struct.error, LookupError, TypeError, AttributeError)
_DAMAGED = (*_DAMAGED_PICKLE, OSError, RuntimeError, ValueError, AssertionError, MemoryError)
_PYTHON_OBJECT = re.compile(r"Unsupported \w+: GLOBAL (\S+)")
_SHOWN = 3  # names that a message gives of a file of another kind
# What often lies in the place of a checkpoint, by its first bytes.
_STARTS = (
    (b"version https://git-lfs", "it is a Git LFS pointer, not the file itself (git lfs pull gets that)"),
    (b"<", "it is a web page: download the file again"),
    (b"\x1f\x8b", "it is a compressed archive: unpack it, and give a file of it"),
    (b"\x93NUMPY", "it is an array of numpy (.npy)"),
)
T = TypeVar("T")


def write_torch_file(path: str | Path, content: dict[str, Any]) -> None:
    """Write plain values and tensors, whole or not at all; `read_torch_file` reads them."""
    write_atomic(path, lambda stream: torch.save(content, stream))


def read_torch_file(path: str | Path, mapped: bool = False) -> dict[str, Any]:
    """The dictionary in a file of torch, with its tensors on the CPU.

    Args:
        mapped: tensors stay in the file until they are looked at; only for files that `write_torch_file` wrote.

    Raises:
        InputError: no such file, a damaged one, or one that holds code or no dictionary.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder, expected a file of torch (.pth, .tar)")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with path.open("rb") as stream:
            start = stream.read(64)
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped or None)
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # of the disk, not of the bytes
            raise unreadable(path, error) from None
        raise InputError(
            f"{path}: not a readable checkpoint: {refused_objects(error) or _damage(error, start)}"
        ) from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, not a checkpoint")
    return content


@contextmanager
def state_of_a_run(path: str | Path) -> Iterator[dict[str, Any]]:
    """The content of a file that a run of ours saved, to go on from, for the block that takes it up.

    Raises:
        InputError: the file is damaged, or what the block does with its content fails: it is of another run or kind.
        RuntimeError: there is no memory for it.
    """
    way_out = f"remove {path}, and the run begins anew"
    try:
        content = read_torch_file(path)
    except InputError as error:
        raise InputError(f"{error}; or {way_out}") from None
    try:
        yield content
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        if refused_by_system(error) is not None:  # no memory for it: the state is good
            raise
        problem = shortened(f"{type(error).__name__}: {error}", 120)
        raise InputError(f"{path}: is not the state of this run ({problem}): {way_out}") from None


def refused_objects(error: Exception) -> str | None:
    """What torch refused to load, in our words: its own advise to load the file unsafely. None: another error."""
    found = _PYTHON_OBJECT.search(str(error))
    if found is None:
        return None
    return f"it holds Python objects ({found[1]}), which are never loaded, only tensors and plain values"


def _damage(error: Exception, start: bytes) -> str:
    known = next((words for begin, words in _STARTS if start.lstrip().startswith(begin)), None)
    if known is not None:
        return known
    what = "damaged, or only a part of it is here" if start else "it is empty"
    return f"it cannot be read: {what} ({type(error).__name__}); copy it or make it again"


def what_it_holds(content: Mapping[Any, Any]) -> str:
    """Half a line about a file that was expected to hold something else."""
    if isinstance(content.get("format"), str):
        return f"it is a file of the format {shown(content['format'])}"
    names = [shown(name) for name in list(content)[:_SHOWN]] + (["..."] if len(content) > _SHOWN else [])
    if content and all(isinstance(value, torch.Tensor) for value in content.values()):
        return f"it holds {len(content)} tensors and nothing that says of what ({', '.join(names)})"
    return f"it holds {', '.join(names) or 'nothing'}"


def shown(value: Any) -> str:
    """A value of a file in a message: on one line, and not long."""
    return "a tensor" if isinstance(value, torch.Tensor) else shortened(value)


def check_weights(found: Any, expected: Mapping[str, torch.Tensor]) -> None:
    """Check a state dict of a file against that of the network it is for, which may lie on "meta", and its values.

    Raises:
        InputError: naming the first tensor that is missing, too many, of another shape or kind, or not finite.
    """
    check_form(found, expected)
    check_finite(found.items())


def check_form(found: Any, expected: Mapping[str, torch.Tensor]) -> None:
    """As `check_weights`, but for the values, where they were looked at before."""
    if not isinstance(found, Mapping):
        raise InputError(f"a {type(found).__name__} stands where tensors by name are expected")
    for name in [*expected, *(name for name in found if name not in expected)]:
        if name not in found:
            raise InputError(f"tensor {name} is missing")
        if name not in expected:
            raise InputError(f"tensor {shown(name)} is one too many")
        value, wanted = found[name], expected[name]
        if not isinstance(value, torch.Tensor) or value.layout != torch.strided:
            raise InputError(f"{name} is {shown(value)}, expected a plain tensor")
        if value.shape != wanted.shape:
            raise InputError(f"tensor {name} is {tuple(value.shape)}, expected {tuple(wanted.shape)}")
        if value.is_floating_point() != wanted.is_floating_point() or value.is_complex():
            raise InputError(f"tensor {name} holds {value.dtype} numbers, expected {wanted.dtype}")


def check_finite(tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Raise InputError, naming the first tensor that holds a value that is not finite (NaN, infinite)."""
    for name, tensor in tensors:
        # A sum takes a fifth of the time of a check of every value; it may also overflow, so then every value is seen.
        if tensor.is_floating_point() and not torch.isfinite(tensor.sum(dtype=torch.float32)):
            bad = int((~torch.isfinite(tensor)).sum())
            if bad:
                raise InputError(
                    f"tensor {name} holds {bad} values that are not finite (NaN): its training went wrong, or the "
                    "file is damaged"
                )


def from_values(kind: type[T], values: Any, what: str) -> T:
    """A dataclass of plain fields, made of the values of a file.

    Args:
        what: the beginning of an error message.

    Raises:
        InputError: naming what is missing, not known, or of another type.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{what} is {shown(values)}, expected a table of values")
    hints = get_type_hints(kind)
    for field in fields(kind):
        if field.name not in values:
            if field.default is MISSING and field.default_factory is MISSING:
                raise InputError(f"{what} has no entry {field.name!r}")
        elif not _is_a(values[field.name], hints[field.name]):
            raise InputError(
                f"{what}: {field.name} is {shown(values[field.name])}, expected {_in_words(hints[field.name])}"
            )
    unknown = [name for name in values if name not in hints]
    if unknown:
        raise InputError(f"{what} has an entry {shown(unknown[0])!r}, which is not known here")
    return kind(**values)


def _is_a(value: Any, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_is_a(value, choice) for choice in get_args(hint))
    if origin is tuple:
        return isinstance(value, tuple) and all(_is_a(entry, get_args(hint)[0]) for entry in value)
    if hint is Any:
        return True
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or hint)


def _in_words(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and get_origin(hint) is None else str(hint)
