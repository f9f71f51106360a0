"""GRPO in two processes (gloo) draws from one server. Run by torchrun, this file is each of the two.

Each asks for replies to its own prompts; the first gives the server the adapter of every step.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.policy.checkpoint import load_checkpoint
from models.tokenizer.motion_tokenizer import MotionTokenizer
from rewards.grpo.rules import Reflecting, ReplyRules
from tests.models.engines.servers import SmallServer, vllm_server, write_export
from tests.places import ROOT
from tests.rewards.grpo.grpo_runs import policy_of, run_grpo
from tests.rewards.grpo.test_training import StopAfter
from tests.warm_python import warm_python

STEPS = 4
RULES = ReplyRules(reflecting=Reflecting(0.3))


def train(folder, given, url, stop_after=None):
    """Four steps, each on 16 replies to 4 prompts, 8 of each process; -> None where it was stopped."""
    stop = {} if stop_after is None else {"extra_log": (at := StopAfter(stop_after)), "interrupt": at.flag}
    batch = 16 // int(os.environ["WORLD_SIZE"])
    return run_grpo(
        folder, *given, rules=RULES, engine_server=url, held_out_prompts=5, per_device_train_batch_size=batch, **stop
    )


def main():
    folder, cot_jsonl, backbone, url = sys.argv[1:]
    folder = Path(folder)
    given = (cot_jsonl, backbone, MotionTokenizer.load(folder / "tokenizer.pth"))
    train(folder / "straight", given, url)
    assert train(folder / "again", given, url, stop_after=2) is None
    train(folder / "again", given, url)


def two_processes(folder, given, url):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    launcher = [warm_python(environment), "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launcher, __file__, folder, *given, url]
    done = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, timeout=600, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-9000:]


def rows(folder):
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row for row in found if "kl" in row]


def check(folder):
    """Both processes sampled from the policy that they train, and a run that was stopped went on as a straight one."""
    found = rows(folder / "straight")
    assert len(found) == STEPS and found[0]["kl"] == 0.0 < found[-1]["kl"]
    for row in found:
        assert row["sampling/logp_difference/max"] < 1e-3
        assert row["sampling/importance_sampling_ratio/max"] < 1 + 1e-3
    assert not (folder / "straight" / "vllm").exists()
    one, other = (
        load_checkpoint(folder / run / "motionllm_rlvr_latest.pth").parts[-1] for run in ("straight", "again")
    )
    assert all(torch.allclose(one.weights[name], other.weights[name], atol=1e-5) for name in one.weights)


@pytest.mark.pipeline
def test_two_processes_share_a_server(cot_jsonl, backbone, motion_tokenizer, tmp_path):
    motion_tokenizer.save(tmp_path / "tokenizer.pth")
    policy = policy_of(backbone, motion_tokenizer)
    name = f"{policy.start('t2m')}-float32"
    with SmallServer(policy.model, policy.language.vocabulary, name) as server:
        two_processes(tmp_path, (cot_jsonl, backbone), server.url)
        assert server.adapters == {}  # every state went when the next one came, and the last with the process
    check(tmp_path)
    asked = [body for path, body in server.log if path == "/v1/completions"]
    assert {body["model"] for body in asked} != {name}
    loaded = [body["lora_path"] for path, body in server.log if path == "/v1/load_lora_adapter"]
    straight = [path for path in loaded if path.startswith(str(tmp_path / "straight"))]
    assert len(straight) == STEPS + 1  # before training and after each step, by one of the processes
    seeds = [body["seed"] for body in asked if body["model"] == Path(straight[1]).name]
    assert len(set(seeds)) == len(seeds) >= 16  # no two replies of a step are drawn alike


@pytest.mark.pipeline
def test_two_processes_share_a_server_of_vllm(cot_jsonl, backbone, motion_tokenizer, tmp_path):
    pytest.importorskip("vllm", reason="vLLM is not installed here: tests/vllm/environment.sh makes an environment")
    motion_tokenizer.save(tmp_path / "tokenizer.pth")
    policy = policy_of(backbone, motion_tokenizer)
    export = write_export(tmp_path / "export", policy.model, policy.language.vocabulary, policy.start("t2m"))
    with vllm_server(export, 8017) as url:
        two_processes(tmp_path, (cot_jsonl, backbone), url)
    check(tmp_path)


if __name__ == "__main__":
    main()
