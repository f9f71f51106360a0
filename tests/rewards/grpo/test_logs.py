"""What a GRPO run writes down: shares, caches, terms, examples, held-out metrics, and a warning of reward hacking."""

import json
import logging

import numpy as np
import pytest

from models.language.rollout import Rollout
from models.policy.checkpoint import load_checkpoint
from rewards.base import Reward, RewardContext
from rewards.cache import CacheStatistics, ResultCache
from rewards.grpo.hacking import hacked_metrics
from rewards.grpo.logs import advantage_summary, cache_use, reply_shares, reward_terms, shown_replies
from rewards.grpo.validation import refuse_rewarding_judge
from rewards.mixture.weighted import WeightedReward, WeightedRewards
from rewards.motion_format import MotionFormat
from rewards.physical_plausibility import TERMS, PhysicalPlausibility
from tests.prepare.random_motions import random_evaluator
from tests.rewards.grpo.grpo_runs import run_grpo
from utils.errors import InputError
from utils.motion.skeleton import T2M

CONTEXT = RewardContext(T2M, 16)


class Remembering(Reward):
    """For t2m only; the length of the caption, looked up in a cache, and as a term by itself."""

    name = "remembering"
    tasks = ("t2m",)

    def __init__(self, context):
        super().__init__(context)
        self.cache = ResultCache()
        self.looked_at = 0

    def caches(self):
        return {"captions": self.cache}

    def score_applicable(self, rollouts):
        captions = [rollout.caption for rollout in rollouts]
        return self.cache.get_many(captions, lambda new: [float(len(caption)) for caption in new])

    def terms(self, rollouts):
        self.looked_at += 1
        return {"double": [2.0 * len(r.caption) if r.task == "t2m" else None for r in rollouts]}


def remembering_and_format():
    return WeightedRewards(
        [WeightedReward("remembering", Remembering(CONTEXT), 0.1), WeightedReward("format", MotionFormat(CONTEXT), 1.0)]
    )


def rollout(text, task="t2m", finished=True, motion=None):
    return Rollout(task, "a person", text, None, None, None, motion, finished=finished)


GOOD = "so</think><answer><Motion><Motion_3></Motion></answer>"


def test_shares_are_counted_over_all_and_by_task():
    rollouts = [
        rollout(GOOD),
        rollout(GOOD, finished=False),
        rollout("so"),
        rollout("a</think><answer>b</answer>", "m2t"),
    ]
    table = {"physical": [0.0, -1.0, -1.0, None], "format": [1.0, 1.0, -1.0, 1.0]}
    assert reply_shares(rollouts, table) == {
        "well_formed": 0.5, "well_formed_t2m": pytest.approx(1 / 3), "well_formed_m2t": 1.0,
        "rewards/physical/none": 0.25, "rewards/format/none": 0.0,
    }  # fmt: skip
    assert reply_shares(rollouts[:2], {}) == {"well_formed": 0.5, "well_formed_t2m": 0.5}


def test_advantages_are_summed_up():
    assert advantage_summary([1.0, -1.0, 3.0, -3.0]) == {
        "advantages/mean": 0.0, "advantages/std": 5**0.5, "advantages/min": -3.0, "advantages/max": 3.0,
    }  # fmt: skip


def test_cache_use_is_that_of_one_batch():
    before = {"a": CacheStatistics(10, 5, 5), "b": CacheStatistics(0, 0, 0)}
    after = {"a": CacheStatistics(13, 6, 6), "b": CacheStatistics(0, 0, 0)}
    assert cache_use(before, after) == {"cache/a/hit_rate": 0.75, "cache/a/size": 6.0, "cache/b/size": 0.0}


