"""The README's main command at its smallest sizes, as a user runs it; then again, to see that nothing is redone."""

import json
import os
import subprocess

import pytest

from tests.places import ROOT
from utils.warm_python.server import READY

pytestmark = pytest.mark.pipeline


def quickstart(folder):
    environment = {**os.environ, "MORL_SIZE": "smoke", "MORL_VENV": "none", "MORL_OUT": str(folder)}
    answer = subprocess.run(
        ["bash", "prepare/quickstart.sh"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200
    )
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-4000:]
    said = (folder / "lane.log").read_text()
    assert READY in said and "needs another Python" not in said  # utils.warm_python ran the commands
    return answer.stdout


def test_quickstart(tmp_path):
    shown = quickstart(tmp_path)
    for row in ("real", "SFT", "RLVR", "SFT greedy", "RLVR greedy", "RLVR+CoM", "text to motion", "motion to text"):
        assert row in shown
    # Judge and ranker are of two families, and both are asked for an order that is known.
    for name, family in (("ranker", "guo"), ("judge", "tmr")):
        assert f"{name} (family {family}, " in shown and f"{name}: real > reconstruction > shuffled > another" in shown
    for task in ("t2m", "m2t"):
        assert (tmp_path / f"sft_{task}" / f"motionllm_{task}_best.pth").is_file()
        assert (tmp_path / f"rlvr_{task}" / "motionllm_rlvr_epoch_0.pth").is_file()
        one_draw = ("com",) if task == "t2m" else ("com", "sft_greedy", "rlvr_greedy")
        for name in ("sft", "rlvr", "sft_greedy", "rlvr_greedy", "com"):
            folder = tmp_path / f"eval_{task}_{name}"
            results = json.loads((folder / "results.json").read_text())
            assert results["task"] == task and ("FID" in results["rows"]["generated"]) == (task == "t2m")
            predictions = (folder / "predictions.jsonl").read_text().splitlines()
            assert len(predictions) == results["replies"] == 8 * (1 if name in one_draw else 2)
    page = (tmp_path / "results.html").read_text()
    assert all(name in page for name in ("rlvr_t2m", "eval_m2t_com", "R@1")) and "https://" not in page
    assert (tmp_path / "motion.gif").read_bytes()[:3] == b"GIF" and "a person walks" in (
        tmp_path / "motion.html"
    ).read_text()
    trace = [json.loads(line) for line in (tmp_path / "eval_t2m_com" / "trace.jsonl").read_text().splitlines()]
    assert len(trace) == 8 * 2 * 2 and sum(row["chosen"] for row in trace) == 8
    assert {row["round"] for row in trace} == {0, 1} and "consistency" in trace[0]["scores"]

    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pth")}
    assert "text to motion" in quickstart(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pth")} == before
