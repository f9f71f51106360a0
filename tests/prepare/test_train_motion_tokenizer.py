"""The commands themselves, as a user runs them: train, run again, interrupt and continue, encode, make mistakes."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest
import torch

from dataset.captions.lines import Caption
from dataset.humanml.layout import write_mean_std, write_record, write_splits
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import NetworkConfig
from options.flags.tokenizer import TokenizerNetworkFlags
from prepare import encode_motions, train_motion_tokenizer
from tests.places import ROOT
from tests.warm_python import warm_python
from utils.run.command import run_command

TINY = "--width 16 --code-dim 8 --nb-code 16 --depth 1 --batch-size 4 --window-size 32 --warm-up-iter 2 --lr 3e-3"
TRAIN = ("-m", "prepare.train_motion_tokenizer")
SPLITS = {"train": 6, "val": 2, "test": 3}


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    """Smooth random clips in the layout."""
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    ids = {split: [f"{split}{index}" for index in range(count)] for split, count in SPLITS.items()}
    for id in (id for members in ids.values() for id in members):
        frames = rng.integers(40, 80)
        phase = np.arange(frames)[:, None] / 20 * rng.uniform(1, 5, 263) + rng.uniform(0, 6, 263)
        caption = Caption("a person moves.", ("a/DET", "person/NOUN", "move/VERB"))
        write_record(root, id, np.sin(phase).astype(np.float32) * 0.1, np.zeros((frames, 22, 3)), [caption])
    write_splits(root, ids)
    write_mean_std(root, np.zeros(263), np.ones(263))
    return root


def start(*arguments):
    """Start Python with these arguments."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [warm_python(environment), *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_here(capsys, monkeypatch, module, *arguments):
    """Run a command in this process (no seconds of imports) -> (status, stdout, stderr)."""
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
    status = 0
    try:
        run_command(module.main)
    except SystemExit as exit:
        status = exit.code
    return status, *capsys.readouterr()


def train_arguments(data_root, out, name, steps=130, eval_iter=60):
    flags = f"{TINY} --total-iter {steps} --eval-iter {eval_iter} --print-iter 2 --device cpu --precision fp32"
    return ["--data-root", data_root, "--out-dir", out, "--exp-name", name, *flags.split()]


