"""What measures a GPU (`python -m tests.gpu`) runs here at tiny sizes, so that it works where there is one."""

import json
import time

import pytest
import torch

from dataset.toy.clips import toy_clips
from models.engines.engine import taken_engine
from models.language.vocabulary import MotionVocabulary
from tests.benchmarks.memory_table import TEXT_TOKENS
from tests.gpu import groups
from tests.gpu.__main__ import main
from tests.gpu.bench import FAILED, MEASURED, MISSING, PART_ENDED, Bench, Figure, measure
from tests.gpu.groups import PARTS, Group, budgets, groups_of, in_a_process
from tests.gpu.shapes import NB_CODE, SHAPES, text_tokenizer
from tests.gpu.table import markdown, with_shares
from utils.errors import InputError

ABOUT = dict.fromkeys(("command", "gpu", "dtype", "platform", "commit")) | {"versions": {}}


def has_vllm():
    try:
        return taken_engine("vllm", torch.device("cpu")) == "vllm"
    except InputError:
        return False


def run(folder, *flags):
    """(exit status, rows of results.json)"""
    status = main(["--shapes", "tiny", "--out-dir", str(folder), *flags])
    assert sorted(file.name for file in folder.iterdir()) == ["environment.json", "results.json", "table.md"]
    return status, json.loads((folder / "results.json").read_text("utf-8"))["rows"]


def check_rows(status, rows):
    """Every part has figures; only vLLM may be missing, where it is not installed."""
    assert [(row["part"], row["problem"], row["trace"]) for row in rows if row["status"] == FAILED] == []
    assert status == 0
    missing = [(row["part"], "not installed" in row["problem"]) for row in rows if row["status"] == MISSING]
    assert missing == ([] if has_vllm() else [("vllm", True)])
    measured = {row["part"] for row in rows if row["value"] is not None and row["what"] != PART_ENDED}
    assert measured == set(PARTS) - ({part for part, _ in missing})
    assert {row["unit"] for row in rows if "share of peak" in (row["what"] or "")} == {"%"}


@pytest.mark.pipeline
def test_every_part_runs_on_a_cpu(tmp_path):
    check_rows(*run(tmp_path, "--device", "cpu"))
    table = (tmp_path / "table.md").read_text("utf-8")
    assert "| grpo | tiny | whole step |" in table and "tokens/s" in table


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: here the same parts run on the CPU only")
def test_every_part_runs_on_a_gpu(tmp_path):
    status, rows = run(tmp_path, "--minutes", "6")
    check_rows(status, rows)
    assert all(row["peak_gb"] > 0 for row in rows if row["part"] == "sft" and row["unit"] == "tokens/s")


def bench_in(folder, seconds=60.0):
    return Bench(SHAPES["tiny"], torch.device("cpu"), "auto", folder, time.monotonic() + seconds)


def full(bench):
    yield Figure("before", 1.0, "s", "alone")
    raise torch.OutOfMemoryError("no 80 GB left\nand more")


def wrong(bench):
    yield Figure("a check", 2.0, "nats", "of something", passed=False)


def test_a_part_that_fails_keeps_what_it_measured_and_the_next_goes_on(tmp_path):
    rows, parts = [], {"full": full, "wrong": wrong}
    measure(["full", "gone", "wrong"], lambda name: parts[name], bench_in(tmp_path), rows.append)
    found = [(row["part"], row["status"], row["problem"]) for row in rows if row["what"] != PART_ENDED]
    assert found == [
        ("full", MEASURED, None),
        ("full", FAILED, "OutOfMemoryError: no 80 GB left"),
        ("gone", FAILED, "KeyError: 'gone'"),
        ("wrong", FAILED, None),
    ]
    table = markdown(rows, ABOUT)
    assert "| full | tiny |  | failed: OutOfMemoryError: no 80 GB left |" in table
    assert "| wrong | tiny | a check | 2 nats failed |" in table


def test_a_part_without_time_does_not_begin(tmp_path):
    rows = []
    measure(["full"], lambda name: full, bench_in(tmp_path, seconds=0.5), rows.append)
    assert (rows[0]["status"], rows[0]["what"]) == (MISSING, None) and "--minutes" in rows[0]["problem"]


def test_a_group_in_a_process_of_its_own(tmp_path, monkeypatch):
    group, shared = Group(("peak",), "tiny", 1.0), ["--device", "cpu", "--out-dir", str(tmp_path)]
    rows = in_a_process(group, shared, tmp_path, time.monotonic() + 300)
    assert [(row["what"], row["status"]) for row in rows] == [("product of matrices", MEASURED), (PART_ENDED, MEASURED)]
    # One that is not ready in time is ended, and one that cannot work tells its status.
    monkeypatch.setattr(groups, "GRACE", 0.1)
    (late,) = in_a_process(Group(("sft",), "tiny", 1.0), shared, tmp_path, time.monotonic())
    assert late["status"] == FAILED and "not ready after 0 s" in late["problem"]


def test_the_time_is_shared_out_and_what_is_left_goes_on():
    deadline = time.monotonic() + 1000
    found = groups_of(["0.6b", "4b"], ["peak", "sft", "vllm"])
    assert [(one.parts, one.shape) for one in found] == [
        (("peak",), "0.6b"), (("sft",), "0.6b"), (("sft",), "4b"), (("vllm",), "0.6b"), (("vllm",), "4b"),
    ]  # fmt: skip
    ends = [end for _, end in budgets(found, deadline)]
    assert ends[-1] == pytest.approx(deadline, abs=1) and all(end <= deadline + 1e-6 for end in ends)
    # No group took any time, so that each has its share of all that there was.
    assert ends[0] - time.monotonic() == pytest.approx(1000 * 2 / 15, abs=5)


def test_the_share_of_the_peak():
    rows = [{"part": "peak", "flops": 100.0, "model": ""}, {"part": "sft", "flops": 40.0, "model": "4b", "what": "x"}]
    assert [row.get("value") for row in with_shares(rows)] == [None, None, 40.0]


def test_the_text_tokenizer_is_as_large_as_qwen3s():
    vocabulary = MotionVocabulary(text_tokenizer(list(toy_clips(10, seed=0)), TEXT_TOKENS), NB_CODE)
    assert len(vocabulary.tokenizer) == 152_185  # 151,669 of Qwen3, 4 tags and 512 codes
    assert vocabulary.code_ids == list(range(152_185 - NB_CODE, 152_185))
    text = "a person walks</think><Answer><Motion><Motion_7></Motion></Answer>"
    assert vocabulary.decode(vocabulary.encode(text)) == text
