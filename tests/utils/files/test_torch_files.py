"""Files of torch: plain values come back, and a file damaged anywhere is one clear error."""

import errno
import os
import random
from dataclasses import dataclass, field

import pytest
import torch

from utils.errors import InputError
from utils.files.torch_files import (
    check_weights,
    from_values,
    read_torch_file,
    state_of_a_run,
    what_it_holds,
    write_torch_file,
)

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
    (tmp_path / "pointer.pth").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    (tmp_path / "page.pth").write_text("\n <!DOCTYPE html><html>quota exceeded</html>")
    for name, said in (
        ("list.pth", "holds a list, not a checkpoint"),
        ("empty.pth", "not a readable checkpoint: it cannot be read: it is empty"),
        ("pointer.pth", "it is a Git LFS pointer, not the file itself"),
        ("page.pth", "it is a web page: download the file again"),
        ("text.pth", "not a readable checkpoint: it cannot be read"),
        ("absent.pth", "no such file"),
        (".", "is a folder, expected a file of torch"),
    ):
        with pytest.raises(InputError, match=said):
            read_torch_file(tmp_path / name)


NETWORK = {"a": torch.zeros(2, 3), "b": torch.zeros(4), "count": torch.zeros(1, dtype=torch.long)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"a": torch.ones(2, 3, dtype=torch.bfloat16)}, None),  # half precision is what it is, not damage
        ({"a": torch.full((2, 3), 3e38)}, None),  # whose sum is infinite, but no value
        ({"a": torch.zeros(3, 2)}, r"tensor a is \(3, 2\), expected \(2, 3\)"),
        ({"a": torch.tensor([[1.0, float("nan"), 2], [float("inf"), 0, 0]])}, "tensor a holds 2 values that are not"),
        ({"a": torch.zeros(2, 3, dtype=torch.long)}, "tensor a holds torch.int64 numbers, expected torch.float32"),
        ({"count": torch.zeros(1)}, "tensor count holds torch.float32 numbers, expected torch.int64"),
        ({"a": torch.zeros(2, 3, dtype=torch.complex64)}, "tensor a holds torch.complex64 numbers"),
        ({"a": torch.zeros(2, 3).to_sparse()}, "a is a tensor, expected a plain tensor"),
        ({"a": 1.5}, "a is 1.5, expected a plain tensor"),
        ({"more\nlines": torch.zeros(1)}, "tensor more lines is one too many"),
        ({"a": None}, "a is None, expected a plain tensor"),
    ],
)
def test_weights_are_those_of_the_network_or_the_first_that_is_not_is_named(change, said):
    found = {**NETWORK, **change}
    if said is None:
        check_weights(found, NETWORK)
        return
    with pytest.raises(InputError, match=said) as caught:
        check_weights(found, NETWORK)
    assert "\n" not in str(caught.value)


def test_weights_that_are_none_are_named():
    with pytest.raises(InputError, match="tensor b is missing"):
        check_weights({"a": NETWORK["a"]}, NETWORK)
    with pytest.raises(InputError, match="a list stands where tensors by name are expected"):
        check_weights([1], NETWORK)


@dataclass(frozen=True)
class Config:
    name: str
    width: int = 4
    rate: float = 0.5
    kind: str | None = None
    tasks: tuple[str, ...] = ()
    table: dict[str, int] = field(default_factory=dict)


def test_values_of_a_file_become_a_dataclass_or_the_wrong_one_is_named():
    assert from_values(Config, {"name": "x", "rate": 1, "tasks": ("a",)}, "its config") == Config(
        "x", rate=1, tasks=("a",)
    )
    for values, said in (
        ([], r"its config is \[\], expected a table of values"),
        ({}, "its config has no entry 'name'"),
        ({"name": 3}, "its config: name is 3, expected str"),
        ({"name": "x", "width": True}, "its config: width is True, expected int"),
        ({"name": "x", "width": "4"}, "its config: width is 4, expected int"),
        ({"name": "x", "rate": None}, "its config: rate is None, expected float"),
        ({"name": "x", "kind": 1}, r"its config: kind is 1, expected str \| None"),
        ({"name": "x", "tasks": ("a", 1)}, "its config: tasks is"),
        ({"name": "x", "table": []}, "its config: table is"),
        ({"name": "x", "other": 1}, "its config has an entry 'other', which is not known here"),
    ):
        with pytest.raises(InputError, match=said):
            from_values(Config, values, "its config")


def test_a_file_of_another_kind_is_told_by_what_it_holds():
    assert what_it_holds({"format": "x", "a": 1}) == "it is a file of the format x"
    assert what_it_holds({"a": torch.zeros(1), "b": torch.zeros(1)}) == (
        "it holds 2 tensors and nothing that says of what (a, b)"
    )
    assert what_it_holds({}) == "it holds nothing"
    assert what_it_holds({1: 1, 2: 2, 3: 3, 4: 4}) == "it holds 1, 2, 3, ..."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty .* or remove .*, and the run begins anew"),
        ({"step": 3}, r"is not the state of this run \(KeyError: 'model'\): remove .*, and the run begins anew"),
        ({"model": {"x": torch.zeros(1)}}, "is not the state of this run .RuntimeError: .*: remove "),
        ({"model": 5}, "is not the state of this run .TypeError: .*: remove "),
    ],
)
def test_a_state_that_a_run_cannot_go_on_from_says_the_way_out(tmp_path, content, said):
    path = tmp_path / "state.pt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(InputError, match=said) as caught, state_of_a_run(path) as state:
        torch.nn.Linear(2, 2).load_state_dict(state["model"])
    assert "\n" not in str(caught.value)
    torch.save({"model": torch.nn.Linear(2, 2).state_dict()}, path)
    with state_of_a_run(path) as state:
        torch.nn.Linear(2, 2).load_state_dict(state["model"])


def test_a_state_for_which_there_is_no_memory_is_not_called_damaged(tmp_path):
    write_torch_file(tmp_path / "state.pth", {"step": 3})
    with pytest.raises(RuntimeError, match="out of memory"), state_of_a_run(tmp_path / "state.pth"):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")


def test_a_disk_that_fails_is_not_called_a_damaged_file(tmp_path, monkeypatch):
    write_torch_file(tmp_path / "a.pth", {"step": 3})

    def failing(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(torch, "load", failing)
    with pytest.raises(InputError, match=r"a\.pth: cannot be read \(Input/output error\)"):
        read_torch_file(tmp_path / "a.pth")
