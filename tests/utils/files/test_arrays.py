"""Reading arrays that users give: whatever is wrong with the file is one clear error."""

import struct
import zipfile

import numpy as np
import pytest

from utils.errors import InputError
from utils.files.arrays import npy_shape, read_npy, read_npz, write_npy


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


def with_header(header: str, data: bytes = b"") -> bytes:
    """A .npy of version 1 with this header."""
    padded = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + data


SHAPES = ("(10**15,)", "(1000000000000000, 263)", "(9223372036854775807, 9223372036854775807)", "(-1, -4)", "(5,)",
          "(1000000000000000000000000000, 0)", f"({'1,' * 200})", f"(1{'0' * 4500},)", f"({'9' * 3000}, {'9' * 3000})",
          "True", "(1.5,)", "(" * 9000)  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape[:40])
@pytest.mark.parametrize("archived", [False, True], ids=["npy", "npz"])
def test_a_header_that_the_data_do_not_bear_out_is_refused(tmp_path, shape, archived):
    content = with_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}", bytes(16))
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("poses.npy", content)
    with pytest.raises(InputError, match=r"a\.npz: cannot read poses" if archived else r"a\.npy: not a readable"):
        read_npz(tmp_path / "a.npz", ["poses"]) if archived else read_npy(tmp_path / "a.npy")


TYPES = ("'<c8'", "'|b1'", "'<M8[s]'", "'<m8[s]'", "'|V4'", "[('a', '<f4')]", "[('a', '|O')]", "'|O'", "'<U1000000000'",
         "()", "[1]", "{}", "'nonsense'")  # fmt: skip


@pytest.mark.parametrize("descr", TYPES)
@pytest.mark.parametrize("archived", [False, True], ids=["npy", "npz"])
def test_only_real_numbers_are_numbers(tmp_path, descr, archived):
    content = with_header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}", bytes(8))
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("poses.npy", content)
    with pytest.raises(InputError, match=r"a\.np[yz]: "):
        read_npz(tmp_path / "a.npz", ["poses"]) if archived else read_npy(tmp_path / "a.npy")


def test_numbers_come_in_the_byte_order_of_this_machine(tmp_path):
    for name in (">f4", ">i8", "<f2", "<u1", ">f8"):
        np.save(tmp_path / "a.npy", np.arange(6).reshape(2, 3).T.astype(name))
        array = read_npy(tmp_path / "a.npy")
        assert array.dtype.isnative and array.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_two_arrays_in_one_file_are_not_taken_for_one(tmp_path):
    write_npy(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes() * 2)
    with pytest.raises(InputError, match=r"promises 24 bytes .* and 176 bytes of data"):
        read_npy(tmp_path / "a.npy")


def test_an_encrypted_archive_is_named(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, poses=np.zeros(3))
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flags of the entry, at both its headers
        content[content.index(signature) + place] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz: cannot read poses \(it is encrypted"):
        read_npz(path, ["poses"])


def test_a_zip_bomb_is_refused_before_it_unfolds(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.files.arrays._BOMB_BYTES", 1_000_000)  # a real one takes seconds to pack
    np.savez_compressed(tmp_path / "a.npz", poses=np.zeros(150_000), betas=np.zeros(10))
    with pytest.raises(InputError, match=r"a\.npz: cannot read poses \(it would unfold from \d+ to 12001\d\d bytes"):
        read_npz(tmp_path / "a.npz", ["betas", "poses"])


def test_an_entry_of_an_archive_that_is_no_array_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("poses", "a person walks")
    with pytest.raises(InputError, match=r"a\.npz: cannot read poses"):
        read_npz(tmp_path / "a.npz", ["poses"])


def test_what_is_no_array_of_numbers_is_refused(tmp_path):
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.save(tmp_path / "objects.npy", np.array([{}, None], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "many.npz", a=np.zeros(3))
    (tmp_path / "folder.npy").mkdir()
    for name in ("words.npy", "objects.npy", "many.npz", "absent.npy", "folder.npy"):
        with pytest.raises(InputError, match=name):
            read_npy(tmp_path / name)


def test_a_name_too_long_for_a_file_is_no_file(tmp_path):
    for read in (lambda path: read_npy(f"{path}.npy"), lambda path: read_npz(f"{path}.npz", ["a"])):
        with pytest.raises(InputError, match="no such file"):
            read(tmp_path / ("x" * 300))


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


def test_the_shape_of_a_file_is_that_of_a_whole_one(tmp_path):
    path = tmp_path / "a.npy"
    write_npy(path, np.zeros((4, 22, 3), np.float32))
    assert npy_shape(path) == (4, 22, 3)
    path.write_bytes(path.read_bytes()[:-1])
    assert npy_shape(path) is None and npy_shape(tmp_path / "none.npy") is None and npy_shape(tmp_path) is None
