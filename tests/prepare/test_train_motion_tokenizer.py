"""The commands themselves, as a user runs them: train, run again, interrupt and continue, encode, make mistakes."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from dataset.caption_lines import Caption
from dataset.humanml_layout import write_mean_std, write_record, write_splits
from models.motion_tokenizer import MotionTokenizer
from models.vq_network import NetworkConfig
from options.tokenizer_arguments import TokenizerNetworkFlags
from prepare import encode_motions, train_motion_tokenizer
from utils.command import run_command

ROOT = Path(__file__).resolve().parents[2]
TINY = "--width 16 --code-dim 8 --nb-code 16 --depth 1 --batch-size 4 --window-size 32 --warm-up-iter 2 --lr 3e-3"
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


def command(module, *arguments):
    return [sys.executable, "-m", f"prepare.{module}", *map(str, arguments)]


def run_here(capsys, monkeypatch, module, *arguments):
    """Run a command in this process (no seconds of imports) -> (status, stdout, stderr)."""
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
    status = 0
    try:
        run_command(module.main)
    except SystemExit as exit:
        status = exit.code
    return status, *capsys.readouterr()


def run(module, *arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command(module, *arguments), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )


def train_arguments(data_root, out, name, steps=8, eval_iter=4):
    flags = f"{TINY} --total-iter {steps} --eval-iter {eval_iter} --print-iter 2 --device cpu"
    return ["--data-root", data_root, "--out-dir", out, "--exp-name", name, *flags.split()]


@pytest.fixture(scope="module")
def trained(data_root, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    result = run("train_motion_tokenizer", *train_arguments(data_root, out, "tiny"))
    assert result.returncode == 0, result.stderr
    return out / "tiny", result


def test_training_leaves_a_tokenizer_and_signed_results(trained, data_root):
    folder, result = trained
    tokenizer = MotionTokenizer.load(folder / "motion_tokenizer.pth")
    assert tokenizer.nb_code == 16 and tokenizer.fingerprint in result.stdout
    assert "MPJPE mm" in result.stdout
    results = json.loads((folder / "results.json").read_text())
    metric = results["rows"]["reconstructed"]["MPJPE mm"]
    assert metric["n"] == SPLITS["test"] and metric["mean"] > 0
    assert f"ckpt:{tokenizer.fingerprint}" in metric["signature"]
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [2, 4, 6, 8]
    assert [row["step"] for row in rows if "val_mpjpe_mm" in row] == [4, 8]


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


def test_ctrl_c_and_the_same_command_again(data_root, tmp_path):
    arguments = train_arguments(data_root, tmp_path, "long", steps=100_000, eval_iter=5)
    process = subprocess.Popen(
        command("train_motion_tokenizer", *arguments), cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "long" / "latest_state.pth").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and b"run the same command again" in errors and b"Traceback" not in errors
    rows = [json.loads(line) for line in (tmp_path / "long" / "metrics.jsonl").read_text().splitlines()]
    reached = rows[-1]["step"]
    assert MotionTokenizer.load(tmp_path / "long" / "motion_tokenizer.pth").nb_code == 16
    # --resume lets the schedule change: end the run soon after where it stopped
    arguments[arguments.index("--total-iter") + 1] = reached + 10
    result = run("train_motion_tokenizer", *arguments, "--resume")
    assert result.returncode == 0, result.stderr
    assert "continuing" in result.stderr and f"{reached + 10} steps" in result.stdout


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
