"""The command as a user runs it: train, run again, interrupt and continue, make mistakes. Sizes that learn nothing."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from dataset.toy.captions import write_captions
from dataset.toy.programs import sample_programs
from dataset.toy.reasoning import write_reasoning
from models.nli.training import NliTraining
from prepare import train_nli
from rewards.text_models import EntailmentModel
from tests.places import ROOT
from utils.run.command import run_command

FLAGS = "--hidden-size 16 --heads 2 --layers 1 --batch-size 2 --steps 3 --val-lines 20 --device cpu"
TINY = FLAGS.split()


@pytest.fixture(scope="module")
def cot_jsonl(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("cot") / "cot_train.jsonl", np.random.default_rng(0)
    rows = []
    for number, program in enumerate(sample_programs(60, rng)):
        reasoning = write_reasoning(program, 60, rng)[0]
        for caption in write_captions(program, rng):
            rows.append({"id": f"c{number}", "caption": caption, "motion_tokens": [0], "reasoning": reasoning})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run_here(capsys, monkeypatch, *arguments):
    """Run the command in this process -> (status, stdout, stderr)."""
    monkeypatch.setattr(sys, "argv", ["train_nli", *map(str, arguments)])
    status = 0
    try:
        run_command(train_nli.main)
    except SystemExit as exit:
        status = exit.code
    return status, *capsys.readouterr()


def test_training_leaves_a_transformers_folder_and_its_own_report(cot_jsonl, tmp_path, capsys, monkeypatch):
    flags = ["--cot-jsonl", cot_jsonl, "--out-dir", tmp_path / "nli", *TINY]
    status, output, errors = run_here(capsys, monkeypatch, *flags)
    assert status == 0, errors
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "nli")
    assert model.config.id2label == {0: "entailment", 1: "neutral", 2: "contradiction"}
    assert model.config.label2id == {"entailment": 0, "neutral": 1, "contradiction": 2}
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "nli")
    assert tokenizer.tokenize("Waves EIGHT times") == tokenizer.tokenize("waves 8 times")
    judge = EntailmentModel(str(tmp_path / "nli"))
    assert judge.max_tokens == tokenizer.model_max_length == model.config.max_position_embeddings - 2
    results = json.loads((tmp_path / "nli" / "results.json").read_text())
    assert results["own"]["order"] is None and 0 < results["own"]["pairs"] <= 18  # 3 captions of 6 clips
    assert {"contradicted", "all", "unsaid", "speed"} <= results.keys()
    assert all(0 <= row["accuracy"] <= 1 for row in results.values())
    assert "own above" in output

    status, output, _ = run_here(capsys, monkeypatch, *flags)
    assert status == 0 and output.startswith("already finished")
    status, _, errors = run_here(capsys, monkeypatch, *flags, "--seed", 7)
    assert status == 2 and "seed was 123, now 7" in errors


def test_the_same_seed_gives_the_same_model_and_clips_are_held_out(cot_jsonl, tmp_path, capsys, monkeypatch):
    weights = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        flags = ["--cot-jsonl", cot_jsonl, "--out-dir", tmp_path / name, *TINY, "--seed", seed]
        assert run_here(capsys, monkeypatch, *flags)[0] == 0
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]

    (flags,) = train_nli.parse_flags(
        train_nli.NliFlags, description="", argv=["--cot-jsonl", str(cot_jsonl), "--out-dir", "x"]
    )
    train, held_out = train_nli.read_lines(flags)
    learned, measured = ({line.clip for line in lines} for lines in (train, held_out))
    assert len(learned | measured) == 60 and not learned & measured
    assert 2 <= len(measured) <= 12  # about a tenth: the ids decide


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--cot-jsonl", "/nowhere.jsonl"), "no such CoT jsonl file: /nowhere.jsonl"),
        (("--learning-rate", "1e30"), "give a smaller --learning-rate"),
        (("--heads", "3"), "--hidden-size 16 must be a multiple of 2 x --heads 3"),
        (("--steps", "0"), "--steps must be at least 1"),
        (("--max-minutes", "0"), "--max-minutes must be positive"),
    ],
)
def test_mistakes_are_one_line(cot_jsonl, tmp_path, capsys, monkeypatch, more, said):
    flags = ["--cot-jsonl", cot_jsonl, "--out-dir", tmp_path / "nli", *TINY, *more]
    status, _, errors = run_here(capsys, monkeypatch, *flags)
    assert status == 2
    assert said in errors
    assert "Traceback" not in errors


def test_data_without_reasoning_are_refused(tmp_path, capsys, monkeypatch):
    path = tmp_path / "cot.jsonl"
    rows = ({"id": f"c{n}", "caption": "a person walks.", "motion_tokens": [0]} for n in range(20))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    status, _, errors = run_here(capsys, monkeypatch, "--cot-jsonl", path, "--out-dir", tmp_path / "nli", *TINY)
    assert status == 2 and "0 clips with reasoning are to train on; pairs need 2" in errors


def test_ctrl_c_and_the_same_command_again(cot_jsonl, tmp_path, capsys, monkeypatch):
    """Interrupted after 4 of 8 steps, continued in a process that orders its sets otherwise: as if all in one go."""
    flags = ["--cot-jsonl", cot_jsonl, *TINY, "--steps", 8]
    straight = [*flags, "--out-dir", tmp_path / "straight"]
    assert run_here(capsys, monkeypatch, *straight)[0] == 0

    take_step, steps = NliTraining._take_step, []

    def interrupted_step(self):
        steps.append(self.step)
        if len(steps) == 4:
            signal.raise_signal(signal.SIGINT)
        return take_step(self)

    stopped = [*flags, "--out-dir", tmp_path / "nli"]
    with monkeypatch.context() as patch:
        patch.setattr(NliTraining, "_take_step", interrupted_step)
        status, _, errors = run_here(capsys, monkeypatch, *stopped)
    assert status == 130 and steps == [0, 1, 2, 3]
    assert "run the same command again" in errors
    assert (tmp_path / "nli" / "training_state.pt").is_file()
    assert not (tmp_path / "nli" / "finished.json").exists()

    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-m", "prepare.train_nli", *map(str, stopped)]
    again = subprocess.run(command, cwd=ROOT, env=os.environ | threads, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "after step 4" in again.stderr
    assert not (tmp_path / "nli" / "training_state.pt").exists()
    for file in ("model.safetensors", "results.json", "tokenizer.json", "tokenizer_config.json"):
        found = [(tmp_path / name / file).read_bytes() for name in ("nli", "straight")]
        assert found[0] == found[1], file


def test_a_run_killed_before_its_first_state_starts_over(cot_jsonl, tmp_path, capsys, monkeypatch):
    flags = ["--cot-jsonl", cot_jsonl, "--out-dir", tmp_path / "nli", *TINY]
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(NliTraining, "train", raise_killed)
        run_here(capsys, monkeypatch, *flags)
    (tmp_path / "nli" / "tokenizer.json").write_text('{"half')
    (tmp_path / "nli" / "metrics.jsonl").write_text('{"step": 2, "loss": 1.0}\n{"step": 3, "lo')
    status, _, errors = run_here(capsys, monkeypatch, *flags)
    assert status == 0, errors
    assert AutoTokenizer.from_pretrained(tmp_path / "nli").tokenize("Twice a person")[1:] == ["times", "a", "person"]
    rows = (tmp_path / "nli" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == [3]


def raise_killed(*_):
    raise RuntimeError("killed")
