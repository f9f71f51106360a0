"""The command as a user runs it: its own folder is made anew, another model is left alone."""

import json
import sys

import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from prepare import make_tiny_llm
from tests.full_disk import no_file_beyond
from utils.run.command import run_command

SMALL = ("--vocab-size", "300", "--hidden-size", "16", "--layers", "1", "--heads", "2")


def run_here(capsys, monkeypatch, *arguments):
    """Run the command in this process -> (status, stdout, stderr)."""
    monkeypatch.setattr(sys, "argv", ["make_tiny_llm", *map(str, arguments)])
    status = 0
    try:
        run_command(make_tiny_llm.main)
    except SystemExit as exit:
        status = exit.code
    return status, *capsys.readouterr()


@pytest.fixture
def make(capsys, monkeypatch, cot_jsonl):
    return lambda folder, *more: run_here(
        capsys, monkeypatch, "--cot-jsonl", cot_jsonl, "--out-dir", folder, *SMALL, *more
    )


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_its_own_folder_is_made_anew_also_one_of_before_there_were_receipts(tmp_path, make):
    assert make(tmp_path / "llm")[0] == 0
    first = contents(tmp_path / "llm")
    assert make(tmp_path / "llm")[0] == 0 and contents(tmp_path / "llm") == first
    (tmp_path / "llm" / make_tiny_llm.RECEIPT).unlink()
    assert make(tmp_path / "llm", "--hidden-size", "32")[0] == 0
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "llm").config.hidden_size == 32


def test_a_model_of_somebody_else_is_left_alone(tmp_path, make, backbone):
    theirs = tmp_path / "theirs"
    model = AutoModelForCausalLM.from_pretrained(backbone)
    model.save_pretrained(theirs)
    before = contents(theirs)
    status, _, errors = make(theirs)
    assert status == 2 and "holds config.json, generation_config.json, model.safetensors, which this command" in errors
    assert contents(theirs) == before


def test_its_own_model_that_was_trained_further_is_left_alone(tmp_path, make):
    folder = tmp_path / "llm"
    assert make(folder)[0] == 0
    weights = load_file(folder / "model.safetensors")
    save_file({name: value + 1 for name, value in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    before = contents(folder)
    status, _, errors = make(folder)
    assert status == 2 and "holds model.safetensors, which this command did not write" in errors
    assert contents(folder) == before
    (folder / make_tiny_llm.RECEIPT).unlink()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    assert make(folder)[0] == 2


def test_other_files_and_a_file_in_the_place_are_left_alone(tmp_path, make):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    status, _, errors = make(tmp_path / "notes")
    assert status == 2 and "holds a.txt, which this command did not write" in errors
    status, _, errors = make(tmp_path / "notes" / "a.txt")
    assert status == 2 and "is a file, expected a folder" in errors
    assert contents(tmp_path / "notes") == {"a.txt": b"mine"}


def test_a_full_disk_leaves_the_last_good_folder(tmp_path, make):
    folder = tmp_path / "llm"
    assert make(folder)[0] == 0
    before = contents(folder)
    with no_file_beyond(20_000):
        status, _, errors = make(folder, "--hidden-size", "64")
    assert status == 2 and errors.splitlines()[-1].startswith("error: ")
    assert contents(folder) == before
