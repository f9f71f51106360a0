"""The sweep over temperatures and the best of k, run as a user would on the smallest real things."""

import json
import subprocess

import pytest

from prepare import sweep_com
from prepare.sweep_sampling import OURS, Point, Setting, SweepFlags, report, task_of, without_search
from prepare.sweeps.evaluations import split_line
from tests.prepare.random_motions import random_evaluator, write_motions
from tests.prepare.test_sweep_com import SCORER
from tests.test_eval_mllm import save_policy
from tests.warm_python import warm_python
from utils.errors import InputError
from utils.metrics.report import MetricValue, Signature, write_results

CLIPS = 33


@pytest.fixture
def line(tmp_path, backbone, motion_tokenizer):
    """A command that sweeps a random policy under two names, but for the sweep's own further flags."""
    write_motions(tmp_path / "data", {"train": 8, "test": CLIPS})
    random_evaluator().save(tmp_path / "judge")
    policy = save_policy(tmp_path / "policy.pth", backbone, motion_tokenizer, ("t2m", "m2t"))
    (tmp_path / "variety.py").write_text(SCORER)
    line = [warm_python(), "-m", "prepare.sweep_sampling", "--out-dir", tmp_path / "sweep", "--samples", "2"]
    line += ["--ckpts", f"A={policy}", f"B={policy}", "--", "--data-root", tmp_path / "data", "--device", "cpu"]
    line += ["--eval-evaluator", tmp_path / "judge", "--max-new-tokens", "12", "--repeats", "2"]
    return [*map(str, line), "--com-scorers", f"{tmp_path}/variety.py:Variety=1", "--bertscore-model", "none"]


def run(line, own, *evaluation):
    at = line.index("--")
    return subprocess.run([*line[:at], *own, *line[at:], *evaluation], capture_output=True, text=True, check=False)


@pytest.mark.pipeline
def test_checkpoints_are_compared_at_each_setting_and_at_their_best(tmp_path, line):
    own = ["--temperatures", "1", "0", "--candidates", "2", "1", "--best-by", "Well-formed"]
    done = run(line, own)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    settings = ("greedy", "T1", "T1, best of 2")
    assert list(found) == [f"{name}, {setting}" for name in "AB" for setting in settings]
    assert all(found[f"A, {setting}"] == found[f"B, {setting}"] for setting in settings)  # the same checkpoint twice
    assert "B minus A, clip by clip" in done.stdout and "  each at its best Well-formed (" in done.stdout
    assert "+0.000 +- 0.000" in done.stdout and (tmp_path / "sweep" / "sweep.png").stat().st_size > 1000
    assert draws(tmp_path, "T1") == {0, 1} and draws(tmp_path, "T0") == {0}  # greedy, with one caption a clip
    refused = run(line, own, "--samples", "3")
    assert refused.returncode == 2 and "--samples after --" in refused.stderr


def draws(tmp_path, decoding):
    rows = (tmp_path / f"sweep/A_{decoding}_k1/predictions.jsonl").read_text().splitlines()
    return {json.loads(row)["draw"] for row in rows}


def test_settings_are_named_as_they_decode():
    assert [Setting(0, 1).name, Setting(0.7, 8).name] == ["greedy", "T0.7, best of 8"]
    assert Setting(0, 1).flags(20, "m2t") == ["--temperature", "0"]  # greedy captions of a motion are all alike
    assert Setting(0, 1).flags(20, "t2m")[2:] == Setting(0.5, 1).flags(20, "m2t")[2:] == ["--samples", "20"]
    assert Setting(0.7, 8).flags(20, "t2m")[2:] == ["--use-com", "--com-candidates", "8", "--com-refine-steps", "1"]


@pytest.mark.parametrize(
    ("words", "task"), [(["--eval_task", "m2t"], "m2t"), (["--eval-task=m2t"], "m2t"), (["--limit", "5"], "t2m")]
)
def test_the_task_is_read_as_eval_mllm_reads_it(words, task):
    assert task_of(words) == task


@pytest.mark.parametrize("words", [["--temperature", "0"], ["--temperature=0"], ["--com_candidates", "4"]])
def test_what_the_sweep_sets_is_refused_however_it_is_spelled(words):
    with pytest.raises(InputError, match=r"--(temperature|com-candidates) after --: the sweep sets these itself"):
        split_line(["--out-dir", "x", "--", "--limit", "5", *words], OURS)
    assert split_line(["--x", "--", "--limit=5"], OURS) == (["--x"], ["--limit=5"])


@pytest.mark.parametrize("name", ["Diversity", "MultiModality", "loss"])
def test_no_setting_is_chosen_by_what_has_no_better_way_or_is_not_measured(name):
    with pytest.raises(ValueError, match="--best-by: expected one of R@1, "):
        SweepFlags("out", ["A=a.pth"], best_by=name)


@pytest.mark.parametrize("row", [{}, {"BLEU@4": MetricValue(0.5, 0.1, 4, 1)}], ids=["nothing is scored", "no judge"])
def test_what_no_evaluator_judged_is_tabled_without_a_row_of_real_motion(tmp_path, row):
    rows = {"generated": row} if row else {}
    write_results(tmp_path / "results.json", rows, Signature("t2m", "test", 0))
    searched = sweep_com.report([sweep_com.Point(2, 1, tmp_path, 10.0, 1.0)], "m2t")
    sampled = report([Point("A", Setting(0, 1), tmp_path)], "m2t", "CIDEr")
    assert "\nreal" not in searched + sampled and "best CIDEr: not measured" in sampled
    assert ("0.500 +- 0.100" in searched and "0.500 +- 0.100" in sampled) is bool(row)


def test_plain_settings_are_not_given_what_only_a_search_reads():
    given = ["--limit", "5", "--com_scorers", "a=1", "--com-temperature", "0.7", "0.9", "--seed=1", "--com-oracle"]
    assert without_search(given) == ["--limit", "5", "--seed=1"]
