"""A run that is killed goes on as if it had not been; a full disk leaves no half of a state; no number ends it."""

import errno
import inspect
import json
import multiprocessing
import os
import shutil
import signal
import time
import zipfile

import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.utils import send_telemetry

from models.policy.adapters import LoraSize
from models.policy.checkpoint import load_checkpoint
from models.policy.resumable import _refused
from models.policy.states import newest_state
from models.sft.training import Validation
from tests.full_disk import no_file_beyond
from tests.models.sft.sft_runs import run_supervise
from utils.errors import InputError

LATEST = "motionllm_t2m_latest.pth"


def weights(folder):
    return load_checkpoint(folder / LATEST).parts[0].weights


def rows(folder):
    """What was measured of the training steps and validations, without times."""
    kept = ("step", "loss", "grad_norm", "mean_token_accuracy", "num_tokens", "eval_loss", "train_loss")
    lines = (json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines())
    return [{name: row[name] for name in kept if name in row} for row in lines]


def same(one, other):
    ours, theirs = weights(one), weights(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def killed_when(ready, run, *given, **named):
    """Start a run in a process of its own and kill it once `ready()`."""
    process = multiprocessing.get_context("spawn").Process(target=run, args=given, kwargs=named)
    process.start()
    deadline = time.monotonic() + 200
    while not ready() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert process.is_alive(), "it ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.join()


@pytest.fixture(scope="module")
def straight(tmp_path_factory, cot_jsonl, backbone):
    """Two epochs of 5 steps, four of them to a row of metrics."""
    folder = tmp_path_factory.mktemp("straight")
    run_supervise(cot_jsonl, backbone, folder, None, logging_steps=4)
    return folder


@pytest.mark.parametrize("moment", ["while a state is written", "between two states"])
def test_killed_inside_an_epoch_and_continued_equals_straight(cot_jsonl, backbone, tmp_path, straight, moment):
    states, given = tmp_path / "trainer_state", (cot_jsonl, backbone, tmp_path, None)
    first, writing = states / "checkpoint-3", states / "unfinished" / "checkpoint-5"

    def ready():
        return writing.is_dir() if moment == "while a state is written" else first.is_dir()

    killed_when(ready, run_supervise, *given, save_minutes=1e-9, logging_steps=4)
    assert not (states / "checkpoint-6").exists() and newest_state(states) is not None
    run_supervise(*given, save_minutes=1e-9, logging_steps=4)
    assert same(tmp_path, straight) and rows(tmp_path) == rows(straight)


def test_a_state_that_was_damaged_is_set_aside_and_the_run_equals_straight(
    cot_jsonl, backbone, tmp_path, straight, caplog
):
    states, given = tmp_path / "trainer_state", (cot_jsonl, backbone, tmp_path, None)
    killed_when((states / "checkpoint-4").is_dir, run_supervise, *given, save_minutes=1e-9, logging_steps=4)
    torn = newest_state(states)
    (torn / "optimizer.pt").unlink()
    run_supervise(*given, logging_steps=4)
    assert torn.with_name(f"{torn.name}.torn").is_dir() and "optimizer.pt is missing" in caplog.text
    assert same(tmp_path, straight) and rows(tmp_path) == rows(straight)


def test_a_run_killed_after_its_last_state_takes_no_further_step(cot_jsonl, backbone, tmp_path):
    given = (cot_jsonl, backbone, tmp_path, None)
    run_supervise(*given, epochs=40, validation=Validation(patience=1), learning_rate=5e-2)
    before = rows(tmp_path)
    run_supervise(*given, epochs=40, validation=Validation(patience=1), learning_rate=5e-2)
    assert rows(tmp_path) == before


def test_a_second_ctrl_c_while_a_state_is_written_costs_that_state_alone(
    cot_jsonl, backbone, tmp_path, straight, monkeypatch
):
    def ctrl_c_twice(*_):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    given, states = (cot_jsonl, backbone, tmp_path, None), tmp_path / "trainer_state"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("models.policy.resumable.write_json", ctrl_c_twice)
        run_supervise(*given, logging_steps=4)
    assert not (states / "unfinished").exists() and newest_state(states) is None
    run_supervise(*given, logging_steps=4)
    assert same(tmp_path, straight) and rows(tmp_path) == rows(straight)


def test_another_number_of_processes_is_refused(cot_jsonl, backbone, tmp_path):
    given = (cot_jsonl, backbone, tmp_path, None)
    run_supervise(*given, epochs=1)
    state = newest_state(tmp_path / "trainer_state")
    about = json.loads((state / "complete.json").read_text())
    (state / "complete.json").write_text(json.dumps({**about, "processes": 2}))
    with pytest.raises(InputError, match="was written by 2 processes, and 1 cannot go on from it"):
        run_supervise(*given, epochs=2)


def test_a_state_that_holds_python_objects_is_one_line_and_nothing_is_executed(cot_jsonl, backbone, tmp_path):
    given = (cot_jsonl, backbone, tmp_path, None)
    run_supervise(*given, epochs=2)
    shutil.rmtree(newest_state(tmp_path / "trainer_state"))
    state = newest_state(tmp_path / "trainer_state")
    (state / "complete.json").unlink()  # as in states of earlier versions, which nothing vouches for
    call = b"cbuiltins\nopen\n(V" + str(tmp_path / "canary").encode() + b"\nVw\ntR."
    with zipfile.ZipFile(state / "optimizer.pt", "w") as archive:
        archive.writestr("archive/data.pkl", call)
        archive.writestr("archive/version", "3\n")
    with pytest.raises(InputError, match=r"checkpoint-5: it holds Python objects \(open\), which are never loaded"):
        run_supervise(*given, epochs=2)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("room", [450_000, 700_000])  # weights are larger, then the optimiser is
def test_a_full_disk_leaves_no_half_of_a_state(cot_jsonl, backbone, tmp_path, straight, room):
    given = (cot_jsonl, backbone, tmp_path, None)
    with no_file_beyond(room), pytest.raises(OSError) as error:
        run_supervise(*given, logging_steps=4)
    assert error.value.strerror == "File too large" and str(tmp_path) in str(error.value.filename)
    left = [file.name for file in tmp_path.rglob("*") if file.name.startswith(("checkpoint-", "unfinished"))]
    assert left == [] and not [file for file in tmp_path.rglob("*") if file.suffix == ".tmp"]
    run_supervise(*given, logging_steps=4)
    assert same(tmp_path, straight)


@pytest.mark.parametrize("lora", [None, LoraSize(4, 8, 0.0)])
def test_a_training_that_diverges_ends_with_one_line_and_keeps_what_was_good(cot_jsonl, backbone, tmp_path, lora):
    with pytest.raises(InputError, match="the training has diverged"):
        run_supervise(cot_jsonl, backbone, tmp_path, lora, warmup_steps=0, learning_rate=1e30)
    for file in tmp_path.glob("*.pth"):
        assert all(torch.isfinite(weight).all() for weight in load_checkpoint(file).parts[0].weights.values())
    assert not (tmp_path / "motionllm_t2m_best.pth").exists()


@pytest.mark.parametrize("fields", [{"max_steps": 8}, {"max_steps": 2}, {"num_train_epochs": 0.5}])
def test_a_run_that_ends_inside_an_epoch_is_validated_and_saved(cot_jsonl, backbone, tmp_path, fields):
    run_supervise(cot_jsonl, backbone, tmp_path, None, **fields)
    assert (tmp_path / LATEST).is_file() and (tmp_path / "motionllm_t2m_best.pth").is_file()
    steps = [row["step"] for row in rows(tmp_path) if "eval_loss" in row]
    assert steps[-1] == fields.get("max_steps", 3)
    shutil.rmtree(tmp_path / "trainer_state" / "unfinished", ignore_errors=True)
    before = rows(tmp_path)
    run_supervise(cot_jsonl, backbone, tmp_path, None, **fields)  # as after a kill before the run's last line
    assert rows(tmp_path) == before


def test_what_the_system_did_not_refuse_is_raised_as_it_is(tmp_path):
    """An error that is its own cause sent whoever followed causes round and round."""
    (tmp_path / "state.pt").touch()
    assert _refused(tmp_path, tmp_path / "checkpoint-3", OSError("no number")) is None
    assert _refused(tmp_path, tmp_path / "checkpoint-3", RuntimeError("another one")) is None
    told = _refused(tmp_path, tmp_path / "checkpoint-3", OSError(errno.ENOSPC, "No space left on device", "half"))
    assert (told.errno, told.filename) == (errno.ENOSPC, str(tmp_path / "checkpoint-3"))


def test_no_training_is_told_to_the_hub(cot_jsonl, backbone, tmp_path):
    """trl's trainers would; `send_telemetry` asks this when it is called."""
    run_supervise(cot_jsonl, backbone, tmp_path, None, epochs=1)
    assert constants.HF_HUB_DISABLE_TELEMETRY
    assert "constants.HF_HUB_DISABLE_TELEMETRY" in inspect.getsource(send_telemetry)
