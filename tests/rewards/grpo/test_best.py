"""Which epoch is the best, and a training that ends where it is found to learn the reward only."""

import json
import math

import pytest
import torch

from models.policy.checkpoint import load_checkpoint
from rewards.base import Reward, RewardContext
from rewards.grpo.best import JUDGE, LAST, REWARD, BestBy
from rewards.mixture.weighted import WeightedReward, WeightedRewards
from tests.rewards.grpo.grpo_runs import run_grpo
from tests.rewards.grpo.test_training import StopAfter, weights_of
from utils.motion.skeleton import T2M

BOTH = ("t2m", "m2t")
NAMES = {"dist": "held_out/MM-Dist", "formed": "held_out/well_formed_t2m", "cider": "held_out/CIDEr",
         "total": "held_out_reward/total", "hacked": "reward_hacking"}  # fmt: skip


def epochs(*rows):
    """Validations from before the first epoch on."""
    return [
        {"epoch": epoch - 1, **{NAMES[name]: value for name, value in row.items()}} for epoch, row in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("by", "rows", "best"),
    [
        (BestBy(REWARD), [{"total": 9}, {"total": 1}, {"total": 3}, {"total": 2}], 1),
        (BestBy(REWARD), [{"total": 0}, {"total": 2}, {"total": 2}], 0),  # a tie: the one nearer to the start
        (BestBy(REWARD), [{"total": 0}, {}, {"total": math.nan}, {"total": None}, {"total": -5}], 3),
        (BestBy(REWARD), [{"total": 1}, {}], None),
        (BestBy(JUDGE, ("t2m",)), [{"dist": 1, "formed": 1}, {"dist": 3, "formed": 1}, {"dist": 2, "formed": 1}], 1),
        # Malformed replies have no distance: half as many well-formed ones must be twice as near.
        (BestBy(JUDGE, ("t2m",)), [{}, {"dist": 3, "formed": 0.9}, {"dist": 2, "formed": 0.5}], 0),
        (BestBy(JUDGE, ("t2m",)), [{}, {"dist": 3, "formed": 0.0}, {"dist": None, "formed": 1}, {"formed": 1}], None),
        (BestBy(JUDGE, ("m2t",)), [{}, {"cider": 1.0}, {"cider": 2.0}, {"cider": math.inf}], 1),
        (BestBy(JUDGE, BOTH), [{}, {"dist": 4, "formed": 1, "cider": 2}, {"dist": 3, "formed": 1, "cider": 1.4}], 0),
        (BestBy(JUDGE, BOTH), [{}, {"dist": 4, "formed": 1, "cider": 2}, {"dist": 3, "formed": 1, "cider": 1.6}], 1),
        (BestBy(JUDGE, BOTH), [{}, {"dist": 4, "formed": 1}, {"dist": 9, "formed": 1, "cider": 0.0}], 1),
        (BestBy(LAST), [{}, {"total": 2}, {}], 1),
        (BestBy(REWARD, skips_hacked=True), [{}, {"total": 1}, {"total": 2}, {"total": 3, "hacked": 1}], 1),
        (BestBy(LAST, skips_hacked=True), [{}, {"total": 1}, {"total": 2}, {"total": 3, "hacked": 2}], 1),
        (BestBy(REWARD), [{}, {"total": 1}, {"total": 3, "hacked": 1}], 1),  # only warned of
    ],
)  # fmt: skip
def test_the_best_epoch(by, rows, best):
    assert by.best_epoch(epochs(*rows)) == best


class Judged:
    """The judge's numbers as given, one after the other."""

    def __init__(self, *values):
        self.values = iter(values)

    def __call__(self, model, engine):
        value = next(self.values)
        return {} if value is None else {"MM-Dist": value, "well_formed_t2m": 1.0, "CIDEr": 1.0}


@pytest.fixture
def run(cot_jsonl, backbone, motion_tokenizer, tmp_path):
    def start(name, *judged, **fields):
        folder = tmp_path / name
        fields = {"num_train_epochs": len(judged) - 1, "best_by": BestBy(JUDGE, BOTH), **fields}
        return folder, run_grpo(folder, cot_jsonl, backbone, motion_tokenizer, replies=Judged(*judged), **fields)

    return start


