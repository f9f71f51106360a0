"""Codes belong to one motion tokenizer: whatever meets in a training has to agree on it."""

import os
import shutil

import pytest

from dataset.cot.source import CotSource, write_cot_source
from models.policy.checkpoint import Checkpoint, PolicyConfig, load_checkpoint, save_checkpoint
from options.grpo import GrpoSettings
from options.sft import SftSettings
from options.train import TrainSettings, device_of
from utils.errors import InputError
from utils.run.folder import RunFolder


@pytest.fixture
def world(tmp_path, cot_jsonl, backbone, motion_tokenizer):
    """Training codes of `motion_tokenizer`, validation codes of another one, and a checkpoint with the first."""
    for split, fingerprint in (("train", motion_tokenizer.fingerprint), ("val", "0123456789ab")):
        shutil.copy(cot_jsonl, tmp_path / f"{split}.jsonl")
        write_cot_source(tmp_path / f"{split}.jsonl", CotSource("tokenizer.pth", fingerprint, 16, "data"))
    save_checkpoint(tmp_path / "sft.pth", Checkpoint(PolicyConfig(backbone, 16, 1), (), motion_tokenizer.state()))
    return tmp_path


def settings_of(kind, *more):
    return kind.parse("", ["--max-motion-len", "20", *map(str, more)])


def read(kind, world, train, *more):
    """What a stage reads with a checkpoint whose tokenizer is that of train.jsonl."""
    flag, stage = ("--rl-reference-ckpt", "rlvr") if kind is GrpoSettings else ("--init-ckpt", "sft")
    given = ("--train-stage", stage, flag, world / "sft.pth", "--cot-train-jsonl", world / f"{train}.jsonl", *more)
    settings = settings_of(kind, *given)
    if kind is GrpoSettings:
        return settings.training_data(16, settings.reference_tokenizer(load_checkpoint(world / "sft.pth")))
    tokenizer, nb_code = settings.codebook(settings.initial_checkpoint())
    return settings.training_data(nb_code, tokenizer)


@pytest.mark.parametrize("kind", [SftSettings, GrpoSettings])
def test_codes_of_another_tokenizer_than_the_checkpoints_are_refused(kind, world, motion_tokenizer):
    assert len(read(kind, world, "train").train)
    own = motion_tokenizer.fingerprint
    told = rf"val\.jsonl holds codes of motion tokenizer 0123456789ab, but that of .*sft\.pth is {own}: encode"
    with pytest.raises(InputError, match=told):
        read(kind, world, "val")
    with pytest.raises(InputError, match=told):
        read(kind, world, "train", "--cot-val-jsonl", world / "val.jsonl")


def test_codes_to_validate_on_are_of_the_tokenizer_that_is_trained(world, motion_tokenizer):
    motion_tokenizer.save(world / "tokenizer.pth")
    given = ("--cot-train-jsonl", world / "train.jsonl", "--motion-tokenizer", world / "tokenizer.pth")
    settings = settings_of(SftSettings, *given, "--cot-val-jsonl", world / "val.jsonl")
    tokenizer, nb_code = settings.codebook(None)
    with pytest.raises(InputError, match=r"val\.jsonl holds codes of .* that of .*tokenizer\.pth is"):
        settings.training_data(nb_code, tokenizer)


def test_a_jsonl_that_came_without_its_source_is_taken_as_it_is(world):
    (world / "val.source.json").unlink()
    assert len(read(SftSettings, world, "train", "--cot-val-jsonl", world / "val.jsonl").validation)


def test_a_tokenizer_that_has_moved_from_where_the_jsonl_says_is_asked_for(world, motion_tokenizer):
    given = ("--cot-train-jsonl", world / "train.jsonl")
    told = r"train\.source\.json names the motion tokenizer tokenizer\.pth, which is not there: give --motion-tokenizer"
    with pytest.raises(InputError, match=told):
        settings_of(SftSettings, *given).codebook(None)
    motion_tokenizer.save(world / "moved.pth")
    tokenizer, _ = settings_of(SftSettings, *given, "--motion-tokenizer", world / "moved.pth").codebook(None)
    assert tokenizer.fingerprint == motion_tokenizer.fingerprint


@pytest.mark.parametrize("name", ["train.jsonl", "notes.txt", "codes.jsonl"])
def test_metrics_are_never_appended_to_what_holds_something_else(world, name):
    (world / "notes.txt").write_text("mine")
    (world / "codes.jsonl").write_text('{"id": "a"}\n')
    before = (world / name).read_bytes()
    given = ("--train-stage", "rlvr", "--cot-train-jsonl", world / "train.jsonl", "--rl-metrics-jsonl", world / name)
    with pytest.raises(InputError, match=r"is what is read here|a file of its own"):
        settings_of(GrpoSettings, *given).extra_log(RunFolder(world / "run"))
    assert (world / name).read_bytes() == before
    run = RunFolder(world / f"run {name}")
    own = world / f"metrics {name}"
    for step in (1, 2):  # the second time the run is continued
        settings_of(GrpoSettings, *given[:-1], own).extra_log(run)({"step": step})
        run.log({"step": step})
    assert own.read_text() == '{"step": 1}\n{"step": 2}\n'
    with pytest.raises(InputError, match="holds metrics of another run"):
        settings_of(GrpoSettings, *given[:-1], own).extra_log(RunFolder(world / "another"))


def test_other_gpus_are_hidden_once_whoever_reads_the_flags(monkeypatch):
    """A second time `cuda:1` would be looked for among the one that is left. (There need be no GPU here.)"""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    monkeypatch.setattr("utils.run.devices.resolve_device", lambda name: name)
    settings = settings_of(TrainSettings, "--device", "cuda:1")
    try:
        assert [settings.device, SftSettings.of(settings).device] == ["cuda", "cuda"]
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"
    finally:
        device_of.cache_clear()
