"""Models of transformers: what is damaged, lacking or of another model is one line, and code beside it is not run."""

import errno
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from utils.errors import InputError
from utils.files.pretrained import load_part, load_weights


class Evil:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def folder(tmp_path, backbone):
    return shutil.copytree(backbone, tmp_path / "model")


def load(folder):
    load_part(AutoTokenizer, str(folder))
    return load_weights(AutoModelForCausalLM, str(folder))


def change_weights(folder, **changes):
    weights = load_file(folder / "model.safetensors")
    for name, value in changes.items():
        name = name.replace("__", ".")
        if value is None:
            del weights[name]
        else:
            weights[name] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def change_config(folder, name="config.json", **changes):
    values = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**values, **changes}))


def test_a_whole_folder_is_loaded(folder):
    assert torch.isfinite(load(folder)(torch.tensor([[1, 2]])).logits).all()


NORM = "model__norm__weight"


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda f: (f / "tokenizer.json").write_text("{"), "its tokenizer.json is damaged: Expecting"),
        (
            lambda f: (f / "config.json").write_text("[]"),
            "its config.json is damaged: it holds a list, expected an object",
        ),
        (lambda f: (f / "config.json").write_text("[" * 100_000), "its config.json is damaged"),
        (lambda f: (f / "tokenizer.json").unlink(), ""),
        (lambda f: (f / "model.safetensors").unlink(), "Error no file named model.safetensors"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "header too small"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 100), "header too large"),
        (lambda f: change_weights(f, **{NORM: None}), "its weights are not all there: model.norm.weight missing"),
        (
            lambda f: change_weights(f, **{NORM: torch.zeros(3)}),
            r"its weights are not those of its config.json: model.norm.weight is \(3,\), not",
        ),
        (lambda f: change_weights(f, **{NORM: torch.full((64,), torch.nan)}), "model.norm.weight holds 64 values"),
        (
            lambda f: change_config(f, num_hidden_layers=3, layer_types=["full_attention"] * 3),
            "its weights are not all there",
        ),
        (lambda f: change_config(f, model_type="evil"), "evil"),
        (
            lambda f: change_config(f, "tokenizer_config.json", model_max_length="long"),
            "model_max_length is long, expected a number",
        ),
    ],
)
def test_what_is_wrong_with_a_folder_is_one_line(folder, harm, said):
    harm(folder)
    with pytest.raises(InputError, match=said) as caught:
        load(folder)
    assert str(caught.value) and "\n" not in str(caught.value)


def test_nothing_beside_a_model_is_executed(folder, tmp_path):
    trace = tmp_path / "executed"
    good = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save({**good, "evil": Evil(trace)}, folder / "evil.bin")
    shutil.copy(folder / "evil.bin", folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"it holds Python objects .*, which are never loaded"):
        load(folder)
    assert not trace.exists()

    torch.save(good, folder / "pytorch_model.bin")
    code = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    (folder / "evil.py").write_text(f"open({str(trace)!r}, 'w')\n")
    change_config(folder, auto_map=code)
    assert load(folder) is not None  # transformers knows the architecture itself, and the code beside it stays unread
    change_config(folder, auto_map=code, model_type="evil")
    with pytest.raises(InputError, match=r"it needs code of its own .*, which is never run"):
        load(folder)
    assert not trace.exists()
    # The file would have left its trace where it is loaded unsafely.
    torch.load(folder / "evil.bin", weights_only=False)
    assert trace.exists()


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "too many"), MemoryError(), OSError(errno.EIO, "failed")])
def test_what_the_system_refuses_is_no_fault_of_the_folder(folder, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", refuse)
    with pytest.raises(type(error)):
        load_part(AutoTokenizer, str(folder))
