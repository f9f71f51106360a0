"""These functions read and write arrays of numbers (.npy, .npz); nothing in a file is ever unpickled.

A header is believed only where the file is as long as it says, so no header can ask for memory that no data stands
behind; of a compressed archive, what would unfold to a multiple of its size is refused before it does.
"""

import lzma
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from utils.errors import InputError
from utils.files.atomic import write_atomic
from utils.wording import shortened

# What numpy and zipfile raise for damaged files, found by damaging many: a header is a Python literal, and an archive
# may be encrypted (RuntimeError) or packed in a way that Python cannot undo (NotImplementedError).
_DAMAGED_HEADER = (SyntaxError, tokenize.TokenError, TypeError, LookupError, AttributeError, OverflowError)
_DAMAGED_ARCHIVE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, RuntimeError)
_DAMAGED = (OSError, ValueError, EOFError, MemoryError, *_DAMAGED_HEADER, *_DAMAGED_ARCHIVE)
_NUMBERS, _WORDS = "iuf", "US"
_LONGEST_WORDS = 1 << 16  # bytes: a gender, the name of a model
_PYTHON_OBJECTS = (
    "it holds Python objects (scipy.sparse, chumpy, pickles), which are never loaded: convert the file to one of plain "
    "arrays first"
)
# An array of more bytes that is packed more than so many times smaller is no motion and no body model.
_BOMB_BYTES, _BOMB_RATIO = 1 << 30, 100
_ENCRYPTED = 0x1  # flag of a zip entry


def write_npy(path: str | Path, array: np.ndarray) -> None:
    write_atomic(path, lambda stream: np.save(stream, array))


def write_npz(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    write_atomic(path, lambda stream: np.savez_compressed(stream, **arrays))


def read_npy(path: str | Path) -> np.ndarray:
    """The one array of real numbers in a .npy file, in the byte order of this machine.

    Raises:
        InputError: no such file, a damaged one, one whose header and length disagree, or one of something else (words,
            truth values, complex numbers, dates, tables, Python objects, an archive).
    """
    path = Path(path)
    if not os.path.isfile(path):  # Path.is_file raises where the name is too long for a file
        raise InputError(f"{path}: no such file")
    try:
        with path.open("rb") as stream:
            return _read_array(stream, path.stat().st_size, _NUMBERS)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except _DAMAGED as error:
        raise InputError(f"{path}: not a readable .npy file ({_in_words(error)})") from None


def names_in_npz(path: str | Path) -> set[str]:
    """The names of the arrays in an .npz, of which none is read. Raises InputError for what is no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except _DAMAGED as error:
        raise InputError(f"{path}: not a readable .npz archive ({_in_words(error)})") from None


def read_npz(path: str | Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Those of the named arrays that an .npz holds, of real numbers or of a few words; the others are not read.

    Raises:
        InputError: no such file, a damaged or encrypted one, or a named array of something else.
    """
    if not os.path.isfile(path):
        raise InputError(f"{path}: no such file")
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: not an .npz archive, or a truncated one")
    arrays = {}
    name = "the archive"
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            for name in names:
                if name in entries:
                    arrays[name] = _read_entry(archive, entries[name])
    except (InputError, *_DAMAGED) as error:
        raise InputError(f"{path}: cannot read {name} ({_in_words(error)})") from None
    return arrays


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    if entry.flag_bits & _ENCRYPTED:
        raise InputError("it is encrypted: unpack it with its password and pack it again without one")
    if entry.file_size > max(_BOMB_BYTES, _BOMB_RATIO * entry.compress_size):
        raise InputError(f"it would unfold from {entry.compress_size} to {entry.file_size} bytes")
    with archive.open(entry) as stream:
        array = _read_array(stream, entry.file_size, _NUMBERS + _WORDS)
        stream.read(1)  # at the end of the entry its checksum is compared
        return array


def npy_shape(path: str | Path) -> tuple[int, ...] | None:
    """The shape of the numbers in a whole .npy file, of which the header alone is read; None where there is none."""
    try:
        with Path(path).open("rb") as stream:
            return _read_header(stream, os.fstat(stream.fileno()).st_size, _NUMBERS)[0]
    except (InputError, *_DAMAGED):
        return None


def _read_array(stream: BinaryIO, size: int, kinds: str) -> np.ndarray:
    """The array in a stream of `size` bytes; InputError without a path, or one of `_DAMAGED`."""
    shape, dtype = _read_header(stream, size, kinds)
    if dtype.kind in _WORDS and math.prod(shape) * dtype.itemsize > _LONGEST_WORDS:
        raise InputError(f"does not hold one array of numbers, but {math.prod(shape) * dtype.itemsize} bytes of words")
    stream.seek(0)
    array = npy_format.read_array(stream, allow_pickle=False)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _read_header(stream: BinaryIO, size: int, kinds: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array in a stream of `size` bytes, which must be as long as they say."""
    version = npy_format.read_magic(stream)
    # Version 3 differs from 2 in the names of a table's columns alone, which is refused here anyway.
    read_header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    if dtype.hasobject:
        raise InputError(_PYTHON_OBJECTS)
    if dtype.kind not in kinds:
        raise InputError(f"does not hold one array of numbers, but of {dtype}")
    start = stream.tell()
    promised = math.prod(shape) * dtype.itemsize
    if start + promised != size or min(shape, default=0) < 0:
        raise InputError(
            f"not a readable array: a header that promises {promised} bytes (shape {shortened(shape, 60)}, {dtype}) "
            f"and {size - start} bytes of data; damaged, or only a part of it is here: copy it or make it again"
        )
    return shape, dtype


def _in_words(error: BaseException) -> str:
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MemoryError):
        return "it does not fit into memory, or its header is damaged"
    return " ".join(str(error).split())[:200] or type(error).__name__
