"""GRPO with vLLM: it draws what the trainer would, a resumed run draws what a straight one does, nothing is left."""

import json

import pytest
import torch

from models.policy.checkpoint import load_checkpoint
from rewards.grpo.rules import Reflecting, ReplyRules
from tests.rewards.grpo.grpo_runs import config, run_grpo
from tests.rewards.grpo.test_training import StopAfter
from utils.errors import InputError


def test_settings_that_do_not_reach_vllm_are_refused(tmp_path):
    for fields, said in (
        ({"min_p": 0.1, "top_k": 4}, "top_k, min_p cannot be set with --engine vllm"),
        ({"generation_kwargs": {"min_new_tokens": 3}}, "generation_kwargs cannot be set with --engine vllm"),
    ):
        with pytest.raises(InputError, match=said):
            ReplyRules().check(config(tmp_path, **fields), by_vllm=True)
        ReplyRules().check(config(tmp_path, **fields))
    ReplyRules().check(config(tmp_path), by_vllm=True)


def rows_of(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if "kl" in row]


def test_a_run_by_vllm_is_on_policy_and_goes_on_as_a_straight_one(cot_jsonl, backbone, motion_tokenizer, tmp_path):
    pytest.importorskip("vllm", reason="vLLM is not installed here: tests/vllm/environment.sh makes an environment")
    rules = ReplyRules(reflecting=Reflecting(0.3))
    given = (cot_jsonl, backbone, motion_tokenizer)
    straight = run_grpo(tmp_path / "straight", *given, rules=rules, by_vllm=True)
    rows = rows_of(tmp_path / "straight")
    assert straight["best_epoch"] in (0, 1) and len(rows) == 4
    assert rows[0]["kl"] == 0.0 < rows[-1]["kl"]
    for row in rows:
        assert row["sampling/logp_difference/max"] < 1e-3
        assert row["sampling/importance_sampling_ratio/max"] < 1 + 1e-3
        assert "sampling/sampling_logp_difference/mean" not in row
    assert not (tmp_path / "straight" / "vllm").exists()
    stop, again = StopAfter(2), tmp_path / "again"
    assert run_grpo(again, *given, rules=rules, by_vllm=True, extra_log=stop, interrupt=stop.flag) is None
    run_grpo(again, *given, rules=rules, by_vllm=True)
    one, other = (
        load_checkpoint(run / "motionllm_rlvr_latest.pth").parts[-1] for run in (tmp_path / "straight", again)
    )
    assert all(torch.allclose(one.weights[name], other.weights[name], atol=1e-5) for name in one.weights)