def test_terms_of_the_physical_reward_are_told_one_by_one():
    motions = [np.random.default_rng(seed).normal(size=(20, 263)).astype(np.float32) for seed in range(2)]
    rollouts = [rollout(GOOD, motion=motion) for motion in motions] + [rollout("so")]
    reward = PhysicalPlausibility(CONTEXT)
    found = reward_terms(WeightedRewards([WeightedReward("physical", reward, 1.0)]), rollouts)
    assert set(found) == {f"rewards/physical/{term}" for term in TERMS}
    assert found["rewards/physical/velocity"] == pytest.approx(np.mean(reward.terms(rollouts[:2])["velocity"]))
    assert reward_terms(WeightedRewards([WeightedReward("format", MotionFormat(CONTEXT), 1.0)]), rollouts) == {}


def test_best_and_worst_reply_of_the_first_prompts_are_shown():
    rewards = remembering_and_format()
    replies = [
        {"prompt": str(index // 3), "text": str(index), "rewards": {"remembering": first, "format": second}}
        for index, (first, second) in enumerate(
            [(10, 1), (None, 1), (0, -1), (None, None), (0, 0), (0, 1), (9, 9), (0, 0)]
        )
    ]
    shown = shown_replies(replies, 3, rewards)
    assert [(row["text"], row["total"]) for row in shown] == [("0", 2.0), ("2", -1.0), ("5", 1.0), ("3", None)]


def test_terms_are_logged_where_two_steps_share_their_replies(cot_jsonl, backbone, motion_tokenizer, tmp_path):
    run_grpo(
        tmp_path, cot_jsonl, backbone, motion_tokenizer, remembering_and_format(), logging_steps=2, num_iterations=2,
        num_train_epochs=1,
    )  # fmt: skip
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert ["rewards/remembering/double" in row for row in rows if "kl" in row] == [True, True]


def test_a_run_writes_them_down(cot_jsonl, backbone, motion_tokenizer, tmp_path):
    extra, rewards = [], remembering_and_format()
    run_grpo(tmp_path, cot_jsonl, backbone, motion_tokenizer, rewards, extra_log=extra.append, logging_steps=2)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in rows if "kl" in row]
    assert [row["step"] for row in steps] == [2, 4]
    for row in steps:
        assert row["rewards/remembering/none"] == 0.5 and row["rewards/format/none"] == 0.0  # half of it is m2t
        assert 0 <= row["well_formed"] <= 1 and {"well_formed_t2m", "well_formed_m2t"} <= set(row)
        assert row["rewards/remembering/double"] == pytest.approx(2 * row["rewards/remembering/mean"], rel=0.2)
        assert row["cache/remembering/captions/hit_rate"] >= 0.5 and row["cache/remembering/captions/size"] <= 3
        assert row["advantages/min"] <= row["advantages/mean"] <= row["advantages/max"]
        assert {"entropy", "advantages/std", "clip_ratio/region_mean", "completions/mean_length", "reward_std"} <= set(
            row
        )
    assert rewards.rewards[0].reward.looked_at == 2  # terms are computed for steps that are logged, for no other
    assert extra == [row for row in rows if row.get("epoch") != -1]
    shown = [json.loads(line) for line in (tmp_path / "samples" / "replies.jsonl").read_text().splitlines()]
    assert [row["step"] for row in shown] == [2] * 4 + [4] * 4
    for row in shown:
        assert row["prompt"].endswith("<think>") and row["text"] and np.isfinite(row["advantage"])
        assert (row["rewards"]["remembering"] is None) == row["prompt"].startswith("Describe")
    assert all(best["total"] >= worst["total"] for best, worst in zip(shown[::2], shown[1::2], strict=True))


def test_held_out_metrics_are_measured_when_it_is_their_turn(cot_jsonl, backbone, motion_tokenizer, tmp_path, caplog):
    asked = []

    def judged(model, engine):
        model.eval()
        asked.append(model)
        return {"FID": float(len(asked)), "R@3": 0.5}

    with caplog.at_level(logging.WARNING):
        run_grpo(tmp_path, cot_jsonl, backbone, motion_tokenizer, replies=judged, every=2, num_train_epochs=4)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if "held_out_reward/total" in row]
    assert [row["epoch"] for row in rows] == [-1, 0, 1, 2, 3]
    assert [row.get("held_out/FID") for row in rows] == [1.0, None, 2.0, None, 3.0]
    assert "training_reward" not in rows[0] and all("training_reward" in row for row in rows[1:])
    rewards = [row["training_reward"] for row in rows if row["epoch"] in (1, 3)]
    hacked = rewards[0] < rewards[1]
    assert rows[-1].get("reward_hacking/held_out/FID") == (1 if hacked else None)
    assert ("held_out/FID" in caplog.text) == hacked
    assert load_checkpoint(tmp_path / "motionllm_rlvr_latest.pth").metrics["held_out/FID"] == 3.0


