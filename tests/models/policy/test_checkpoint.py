"""The checkpoint file: readable without pickle, refuses what does not belong to it."""

import copy

import pytest
import torch

from models.policy.adapters import full_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import (
    Checkpoint,
    PolicyConfig,
    load_checkpoint,
    metrics_of,
    motion_tokenizer_of,
    save_checkpoint,
)
from models.policy.policy import build_policy
from utils.errors import InputError


@pytest.fixture
def checkpoint(backbone, motion_tokenizer):
    model, _, text_vocabulary = load_backbone(backbone, 16, seed=0)
    part = full_part(dict(model.state_dict()), ("t2m",), "sft")
    return Checkpoint(PolicyConfig(backbone, 16, text_vocabulary), (part,), motion_tokenizer.state(), {"val_loss": 1.5})


def test_round_trip(tmp_path, checkpoint, motion_tokenizer):
    save_checkpoint(tmp_path / "c.pth", checkpoint)
    torch.load(tmp_path / "c.pth", weights_only=True)
    read = load_checkpoint(tmp_path / "c.pth")
    assert read.config == checkpoint.config and read.metrics == {"val_loss": 1.5}
    assert read.fingerprint("t2m") == checkpoint.fingerprint("t2m")
    assert motion_tokenizer_of(read, None, "c.pth").fingerprint == motion_tokenizer.fingerprint
    build_policy(read, "t2m")


def test_what_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path / "text.pth")
    torch.save({"net": {}}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="not a checkpoint of this project"):
        load_checkpoint(tmp_path / "other.pth")


def test_tokenizer_of_another_codebook_is_refused(tmp_path, checkpoint, motion_tokenizer):
    from models.tokenizer.motion_tokenizer import MotionTokenizer
    from models.tokenizer.network import MotionVQ, NetworkConfig

    sizes = {"feature_dim": 263, "code_dim": 16, "width": 16, "depth": 1, "output_emb_width": 16}
    for nb_code, words in ((8, "has 8 codes"), (16, "is not the one")):
        torch.manual_seed(9)
        other = MotionTokenizer(
            MotionVQ(NetworkConfig(nb_code=nb_code, **sizes)),
            motion_tokenizer.mean, motion_tokenizer.std, motion_tokenizer.skeleton,
        )  # fmt: skip
        other.save(tmp_path / "other.pth")
        with pytest.raises(InputError, match=words):
            motion_tokenizer_of(checkpoint, str(tmp_path / "other.pth"), "c.pth")


def test_backbone_of_another_vocabulary_is_refused(checkpoint):
    from dataclasses import replace

    wrong = replace(checkpoint, config=replace(checkpoint.config, text_vocabulary=7))
    with pytest.raises(InputError, match="7"):
        build_policy(wrong, "t2m")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_backbone("no/such-model", 16, seed=0)


def _set(*path, value):
    """What changes one entry of a file's content."""

    def change(content):
        place = content
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    return change


def _drop(*path):
    def change(content):
        place = content
        for name in path[:-1]:
            place = place[name]
        place.pop(path[-1])

    return change


