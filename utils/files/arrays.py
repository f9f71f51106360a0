"""These functions read and write arrays of numbers (.npy, .npz); nothing in a file is ever unpickled."""

import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from utils.errors import InputError
from utils.files.atomic import write_atomic

# What numpy raises for damaged files: their headers are Python literals, and a file may begin like a zip archive.
_DAMAGED_HEADER = (SyntaxError, tokenize.TokenError, MemoryError)
_DAMAGED_ARCHIVE = (zipfile.BadZipFile, zlib.error, NotImplementedError)
_DAMAGED = (OSError, ValueError, EOFError, *_DAMAGED_HEADER, *_DAMAGED_ARCHIVE)


def write_npy(path: str | Path, array: np.ndarray) -> None:
    write_atomic(path, lambda stream: np.save(stream, array))


def read_npy(path: str | Path) -> np.ndarray:
    """The one array of numbers in a .npy file.

    Raises:
        InputError: no such file, a damaged one, or one that holds something else.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except _DAMAGED as error:
        raise InputError(f"{path}: not a readable .npy file ({error})") from None
    if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.number):
        raise InputError(f"{path}: does not hold one array of numbers")
    return array


def read_npz(path: str | Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Those of the named arrays that an .npz holds; the others are not read.

    Raises:
        InputError: no such file, a damaged one, or a named array of Python objects.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: not an .npz archive, or a truncated one")
    arrays = {}
    name = "the archive"
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in names:
                if name in archive.files:
                    arrays[name] = archive[name]
    except _DAMAGED as error:
        raise InputError(
            f"{path}: cannot read {name} ({error}). Python objects (scipy.sparse, chumpy, pickles) are never loaded: "
            "convert the file to an .npz of plain arrays first"
        ) from None
    return arrays
