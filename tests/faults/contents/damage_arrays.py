"""Arrays and tensors in files of numpy, torch and pickle are damaged: other shapes, other kinds, no numbers."""

import io
import pickle
import zipfile
from typing import Any

import numpy as np

from tests.faults.contents.damage import VALUES, Draw, damage_tree


def damage_array(data: Draw, array: np.ndarray) -> np.ndarray:
    """Another shape, another kind of numbers, or numbers that nobody can use."""
    kind = data.whole(0, 9)
    array = array.copy()
    if kind <= 2 and array.size and array.dtype.kind == "f":
        flat = array.reshape(-1)
        count = data.one((1, len(flat), max(1, len(flat) // 3)))
        with np.errstate(over="ignore"):
            flat[:count] = data.one((np.nan, np.inf, -np.inf, 1e300, -1e300, 1e30, 1e-40, 0, -1, 1e6))
    elif kind == 3:
        numbers = ("<f2", ">f4", "<f8", ">f8", "<i4", ">i8", "u1", "?", "c16", "U5", "S3", "M8[s]", "g", "V4", "O")
        kinds = ("S3", "U9", "V4", "M8[s]", "O") if array.dtype.kind in "US" else numbers
        with np.errstate(all="ignore"):
            wanted = data.one(kinds)
            array = np.zeros(array.shape, wanted) if wanted in ("V4", "M8[s]") else array.astype(wanted)
    elif kind == 4:
        array = data.one((array.T, array[None], array[..., None], array.reshape(-1), array.reshape(-1)[:1].reshape(())))
    elif kind == 5 and array.ndim:
        array = data.one((array[:0], array[:1], array[:2], array[..., :0], array[..., :-1], array[::-1]))
    elif kind == 6:
        array = np.asfortranarray(array)
    elif kind == 7 and array.dtype.kind == "f":
        with np.errstate(all="ignore"):
            array = array * data.one((1000, 100, 0.01, 0.001, -1, 0, 1e20))
    elif kind == 8:
        array = np.zeros(3, dtype=[("a", "f4"), ("b", "i4")])
    elif array.ndim:
        array = np.concatenate([array, array]) if len(array) < 1000 else array[:7]
    return array


def npy_bytes(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def damage_npy(data: Draw, content: bytes) -> bytes:
    return npy_bytes(damage_array(data, np.load(io.BytesIO(content))))


def damage_npy_header(data: Draw, content: bytes) -> bytes:
    """Another header of the same length where it fits: shapes of terabytes, negative ones, other words."""
    length = int.from_bytes(content[8:10], "little")
    header = content[10 : 10 + length].decode("latin-1")
    old = header[header.index("(") : header.index(")") + 1]
    new = data.one(
        ("(-1, 3)", "(99999999999, 9999999)", "(2147483648,)", "(0,)", "()", "(1e3,)", "x", "(True, 3)", "([],)")
    )
    changed = header.replace(old, new)
    if not data.whole(0, 3):
        changed = data.one((header.replace("<f4", "|O"), header.replace("'descr'", "'x'"), "{" * 300, "\x00" * length))
    changed = changed.rstrip().ljust(length - 1)[: length - 1] + "\n"
    return content[:10] + changed.encode("latin-1") + content[10 + length :]


def damage_npz(data: Draw, content: bytes) -> bytes:
    """One array of the archive damaged, left out, renamed, or no array at all."""
    with np.load(io.BytesIO(content)) as archive:
        arrays = dict(archive.items())
    name = data.one(sorted(arrays))
    kind = data.whole(0, 5)
    raw: dict[str, bytes] = {}
    if kind <= 3:
        arrays[name] = damage_array(data, arrays[name])
    elif kind == 4:
        raw[name] = b"" if data.whole(0, 1) else damage_npy_header(data, npy_bytes(arrays[name]))
        del arrays[name]
    else:
        arrays[data.one(("x", name.upper(), f"{name}/x"))] = arrays.pop(name)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for key, array in arrays.items():
            archive.writestr(f"{key}.npy", npy_bytes(array))
        for key, held in raw.items():
            archive.writestr(f"{key}.npy", held)
    return stream.getvalue()


def damage_torch(data: Draw, content: bytes) -> bytes:
    """A file of torch whose tensors or values are others."""
    import torch

    value = torch.load(io.BytesIO(content), weights_only=True)
    tensors = _tensors_in(value)
    if tensors and data.whole(0, 1):
        holder, key = data.one(tensors)
        array = damage_array(data, holder[key].detach().numpy())
        plain = array.dtype.kind in "fiubc" and array.dtype.itemsize <= 16
        holder[key] = (
            torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("=")))
            if plain and array.dtype != np.longdouble
            else None
        )
    else:
        value = damage_tree(data, value, VALUES[:-1])
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def _tensors_in(value: Any) -> list[tuple[Any, Any]]:
    """(holder, key) of each tensor in nested dictionaries and lists."""
    import torch

    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, entry in pairs:
        found += [(value, key)] if isinstance(entry, torch.Tensor) else _tensors_in(entry)
    return found


def damage_pickle(data: Draw, content: bytes) -> bytes:
    return pickle.dumps(damage_tree(data, pickle.loads(content)))