NAN = torch.full((64,), torch.nan)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_drop("format_version"), "has format version None"),
        (_set("format_version", value="2"), "has format version 2; this code reads up to 2"),
        (_set("format_version", value=99), "has format version 99; this code reads up to 2"),
        (_drop("config"), "a damaged checkpoint"),
        (_set("config", value=[1]), "a damaged checkpoint"),
        (_set("config", "nb_code", value="16"), "its config: nb_code is 16, expected int"),
        (_set("config", "nb_code", value=-1), "its config has -1 codes"),
        (_set("config", "style", value=None), "its style is None, expected a table of values"),
        (_set("config", "prompt_version", value="7"), "it was trained with prompts 7"),
        (_set("parts", value=3), "a damaged checkpoint"),
        (_set("parts", 0, value=3), "a damaged checkpoint"),
        (_set("parts", 0, "tasks", value=["dance"]), "part 0 is of the tasks"),
        (_set("parts", 0, "weights", value=[]), "its part 0: weights is"),
        (_set("parts", 0, "weights", "x", value=1), "part 0 holds weights that are no tensors"),
        (_set("parts", 0, "weights", "model.norm.weight", value=NAN), "tensor model.norm.weight holds 64 values that"),
        (_set("parts", 0, "lora", value=[1]), "its part 0: lora is"),
        (_set("motion_tokenizer", value=[1]), "motion_tokenizer and metrics are no tables"),
        (
            _set("motion_tokenizer", value={"a": 1}),
            "the motion tokenizer in it: this is not a motion tokenizer of ours",
        ),
        (_drop("motion_tokenizer", "mean"), "the motion tokenizer in it: damaged motion tokenizer: it has no mean"),
        (
            _set("parts", 0, "weights", "model.norm.weight", value=torch.zeros(3)),
            r"norm.weight is \(3,\), expected \(64,\)",
        ),
        (_drop("parts", 0, "weights", "model.norm.weight"), "tensor model.norm.weight is missing"),
        (_set("parts", 0, "weights", "x", value=torch.zeros(1)), "tensor x is one too many"),
        (_set("parts", value=[]), "was trained for no task, not for t2m, m2t"),
    ],
)
def test_a_file_damaged_inside_is_one_line_that_names_it_and_the_place(tmp_path, checkpoint, change, said):
    path = tmp_path / "c.pth"
    save_checkpoint(path, checkpoint)
    content = copy.deepcopy(torch.load(path, weights_only=True))
    change(content)
    torch.save(content, path)
    with pytest.raises(InputError, match=said) as caught:
        read = load_checkpoint(path)
        motion_tokenizer_of(read, None, str(path))
        read.check_tasks((), str(path))
        build_policy(read, "t2m")
    assert "\n" not in str(caught.value)


def test_other_files_of_ours_are_told_apart(tmp_path, motion_tokenizer, checkpoint):
    motion_tokenizer.save(tmp_path / "tokenizer.pth")
    with pytest.raises(InputError, match="it is a file of the format motion-tokenizer"):
        load_checkpoint(tmp_path / "tokenizer.pth")
    torch.save(checkpoint.parts[0].weights, tmp_path / "plain.pth")
    with pytest.raises(InputError, match=r"it holds .* tensors and nothing that says of what"):
        load_checkpoint(tmp_path / "plain.pth")
    with pytest.raises(InputError, match="is a folder, expected a file"):
        load_checkpoint(tmp_path)


def test_the_metrics_are_read_without_the_weights(tmp_path, checkpoint):
    path = tmp_path / "c.pth"
    save_checkpoint(path, checkpoint)
    assert metrics_of(path) == load_checkpoint(path).metrics == {"val_loss": 1.5}
    value = torch.load(path, weights_only=True)
    next(iter(value["parts"][0]["weights"].values())).fill_(float("nan"))
    torch.save(value, path)
    assert metrics_of(path) == {"val_loss": 1.5}  # what is not looked at is not missed
    with pytest.raises(InputError, match=r"c\.pth: tensor .* holds \d+ values that are not finite"):
        load_checkpoint(path)
    for metrics, told in ((None, None), ([1], r"c\.pth: damaged checkpoint: its metrics are no table of values")):
        torch.save({**value, "metrics": metrics}, path)
        if told is None:
            assert metrics_of(path) == {}
        else:
            with pytest.raises(InputError, match=told):
                metrics_of(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"c\.pth: not a readable checkpoint"):
        metrics_of(path)


def test_weights_that_are_no_numbers_are_not_written(tmp_path, checkpoint):
    save_checkpoint(tmp_path / "c.pth", checkpoint)
    before = (tmp_path / "c.pth").read_bytes()
    name = next(iter(checkpoint.parts[0].weights))
    checkpoint.parts[0].weights[name] = torch.full((2, 2), float("inf"))
    with pytest.raises(InputError, match=rf"c\.pth: not written: tensor {name} holds 4 values that are not finite"):
        save_checkpoint(tmp_path / "c.pth", checkpoint)
    assert (tmp_path / "c.pth").read_bytes() == before