def validations(rewards, **metrics):
    """Validation -1 has no training reward; None: not measured there."""
    rows = [{"epoch": epoch - 1} | ({"training_reward": r} if epoch else {}) for epoch, r in enumerate([0, *rewards])]
    for name, values in metrics.items():
        for row, value in zip(rows, values, strict=True):
            if value is not None:
                row[f"held_out/{name}"] = value
    return rows


@pytest.mark.parametrize(
    ("rewards", "metrics", "expected"),
    [
        ((1, 2), {"FID": (1.0, 1.1, 1.2)}, ["held_out/FID"]),
        ((1, 2), {"FID": (1.2, 1.1, 1.0)}, []),  # lower is better
        ((1, 2), {"CIDEr": (0.5, 0.4, 0.3)}, ["held_out/CIDEr"]),
        ((1, 2), {"CIDEr": (0.3, 0.4, 0.5)}, []),  # higher is better
        ((2, 1), {"CIDEr": (0.5, 0.4, 0.3)}, []),  # everything falls: a bad run, but no hacking
        ((1, 1), {"CIDEr": (0.5, 0.4, 0.3)}, []),
        ((1, 2), {"CIDEr": (0.5, 0.3, 0.4)}, []),  # up and down
        ((1, 2), {"CIDEr": (0.5, 0.499, 0.498)}, []),  # too little
        ((1,), {"CIDEr": (0.5, 0.3)}, []),  # too early
        ((1, 2, 3), {"CIDEr": (0.2, 0.5, 0.4, 0.3)}, ["held_out/CIDEr"]),  # only the last ones count
        ((1, 2, 3), {"CIDEr": (0.5, 0.4, 0.3, 0.4)}, []),
        ((1, 5, 2, 6), {"CIDEr": (0.5, None, 0.4, None, 0.3)}, ["held_out/CIDEr"]),  # epochs that measured it
        ((1, 2), {"FID": (1.0, 1.1, 1.2), "R@3": (0.5, 0.5, 0.5), "MM-Dist": (1.0, 2.0, 3.0)},
         ["held_out/FID", "held_out/MM-Dist"]),
    ],
)  # fmt: skip
def test_reward_hacking_is_a_rising_reward_and_a_falling_metric(rewards, metrics, expected):
    assert hacked_metrics(validations(rewards, **metrics)) == expected


def test_the_held_out_reward_counts_as_a_metric_and_its_components_do_not():
    rows = validations((1, 2))
    for row, total in zip(rows, (-0.5, -0.6, -0.7), strict=True):
        row |= {"held_out_reward/total": total, "held_out_reward/format": total}
    assert hacked_metrics(rows) == ["held_out_reward/total"]


def test_a_judge_that_gives_the_reward_is_refused(tmp_path):
    evaluator = random_evaluator()
    evaluator.save(tmp_path / "judge")
    refuse_rewarding_judge(str(tmp_path / "judge"), (None, "another"))
    with pytest.raises(InputError, match="judge gives the reward: held-out metrics need another evaluator"):
        refuse_rewarding_judge(str(tmp_path / "judge"), (None, evaluator.fingerprint))
