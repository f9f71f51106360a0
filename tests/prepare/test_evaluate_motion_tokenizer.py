"""The command that measures a tokenizer file: the same numbers as training gave, for published files too."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch

from models.tokenizer.motion_tokenizer import MotionTokenizer
from prepare import evaluate_motion_tokenizer, train_motion_tokenizer
from tests.prepare.random_motions import random_evaluator, random_tokenizer, write_motions
from utils.motion.skeleton import KIT
from utils.run.command import run_command

TINY = "--width 16 --code-dim 8 --nb-code 16 --depth 1 --batch-size 4 --window-size 32 --total-iter 2 --device cpu"
EVALUATOR_METRICS = ("FID", "R@1", "R@2", "R@3", "MM-Dist")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """data/ (33 test motions), plain/ (without captions), evaluator/, tokenizer.pth."""
    root = tmp_path_factory.mktemp("files")
    write_motions(root / "data", {"train": 3, "val": 2, "test": 33})
    write_motions(root / "plain", {"test": 5}, captioned=False)
    random_evaluator().save(root / "evaluator")
    random_evaluator(KIT).save(root / "kit_evaluator")
    random_tokenizer().save(root / "tokenizer.pth")
    return root


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command in this process -> (status, stdout, stderr)."""

    def run_here(module, *arguments):
        monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
        status = 0
        try:
            run_command(module.main)
        except SystemExit as exit:
            status = exit.code
        return status, *capsys.readouterr()

    return run_here


def evaluate(run, tokenizer, data, out, *flags):
    arguments = ["--motion-tokenizer", tokenizer, "--data-root", data, "--out", out, "--device", "cpu", *flags]
    status, output, errors = run(evaluate_motion_tokenizer, *arguments)
    assert status == 0, errors
    return json.loads(out.read_text()), output


def test_the_same_numbers_as_training_gave(files, tmp_path, run):
    evaluator = files / "evaluator"
    arguments = ["--data-root", files / "data", "--out-dir", tmp_path, "--exp-name", "run", *TINY.split()]
    status, printed, errors = run(train_motion_tokenizer, *arguments, "--eval-evaluator", evaluator)
    assert status == 0, errors
    path, out = tmp_path / "run" / "motion_tokenizer.pth", tmp_path / "again.json"
    results, output = evaluate(run, path, files / "data", out, "--evaluator", evaluator)
    assert results == json.loads((tmp_path / "run" / "results.json").read_text())
    assert output.splitlines()[:-1] == printed.splitlines()[:-1] and "FID" in output
    rows = results["rows"]
    for name in EVALUATOR_METRICS:
        value = rows["reconstructed"][name]
        assert value["mean"] is not None and value["n"] == (33 if name == "FID" else 32)  # whole groups
    assert rows["real"]["R@3"]["mean"] > 0 and rows["real"]["jerk m/s3"]["mean"] > 0
    signature = rows["reconstructed"]["FID"]["signature"]
    for part in (f"eval:{random_evaluator().fingerprint}", f"ckpt:{MotionTokenizer.load(path).fingerprint}", "n:33"):
        assert part in signature


def test_a_published_file_is_known_by_its_content(files, tmp_path, run):
    state = random_tokenizer().network.state_dict()
    torch.save({"net": state}, tmp_path / "vqvae.pth")
    ours, _ = evaluate(run, files / "tokenizer.pth", files / "data", tmp_path / "ours.json")
    published, _ = evaluate(run, tmp_path / "vqvae.pth", files / "data", tmp_path / "published.json")
    assert published == ours  # the statistics are those of the data root
    (tmp_path / "stats").mkdir()
    np.save(tmp_path / "stats" / "Mean.npy", np.zeros(263))
    np.save(tmp_path / "stats" / "Std.npy", np.ones(263))
    other, _ = evaluate(
        run, tmp_path / "vqvae.pth", files / "data", tmp_path / "other.json", "--stats-root", tmp_path / "stats"
    )
    assert other["about"]["checkpoint"] != ours["about"]["checkpoint"]
    assert other["rows"]["reconstructed"]["MPJPE mm"] != ours["rows"]["reconstructed"]["MPJPE mm"]


def test_without_an_evaluator_its_metrics_are_not_computed(files, tmp_path, run):
    shutil.copy(files / "tokenizer.pth", tmp_path / "mine.pth")
    arguments = ["--motion-tokenizer", tmp_path / "mine.pth", "--data-root", files / "data", "--split", "val"]
    status, output, _ = run(evaluate_motion_tokenizer, *arguments)
    assert status == 0
    results = json.loads((tmp_path / "mine_val_results.json").read_text())
    for name in EVALUATOR_METRICS:
        assert results["rows"]["reconstructed"][name]["mean"] is None
        assert [line.split()[1:] for line in output.splitlines() if line.startswith(name)] == [["-", "-"]]
    signature = results["rows"]["reconstructed"]["MPJPE mm"]["signature"]
    assert "eval:" not in signature and "split:val|n:2|" in signature


def test_without_captions_there_is_fid_but_no_r_precision(files, tmp_path, run):
    results, _ = evaluate(
        run, files / "tokenizer.pth", files / "plain", tmp_path / "out.json", "--evaluator", files / "evaluator"
    )
    row = results["rows"]["reconstructed"]
    assert row["FID"]["mean"] > 0 and row["FID"]["n"] == 5
    assert [row[name]["mean"] for name in EVALUATOR_METRICS[1:]] == [None] * 4


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--motion-tokenizer none.pth", "--motion-tokenizer none.pth: no such file"),
        ("--motion-tokenizer other.pth", "--motion-tokenizer other.pth: not a published motion tokenizer"),
        ("--motion-tokenizer {}/tokenizer.pth --evaluator nowhere", "--evaluator nowhere: not an evaluator folder"),
        ("--motion-tokenizer {}/tokenizer.pth --evaluator {}/kit_evaluator", "is for --dataname kit, not t2m"),
        ("--motion-tokenizer {}/tokenizer.pth --stats-root .", "--stats-root is for a published vqvae.pth"),
        ("--motion-tokenizer vqvae.pth", "263-d features, but the statistics of data are 251-d"),
        ("--motion-tokenizer {}/tokenizer.pth --split dev", "no such split file"),
        ("--motion-tokenizer {}/tokenizer.pth --out other.pth", "--out other.pth: is there, and nothing in it says"),
        ("--motion-tokenizer {}/tokenizer.pth --out {}/tokenizer.pth", "is there, and nothing in it says"),
    ],
)
def test_mistakes_get_one_line(flags, message, files, tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"something": torch.zeros(1)}, "other.pth")
    torch.save({"net": random_tokenizer().network.state_dict()}, "vqvae.pth")
    (tmp_path / "data").mkdir()
    for name in ("Mean", "Std"):
        np.save(f"data/{name}.npy", np.ones(251))
    status, _, errors = run(evaluate_motion_tokenizer, "--data-root", "data", *flags.format(files, files).split())
    assert status == 2
    assert message in errors and errors.count("\n") == 1


def test_training_refuses_a_wrong_evaluator_before_it_starts(files, tmp_path, run):
    arguments = ["--data-root", files / "data", "--out-dir", tmp_path, *TINY.split(), "--eval-evaluator", "nowhere"]
    status, _, errors = run(train_motion_tokenizer, *arguments)
    assert status == 2 and errors.startswith("error: --eval-evaluator nowhere: not an evaluator folder")
    assert list(tmp_path.iterdir()) == []