@pytest.fixture(scope="module")
def trained(data_root, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    process = start(*TRAIN, *train_arguments(data_root, out, "tiny"))
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return out / "tiny", output


def test_training_leaves_a_tokenizer_and_signed_results(trained, data_root):
    folder, output = trained
    tokenizer = MotionTokenizer.load(folder / "motion_tokenizer.pth")
    assert tokenizer.nb_code == 16 and tokenizer.fingerprint in output
    assert "MPJPE mm" in output
    results = json.loads((folder / "results.json").read_text())
    metric = results["rows"]["reconstructed"]["MPJPE mm"]
    assert metric["n"] == SPLITS["test"] and metric["mean"] > 0
    assert f"ckpt:{tokenizer.fingerprint}" in metric["signature"]
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == list(range(2, 131, 2))
    assert [row["step"] for row in rows if "val_mpjpe_mm" in row] == [60, 120, 130]


def test_a_finished_run_is_left_alone(trained, data_root, capsys, monkeypatch):
    folder, _ = trained
    before = (folder / "latest_state.pth").stat().st_mtime_ns
    arguments = train_arguments(data_root, folder.parent, "tiny")
    status, output, _ = run_here(capsys, monkeypatch, train_motion_tokenizer, *arguments)
    assert status == 0 and output.startswith("already finished")
    assert (folder / "latest_state.pth").stat().st_mtime_ns == before


def test_other_arguments_need_another_name(trained, data_root, capsys, monkeypatch):
    folder, _ = trained
    arguments = [*train_arguments(data_root, folder.parent, "tiny"), "--commit", "0.5"]
    status, _, errors = run_here(capsys, monkeypatch, train_motion_tokenizer, *arguments)
    assert status == 2
    assert errors.count("\n") == 1 and "commit was 0.02, now 0.5" in errors


def test_ctrl_c_and_the_same_command_again(data_root, tmp_path, capsys, monkeypatch):
    arguments = train_arguments(data_root, tmp_path, "long", steps=100_000, eval_iter=5)
    process = start(*TRAIN, *arguments)
    deadline = time.monotonic() + 60
    while not (tmp_path / "long" / "latest_state.pth").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "run the same command again" in errors and "Traceback" not in errors
    rows = [json.loads(line) for line in (tmp_path / "long" / "metrics.jsonl").read_text().splitlines()]
    reached = rows[-1]["step"]
    assert MotionTokenizer.load(tmp_path / "long" / "motion_tokenizer.pth").nb_code == 16
    # --resume lets the schedule change: end the run soon after where it stopped
    arguments[arguments.index("--total-iter") + 1] = reached + 10
    status, output, errors = run_here(capsys, monkeypatch, train_motion_tokenizer, *arguments, "--resume")
    assert status == 0 and f"{reached + 10} steps" in output, errors


def test_encoding_writes_every_split_and_names_the_tokenizer(trained, data_root, tmp_path, capsys, monkeypatch):
    folder, _ = trained
    out = tmp_path / "codes.jsonl"
    arguments = ["--data-root", data_root, "--motion-tokenizer", folder / "motion_tokenizer.pth", "--out", out]
    status, _, errors = run_here(capsys, monkeypatch, encode_motions, *arguments)
    assert status == 0, errors
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["split"] for row in rows} == set(SPLITS) and len(rows) == sum(SPLITS.values())
    tokenizer = MotionTokenizer.load(folder / "motion_tokenizer.pth")
    for row in rows:
        features = np.load(data_root / "new_joint_vecs" / f"{row['id']}.npy")
        assert row["codes"] == tokenizer.encode(features).tolist()
    source = json.loads((tmp_path / "codes.source.json").read_text())
    assert (source["fingerprint"], source["nb_code"]) == (tokenizer.fingerprint, 16)
    status, output, _ = run_here(capsys, monkeypatch, encode_motions, *arguments)
    assert status == 0 and output.startswith("already encoded")


def metric_rows(folder):
    """Whole rows of metrics.jsonl as they are now, without the seconds, which differ from run to run."""
    file = folder / "metrics.jsonl"
    lines = file.read_text().splitlines(keepends=True) if file.is_file() else []
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


# Dies where the best file of a step is written and the state of that step is not yet.
DIE_BETWEEN_FILES = """
import os, signal, sys
from models.tokenizer.session import TokenizerSession
from prepare import train_motion_tokenizer
save = TokenizerSession._save
def die_or_save(session):
    if session._trainer.step == 120:
        os.kill(os.getpid(), signal.SIGKILL)
    save(session)
TokenizerSession._save = die_or_save
train_motion_tokenizer.main()
"""


def test_kill_9_loses_and_repeats_nothing(trained, data_root, tmp_path, capsys, monkeypatch):
    """Killed in mid-training and between best file and state, the run ends as the straight one, exactly (CPU, fp32)."""
    straight, _ = trained
    folder = tmp_path / "tiny"
    arguments = train_arguments(data_root, tmp_path, "tiny")

    def step_of_state():
        return torch.load(folder / "latest_state.pth")["trainer"]["step"]

    process = start(*TRAIN, *arguments)
    deadline = time.monotonic() + 60
    while not any(row["step"] >= 64 for row in metric_rows(folder)) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    assert step_of_state() == 60 < metric_rows(folder)[-1]["step"]
    (folder / ".latest_state.pth.new.tmp").write_bytes(b"half")  # what a kill leaves of a file it interrupts

    process = start("-c", DIE_BETWEEN_FILES, *arguments)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    best, latest = (folder / name for name in ("motion_tokenizer.pth", "latest_state.pth"))
    assert best.stat().st_mtime > latest.stat().st_mtime and step_of_state() == 60

    process = start(*TRAIN, *arguments)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "at step 60" in errors, errors
    rows = metric_rows(folder)
    assert rows == metric_rows(straight)
    for name in ("motion_tokenizer.pth", "latest_state.pth"):
        mine, expected = (torch.load(path / name)["network"] for path in (folder, straight))
        torch.testing.assert_close(mine, expected, atol=0, rtol=0)
    assert not list(folder.glob(".*.tmp"))

    # Killed after the last validation and before the report: what is missing is the report only.
    for name in ("finished.json", "results.json"):
        (folder / name).unlink()
    status, output, errors = run_here(capsys, monkeypatch, train_motion_tokenizer, *arguments)
    assert status == 0 and "MPJPE" in output, errors
    assert metric_rows(folder) == rows