def same_weights(one, other):
    ours, theirs = (load_checkpoint(file).parts[-1].weights for file in (one, other))
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_judge_decides_and_what_it_could_not_measure_is_no_best(run):
    folder, summary = run("run", 9.0, 5.0, 3.0, None, 3.0)
    assert (summary["best_epoch"], summary["held_out/MM-Dist"]) == (1, 3.0) and "MM-Dist" in summary["best_by"]
    assert same_weights(folder / "motionllm_rlvr_best.pth", folder / "motionllm_rlvr_epoch_1.pth")
    assert load_checkpoint(folder / "motionllm_rlvr_best.pth").metrics["held_out/MM-Dist"] == 3.0


def test_a_judge_that_measures_nothing_leaves_the_latest(run, caplog):
    folder, summary = run("run", None, None)
    assert "best" not in summary and summary["latest"].endswith("latest.pth") and "no validation could" in caplog.text
    assert not (folder / "motionllm_rlvr_best.pth").exists()


def test_the_last_epoch_and_a_start_that_was_better(run, caplog):
    folder, summary = run("last", 1.0, 2.0, 3.0, best_by=BestBy(LAST))
    assert summary["best_epoch"] == 1 and "better than the start" not in caplog.text
    assert same_weights(folder / "motionllm_rlvr_best.pth", folder / "motionllm_rlvr_epoch_1.pth")
    _, summary = run("judged", 1.0, 2.0, 3.0)
    assert summary["best_epoch"] == 0 and "no epoch is better than the start" in caplog.text


def test_a_resumed_run_keeps_the_best_of_before(run):
    straight, expected = run("straight", 9.0, 2.0, 4.0, 3.0)
    stop = StopAfter(3)  # after the first epoch, the best one
    _, nothing = run("stopped", 9.0, 2.0, 4.0, 3.0, extra_log=stop, interrupt=stop.flag)
    assert nothing is None
    left = [json.loads(line) for line in (straight.parent / "stopped/metrics.jsonl").read_text().splitlines()]
    assert max(row["epoch"] for row in left if "reward_hacking" in row) in (0, 1)
    done = sum("reward_hacking" in row for row in left)
    resumed, summary = run("stopped", *(9.0, 2.0, 4.0, 3.0)[done:], num_train_epochs=3)
    assert summary["best_epoch"] == expected["best_epoch"] == 0
    assert same_weights(resumed / "motionllm_rlvr_best.pth", straight / "motionllm_rlvr_best.pth")


class Rising(Reward):
    """A reward that rises with every batch that it scores."""

    name = "rising"

    def __init__(self, context):
        super().__init__(context)
        self.seen = 0

    def score_applicable(self, rollouts):
        self.seen += 1
        return [self.seen + len(rollout.token_ids) / 1000 for rollout in rollouts]


def rising():
    return WeightedRewards([WeightedReward("rising", Rising(RewardContext(T2M, 16)), 1.0)])


def test_a_training_that_learns_the_reward_only_ends_with_a_best_epoch_before(run, caplog):
    numbers = (2.0, 2.5, 3.0, 9.0, 9.0)
    folder, summary = run("run", *numbers, rewards=rising(), stop_on_hacking=True, best_by=BestBy(REWARD, BOTH, True))
    assert "--rl-stop-on-hacking" in caplog.text and not (folder / "motionllm_rlvr_epoch_2.pth").exists()
    # By the reward the second epoch would be the best; the warning of reward hacking holds at its end.
    assert summary["best_epoch"] == 0 and (folder / "motionllm_rlvr_epoch_1.pth").is_file()
    assert same_weights(folder / "motionllm_rlvr_best.pth", folder / "motionllm_rlvr_epoch_0.pth")
    # Killed between its last state and its last line, it is at its end all the same.
    before, latest = (folder / "metrics.jsonl").read_text(), weights_of(folder)
    _, again = run(
        "run", rewards=rising(), stop_on_hacking=True, best_by=BestBy(REWARD, BOTH, True), num_train_epochs=4
    )
    assert again == summary and (folder / "metrics.jsonl").read_text() == before
    assert all(torch.equal(latest[name], weight) for name, weight in weights_of(folder).items())


def test_without_the_flag_it_is_only_warned_of(run, caplog):
    folder, summary = run("run", 2.0, 2.5, 3.0, 3.5, rewards=rising())
    assert "the policy may be learning to please the reward only" in caplog.text
    assert (folder / "motionllm_rlvr_epoch_2.pth").is_file() and summary["best_epoch"] == 0
