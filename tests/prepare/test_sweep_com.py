"""The sweep of Chain-of-Motion, run as a user would on the smallest real things."""

import json
import subprocess

import pytest

from prepare.sweep_com import answers_after
from tests.prepare.random_motions import random_evaluator, write_motions
from tests.test_eval_mllm import save_policy
from tests.warm_python import warm_python

CLIPS = 33
SCORER = """
class Variety:
    tasks, needs_reference = ("t2m",), False
    def __init__(self, context): pass
    def score(self, rollouts): return [len(set(rollout.token_ids)) for rollout in rollouts]
"""


@pytest.mark.pipeline
def test_a_sweep_tables_plots_and_compares_at_equal_numbers(tmp_path, backbone, motion_tokenizer):
    write_motions(tmp_path / "data", {"train": 8, "test": CLIPS})
    random_evaluator().save(tmp_path / "judge")
    policy = save_policy(tmp_path / "policy.pth", backbone, motion_tokenizer)
    evaluation = ["--eval-ckpt", policy, "--data-root", tmp_path / "data", "--eval-evaluator", tmp_path / "judge"]
    (tmp_path / "variety.py").write_text(SCORER)  # a random policy writes no motion that the rewards could tell apart
    evaluation += [
        "--com-scorers",
        f"{tmp_path}/variety.py:Variety=1",
        "--max-new-tokens",
        "12",
        "--temperature",
        "1",
        "--repeats",
        "2",
        "--engine",
        "transformers",
    ]
    line = [warm_python(), "-m", "prepare.sweep_com", "--out-dir", tmp_path / "sweep", "--candidates", "1", "2"]
    line = [*map(str, [*line, "--rounds", "2", "--", *evaluation, "--device", "cpu"])]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert set(found) == {"1x1", "1x2", "2x1", "2x2"}
    assert found["1x1"]["tokens"] == pytest.approx(12, abs=1) and found["2x2"]["tokens"] == pytest.approx(48, abs=3)
    assert found["1x1"]["seconds"] < found["1x2"]["seconds"] and "R@1" in found["2x2"]
    assert "1x2 - 2x1: " in done.stdout
    assert (tmp_path / "sweep" / "sweep.png").stat().st_size > 1000

    first, second = (answers_after(tmp_path / "sweep" / "2x2", rounds) for rounds in (1, 2))
    whole = [json.loads(row) for row in (tmp_path / "sweep" / "2x2" / "predictions.jsonl").read_text().splitlines()]
    assert [row["text"] for row in second] == [row["text"] for row in whole]
    trace = [json.loads(row) for row in (tmp_path / "sweep" / "2x2" / "trace.jsonl").read_text().splitlines()]
    for row in first:
        own = [one for one in trace if one["id"] == row["id"] and one["round"] == 0]
        assert row["text"] == max(own, key=lambda one: one["total"])["text"]
    assert [row["text"] for row in first] != [row["text"] for row in second]
    failed = subprocess.run([*line, "--eval-batch-size", "0"], capture_output=True, text=True, check=False)
    assert failed.returncode == 2 and "--eval-batch-size must be positive" in failed.stderr
    assert "eval_mllm.py ended with status 2" in failed.stderr and "Traceback" not in failed.stderr
    refused = subprocess.run([*line, "--use-com"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "--use-com after --" in refused.stderr