def test_two_processes_make_one_run(data_root, tmp_path, capsys, monkeypatch):
    """torchrun: one log, stopped as a whole by a signal to the launcher, continued by a single process."""
    arguments = train_arguments(data_root, tmp_path, "shared", steps=100_000, eval_iter=5)
    arguments[arguments.index("--batch-size") + 1] = 5
    launcher = "-m torch.distributed.run --standalone --nproc_per_node 2"
    process = start(*launcher.split(), *TRAIN, *arguments)
    folder, deadline = tmp_path / "shared", time.monotonic() + 60
    while not (folder / "latest_state.pth").is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors.count("run the same command again") == 1, errors
    rows = metric_rows(folder)
    assert [row["step"] for row in rows if "loss" in row] == list(range(2, rows[-1]["step"] + 1, 2))
    reached = torch.load(folder / "latest_state.pth")["trainer"]["step"]
    assert reached - rows[-1]["step"] in (0, 1)  # saved where it stopped
    arguments[arguments.index("--total-iter") + 1] = reached + 4
    status, output, errors = run_here(capsys, monkeypatch, train_motion_tokenizer, *arguments, "--resume")
    assert status == 0, errors
    assert f"{reached + 4} steps" in output and metric_rows(folder)[: len(rows)] == rows


def test_without_tensorboard_training_is_silent_about_it(data_root, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    status, output, errors = run_here(
        capsys, monkeypatch, train_motion_tokenizer, *train_arguments(data_root, tmp_path, "plain", 2, 2)
    )
    shown = (output + errors).replace(str(tmp_path), "")
    assert status == 0 and "tensorboard" not in shown.lower()
    assert len(metric_rows(tmp_path / "plain")) == 2 and not (tmp_path / "plain" / "tensorboard").exists()


ENCODE_NOTHING = ["--data-root", ".", "--motion-tokenizer", "none.pth"]


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        (train_motion_tokenizer, ["--data-root", "nowhere"], "nowhere: no such data set folder"),
        (train_motion_tokenizer, ["--data-root", ".", "--widht", "3"], "--widht"),
        (train_motion_tokenizer, ["--data-root", ".", "--stride-t", "3"], "--stride-t 3 must be even"),
        (train_motion_tokenizer, ["--data-root", ".", "--code-dim", "8", "--output-emb-width", "4"], "--code-dim 8"),
        (train_motion_tokenizer, ["--data-root", ".", "--max-minutes", "0"], "--max-minutes must be positive"),
        (encode_motions, [*ENCODE_NOTHING, "--out", "x.jsonl"], "none.pth: no such file"),
        (encode_motions, [*ENCODE_NOTHING, "--out", "x.txt"], "--out x.txt must end in .jsonl"),
    ],
)
def test_mistakes_get_one_line(module, arguments, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    status, _, errors = run_here(capsys, monkeypatch, module, *arguments)
    assert status == 2
    assert message in errors and errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_network_flags_default_to_the_published_network():
    assert NetworkConfig(**asdict(TokenizerNetworkFlags())) == NetworkConfig()
