"""GRPO in two processes (gloo) computes what one does, and stops as one. Run by torchrun, this file is each of the two.

Replies hang on step and place here, not on the process, so both ask and answer the same.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.engines.transformers_engine import TransformersEngine
from models.language.decoding import Sampling
from models.policy.checkpoint import load_checkpoint
from models.policy.states import DONE_FILE, problem_of
from models.tokenizer.motion_tokenizer import MotionTokenizer
from rewards.base import RewardContext
from rewards.grpo.trainer import MotionGRPOTrainer
from rewards.grpo.training import GrpoPlan
from rewards.mixture.weighted import WeightedReward, WeightedRewards
from tests.places import ROOT
from tests.rewards.grpo.grpo_runs import TASKS, ShortReply, config, run_grpo
from tests.warm_python import warm_python
from utils.errors import InputError
from utils.motion.skeleton import T2M
from utils.run.interrupt import InterruptFlag

STEPS = 6
LOGGED = ("reward", "kl", "entropy", "grad_norm", "num_tokens", "completions/mean_length", "held_out_reward/total")


class Interrupting(ShortReply):
    """In the second process the replies of step 3 bring Ctrl-C, twice: the terminal's and the launcher's."""

    def __init__(self, interrupts):
        super().__init__(RewardContext(T2M, 16))
        self.left = 3 if interrupts and os.environ["RANK"] == "1" else 0

    def score_applicable(self, rollouts):
        self.left -= 1
        if self.left == 0:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
        return super().score_applicable(rollouts)


def answer_by_place(trainer, prompts, *_, **__):
    """Replies by step and place in it, whichever process answers; trl's own draws hang on each process's generator."""
    first = trainer.accelerator.process_index * len(prompts)
    keys = [(trainer.state.global_step << 20) + first + place for place in range(len(prompts))]
    policy = trainer.accelerator.unwrap_model(trainer.model)
    sampling = Sampling(1.0, 1.0, trainer.args.max_completion_length, seed=trainer.args.seed)
    policy.eval()
    drawn = TransformersEngine(policy, trainer._language.vocabulary).generate(prompts, keys, sampling, policy)
    policy.train()
    return [one.ids for one in drawn], None


def train(folder, cot_jsonl, backbone, motion_tokenizer, processes=1, interrupts=False):
    """Six steps, each on 16 replies to 4 prompts; -> None after Ctrl-C."""
    return run_grpo(
        folder,
        cot_jsonl,
        backbone,
        motion_tokenizer,
        rewards=WeightedRewards([WeightedReward("short", Interrupting(interrupts), 1.0)]),
        interrupt=InterruptFlag(),
        held_out_prompts=5,  # not shared out evenly
        per_device_train_batch_size=16 // processes,
        num_train_epochs=STEPS // 2,
        optim="sgd",  # Adam's first steps are as long where the gradient is nothing but rounding
        learning_rate=0.5,
    )


def main():
    MotionGRPOTrainer._generate_single_turn = answer_by_place
    folder, cot_jsonl, backbone = map(Path, sys.argv[1:])
    given = (
        str(cot_jsonl),
        str(backbone),
        MotionTokenizer.load(folder / "tokenizer.pth"),
        int(os.environ["WORLD_SIZE"]),
    )
    train(folder / "straight", *given)
    stopped = train(folder / "stopped", *given, interrupts=True)
    (folder / f"stopped-{os.environ['RANK']}.json").write_text(json.dumps(stopped))
    if os.environ["RANK"] == "0":
        (folder / "states.json").write_text(json.dumps(states(folder / "stopped")))
    train(folder / "stopped", *given)


def states(folder):
    """(name, processes that wrote it, what it lacks) of every state of a run."""
    found = sorted((folder / "trainer_state").glob("checkpoint-*"))
    return [(one.name, json.loads((one / DONE_FILE).read_text())["processes"], problem_of(one)) for one in found]


@pytest.fixture(scope="module")
def two(tmp_path_factory, cot_jsonl, backbone, motion_tokenizer):
    """The folder in which two processes have trained."""
    folder = tmp_path_factory.mktemp("two")
    motion_tokenizer.save(folder / "tokenizer.pth")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    launcher = [warm_python(environment), "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launcher, __file__, folder, cot_jsonl, backbone]
    done = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, timeout=240, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-9000:]
    return folder


def rows(folder):
    """Metrics of steps and of validations, without those of the end of a loop."""
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row for row in found if "kl" in row or "held_out_reward/total" in row]


def replies(folder):
    shown = [json.loads(line) for line in (folder / "samples" / "replies.jsonl").read_text().splitlines()]
    return [(row["step"], row["prompt"], row["text"], row["rewards"]) for row in shown]


def weights(folder):
    return load_checkpoint(folder / "motionllm_rlvr_latest.pth").parts[-1].weights


def shown(row):
    return {name: value for name, value in row.items() if name in ("step", "epoch", *LOGGED)}


@pytest.mark.pipeline
def test_two_processes_learn_what_one_does(two, tmp_path, cot_jsonl, backbone, motion_tokenizer, monkeypatch):
    monkeypatch.setattr(MotionGRPOTrainer, "_generate_single_turn", answer_by_place)
    train(tmp_path, cot_jsonl, backbone, motion_tokenizer)
    assert replies(two / "straight") == replies(tmp_path) != []
    ours, theirs = rows(tmp_path), rows(two / "straight")
    assert len(ours) == len(theirs) and len(ours) == STEPS + 1 + STEPS // 2
    for one, other in zip(ours, theirs, strict=True):
        assert shown(other) == pytest.approx(shown(one), rel=1e-4, abs=1e-6)
    alone, together = weights(tmp_path), weights(two / "straight")
    for name, weight in alone.items():
        torch.testing.assert_close(together[name], weight, atol=1e-5, rtol=0, msg=name)
    assert max(weight.abs().max() for name, weight in alone.items() if "lora_B" in name) > 1e-3  # it begins at 0


@pytest.mark.pipeline
def test_a_signal_to_one_of_them_leaves_one_whole_state_and_the_run_goes_on(two):
    assert [(two / f"stopped-{rank}.json").read_text() for rank in (0, 1)] == ["null", "null"]
    names = [("checkpoint-2", 2, None), ("checkpoint-3", 2, None)]  # of the end of the first epoch, and of Ctrl-C
    assert [tuple(state) for state in json.loads((two / "states.json").read_text())] == names
    assert [shown(row) for row in rows(two / "stopped")] == [shown(row) for row in rows(two / "straight")]
    straight, resumed = weights(two / "straight"), weights(two / "stopped")
    assert all(torch.equal(resumed[name], weight) for name, weight in straight.items()) and straight


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [("ACCELERATE_USE_FSDP", "true", "FSDP"), ("ACCELERATE_DEEPSPEED_ZERO_STAGE", "3", "ZeRO-3")],
)
def test_weights_in_pieces_are_refused(monkeypatch, tmp_path, variable, value, name):
    GrpoPlan(TASKS, config(tmp_path), None)
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=f"which {name} holds in pieces.*ZeRO-2"):
        GrpoPlan(TASKS, config(tmp_path), None)
    monkeypatch.delenv(variable)
    with pytest.raises(InputError, match="which FSDP holds in pieces"):  # as --trainer-config asks for it
        GrpoPlan(TASKS, config(tmp_path, fsdp=True), None)


if __name__ == "__main__":
    main()
