"""The order test as a command, on the toy people with evaluators and a motion tokenizer that are really trained."""

import json
import subprocess
import sys

import pytest

from models.text_motion.order import STATES
from prepare import compare_evaluators
from prepare.compare_evaluators import names_of
from tests.places import ROOT
from tests.prepare.random_motions import random_evaluator, random_tokenizer, write_motions
from tests.warm_python import warm_python
from utils.metrics.report import read_results
from utils.motion.skeleton import KIT
from utils.run.command import run_command

SMALL = (
    "--train-word-vectors --word-size 32 --hidden-size 48 --motion-hidden-size 48 --embedding-size 32 --batch-size 32"
)
TRAINED = {
    "guo": f"{SMALL} --learning-rate 3e-3 --epochs 8",
    "tmr": f"{SMALL} --family tmr --layers 1 --learning-rate 3e-3 --epochs 10",
}
TOKENIZER = (
    "--width 48 --code-dim 48 --nb-code 128 --depth 2 --batch-size 16 --window-size 32 --lr 2e-3 --total-iter 100"
)


def command(name, *words):
    line = [warm_python(), "-m", f"prepare.{name}", *map(str, words)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.pipeline
def test_judges_of_both_families_see_what_is_worse(tmp_path, request):
    if "slow" not in request.config.getoption("markexpr"):
        pytest.skip("trains two evaluators and a tokenizer, a minute or more: run with -m slow")
    toy = tmp_path / "toy"
    command("make_toy_dataset", "--out-dir", toy, "--clips", 320, "--seed", 0)
    common = ["--data-root", toy, "--out-dir", tmp_path, "--device", "cpu", "--seed", 0]
    for family, flags in TRAINED.items():
        command("train_evaluator", *common, "--exp-name", family, *flags.split())
    command("train_motion_tokenizer", *common, "--exp-name", "tokenizer", *TOKENIZER.split())
    asked = ["--evaluators", tmp_path / "guo", tmp_path / "tmr", "--data-root", toy, "--device", "cpu"]
    asked += ["--motion-tokenizer", tmp_path / "tokenizer" / "motion_tokenizer.pth", "--out-dir", tmp_path / "order"]
    said = command("compare_evaluators", *asked)
    for name in TRAINED:
        found = tmp_path / "order" / f"{name}_order.json"
        rows = read_results(found)
        real, rebuilt, shuffled, another = (rows[state]["MM-Dist"].mean for state in STATES)
        # After some seconds of training nobody knows yet that frames have an order, and the tokenizer leaves little.
        assert real < rebuilt < another and shuffled < another
        assert json.loads(found.read_text())["order_holds"]["MM-Dist"] is (rebuilt < shuffled)  # the others hold
        assert f"{name}: real > reconstruction > shuffled > another clip " in said
        assert rows["real"]["R@3"].mean > 2 * rows["another clip"]["R@3"].mean
        assert rows["another clip"]["FID"].mean == pytest.approx(0, abs=1e-4)
        assert rows["shuffled"]["FID"].mean > 0.001 and rows["reconstruction"]["FID"].mean > 0.001
    assert command("compare_evaluators", *asked) == said  # all is drawn by seed


@pytest.fixture
def world(tmp_path):
    write_motions(tmp_path / "data", {"test": 5, "one": 1})
    write_motions(tmp_path / "plain", {"test": 5}, captioned=False)
    random_evaluator().save(tmp_path / "judge")
    random_evaluator(family="tmr").save(tmp_path / "more" / "judge")
    random_evaluator(KIT).save(tmp_path / "kit")
    random_tokenizer().save(tmp_path / "tokenizer.pth")
    return tmp_path


def run(world, monkeypatch, capsys, evaluators, *more):
    given = ["--evaluators", *(world / name for name in evaluators), "--data-root", world / "data"]
    given += ["--motion-tokenizer", world / "tokenizer.pth", "--device", "cpu", *more]
    monkeypatch.setattr(sys, "argv", ["compare_evaluators", *map(str, given)])
    status = 0
    try:
        run_command(compare_evaluators.main)
    except SystemExit as end:
        status = end.code
    return status, *capsys.readouterr()


def test_few_clips_have_no_precision_and_are_compared_all_the_same(world, monkeypatch, capsys):
    status, said, errors = run(world, monkeypatch, capsys, ["judge", "more/judge"])
    assert status == 0, errors
    assert f"{world / 'more/judge'} (family tmr, tmr-" in said and f"{world / 'judge'} (family guo, " in said
    assert "rank correlation of their distances" in said
    assert "is not known by R@1 (of 32 clips at least)" in said and "agree by R@1" not in said


def test_one_evaluator_is_enough_and_is_signed(world, monkeypatch, capsys):
    status, _, errors = run(world, monkeypatch, capsys, ["judge"], "--out-dir", world / "out")
    assert status == 0, errors
    found = json.loads((world / "out" / "judge_order.json").read_text())
    signature = found["rows"]["shuffled"]["MM-Dist"]["signature"]
    assert f"eval:{random_evaluator().fingerprint}|ckpt:{random_tokenizer().fingerprint}" in signature
    assert set(found["order_holds"]) == {"R@1", "MM-Dist"}
    (world / "out" / "judge_order.json").write_text("[]")
    status, _, errors = run(world, monkeypatch, capsys, ["judge"], "--out-dir", world / "out")
    assert status == 2 and "judge_order.json: is there" in errors


@pytest.mark.parametrize(
    ("evaluators", "more", "said"),
    [
        (["nobody"], (), "--evaluators"),
        (["kit"], (), "is for --dataname kit, not t2m"),
        (["judge"], ("--split", "one"), "--split one: one clip"),
        (["judge"], ("--segment-frames", "0"), "--segment-frames"),
        (["judge", "more/judge"], ("--out-dir", "out"), "two folders of the same name"),
        (["judge"], ("--data-root", "/nowhere"), "/nowhere: no such data set folder"),
    ],
)
def test_mistakes_are_one_line(world, monkeypatch, capsys, evaluators, more, said):
    status, _, errors = run(world, monkeypatch, capsys, evaluators, *more)
    assert status == 2 and said in errors and "Traceback" not in errors


def test_names_are_as_short_as_they_can_be():
    assert names_of(["a/judge", "a/ranker/"]) == ["judge", "ranker"]
    assert names_of(["a/judge", "b/judge"]) == ["a/judge", "b/judge"]
