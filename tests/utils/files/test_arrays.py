"""Reading arrays that users give: whatever is wrong with the file is one clear error."""

import numpy as np
import pytest

from utils.errors import InputError
from utils.files.arrays import read_npy, read_npz, write_npy


def damaged(good: bytes) -> dict[str, bytes]:
    header_end = good.index(b"}")
    return {
        "empty": b"",
        "truncated header": good[:40],
        "truncated data": good[:-8],
        "no array": b"a person walks",
        "header that is no Python": good[:12] + b"\xff" + good[13:],
        "header cut in a string": good.replace(b"'shape'", b"'shape "),
        "header that is no dictionary": good[: header_end - 4] + b"((((" + good[header_end:],
        "begins like a zip": b"PK\x03\x04" + good,
        "a shape beyond all memory": good.replace(b"(7, 5)", b"(7000000000000000, 5)").replace(b" " * 16, b"", 1),
    }


CASES = (
    "empty", "truncated header", "truncated data", "no array", "header that is no Python", "header cut in a string",
    "header that is no dictionary", "begins like a zip", "a shape beyond all memory",
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_damaged_arrays_are_named(tmp_path, case):
    path = tmp_path / "a.npy"
    write_npy(path, np.zeros((7, 5)))
    assert read_npy(path).shape == (7, 5)
    path.write_bytes(damaged(path.read_bytes())[case])
    with pytest.raises(InputError, match=r"a\.npy: not a readable"):
        read_npy(path)


def test_what_is_no_array_of_numbers_is_refused(tmp_path):
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.save(tmp_path / "objects.npy", np.array([{}, None], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "many.npz", a=np.zeros(3))
    for name in ("words.npy", "objects.npy", "many.npz", "absent.npy"):
        with pytest.raises(InputError, match=name):
            read_npy(tmp_path / name)


def test_of_an_archive_only_the_named_arrays_are_read(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.arange(3), b=np.array([{}], dtype=object))
    assert {name: array.tolist() for name, array in read_npz(tmp_path / "a.npz", ("a", "c")).items()} == {
        "a": [0, 1, 2]
    }
    with pytest.raises(InputError, match=r"a\.npz: cannot read b \(.*Python objects .* are never loaded"):
        read_npz(tmp_path / "a.npz", ("a", "b"))


def test_a_damaged_archive_is_named(tmp_path):
    path, rng = tmp_path / "a.npz", np.random.default_rng(0)
    np.savez_compressed(path, a=np.arange(300))
    good = path.read_bytes()
    for number in range(300):
        bad, place = bytearray(good), int(rng.integers(len(good)))
        if number % 2:
            del bad[place:]
        else:
            bad[place] = int(rng.integers(256))
        path.write_bytes(bad)
        try:
            read_npz(path, ("a",))
        except InputError as error:
            assert str(error).startswith(f"{path}: ")
    with pytest.raises(InputError, match="no such file"):
        read_npz(tmp_path / "b.npz", ("a",))
