"""Replies that no reward applies to and replies that are cut: said, and the end where nothing is learned of them."""

import json

import pytest

from dataset.cot.samples import read_cot_jsonl
from models.policy.checkpoint import load_checkpoint
from rewards.grpo.scoring import Earned, refuse_useless_epoch
from rewards.mixture.weighted import WeightedReward, WeightedRewards
from tests.rewards.grpo.grpo_runs import run_grpo
from utils.errors import InputError


class Choosy:
    """A reward of a user's file, which applies to some replies only."""

    tasks = ("t2m", "m2t")
    needs_reference = False

    def __init__(self, applies):
        self.applies = applies

    def score(self, rollouts):
        return [float(len(rollout.token_ids)) if self.applies(rollout) else None for rollout in rollouts]


def choosy(applies):
    return WeightedRewards([WeightedReward("choosy", Choosy(applies), 1.0)])


@pytest.fixture
def run(cot_jsonl, backbone, motion_tokenizer, tmp_path):
    def start(**fields):
        return run_grpo(tmp_path, cot_jsonl, backbone, motion_tokenizer, **fields)

    start.folder = tmp_path
    return start


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([Earned([1.0], 4, 3), Earned([], 4, 4)], None),
        ([Earned([], 4, 4), Earned([2.0], 4, 4)], "every one of the 8 replies of epoch 2 was cut at 40 tokens"),
        ([Earned([], 4, 0), Earned([], 4, 3)], "none of the 8 replies of epoch 2 is judged by a reward (format, mine)"),
        ([Earned()], None),  # before training
    ],
)
def test_an_epoch_that_teaches_nothing_is_refused(parts, said):
    if said is None:
        refuse_useless_epoch(2, parts, 40, ("format", "mine"))
        return
    with pytest.raises(InputError) as error:
        refuse_useless_epoch(2, parts, 40, ("format", "mine"))
    assert said in str(error.value) and "--" in str(error.value)


def test_a_step_without_a_scored_reply_is_no_fault(run):
    """Every second batch of 16 replies is judged, so half of the logged steps have no reward."""
    asked = []

    def applies(rollout):
        asked.append(rollout.id)
        return len(asked) // 16 % 2 == 0

    summary = run(rewards=choosy(applies))
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "kl" in row] == [1, 2, 3, 4]
    assert "latest" in summary or "best" in summary


def test_held_out_prompts_that_no_reward_judges_leave_the_latest_checkpoint(run, cot_jsonl, caplog):
    trained, _ = read_cot_jsonl(cot_jsonl, nb_code=16).split(0.2, seed=0)
    ids = {trained.sample(row, "t2m").id for row in range(len(trained))}
    summary = run(rewards=choosy(lambda rollout: rollout.id in ids))
    assert summary["latest"].endswith("motionllm_rlvr_latest.pth") and "held_out_reward" not in summary
    assert load_checkpoint(summary["latest"]).tasks == ("t2m", "m2t")
    assert not (run.folder / "motionllm_rlvr_best.pth").exists()
    assert caplog.text.count("no reward judges any of the held-out replies") == 1


def test_a_run_whose_replies_are_never_judged_ends_after_its_first_epoch(run):
    with pytest.raises(InputError, match="none of the 32 replies of epoch 0 is judged by a reward"):
        run(rewards=choosy(lambda rollout: False))
    assert not list(run.folder.glob("*.pth"))


def test_a_run_whose_replies_are_all_cut_warns_and_ends_after_its_first_epoch(run, caplog):
    with pytest.raises(InputError, match="every one of the 32 replies of epoch 0 was cut at 1 tokens"):
        run(max_completion_length=1)
    assert caplog.text.count("all 16 replies were cut at 1 tokens") == 1


@pytest.mark.parametrize("prompts", [16, 32])  # in the next sampling, and at an epoch's end
def test_a_policy_that_diverges_ends_the_run_and_no_checkpoint_holds_it(run, prompts):
    with pytest.raises(InputError, match="the training has diverged"):
        run(learning_rate=1e30, warmup_steps=0, per_device_train_batch_size=prompts)
    assert not list(run.folder.glob("*.pth"))
