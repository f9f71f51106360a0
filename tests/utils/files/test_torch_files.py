"""Files of torch: plain values come back, and a file damaged anywhere is one clear error."""

import random

import pytest
import torch

from utils.errors import InputError
from utils.files.torch_files import read_torch_file, write_torch_file

CONTENT = {"format": "x", "net": {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4)}, "step": 3, "t": (1, "s")}


def test_what_is_written_is_read(tmp_path):
    write_torch_file(tmp_path / "a.pth", CONTENT)
    found = read_torch_file(tmp_path / "a.pth")
    assert torch.equal(found["net"]["a"], CONTENT["net"]["a"]) and found["t"] == (1, "s")


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_file_damaged_anywhere_is_an_error_or_a_dictionary(tmp_path, as_zip):
    """Cut short, bytes changed, bytes zeroed: 600 times, in the format of today and in that of before torch 1.6."""
    path, rng = tmp_path / "a.pth", random.Random(0)
    torch.save(CONTENT, path, _use_new_zipfile_serialization=as_zip)
    good, refused = path.read_bytes(), 0
    for number in range(600):
        bad, place = bytearray(good), rng.randrange(len(good))
        if number % 3 == 0:
            del bad[place:]
        elif number % 3 == 1:
            bad[place] = rng.randrange(256)
        else:
            bad[place : place + 30] = bytes(len(bad[place : place + 30]))
        path.write_bytes(bad)
        try:
            read_torch_file(path)
        except InputError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
            refused += 1
    assert refused > 300


def test_code_is_never_loaded_and_torchs_advice_to_do_so_not_repeated(tmp_path):
    torch.save({"a": print}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"it holds Python objects \(print\), which are never loaded") as caught:
        read_torch_file(tmp_path / "a.pth")
    assert "weights_only" not in str(caught.value)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    torch.save([1], tmp_path / "list.pth")
    (tmp_path / "empty.pth").touch()
    (tmp_path / "text.pth").write_text("hello")
    for name, said in (
        ("list.pth", "holds a list, not a checkpoint"),
        ("empty.pth", "not a readable checkpoint: it cannot be read"),
        ("text.pth", "not a readable checkpoint: it cannot be read"),
        ("absent.pth", "no such file"),
        (".", "no such file"),
    ):
        with pytest.raises(InputError, match=said):
            read_torch_file(tmp_path / name)
