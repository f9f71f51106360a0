"""Steps of samples of about one length: every row once, another order each epoch, the same after an interrupt."""

import numpy as np
import torch
from datasets import disable_progress_bars

from dataset.cot.sample import Sample
from dataset.cot.samples import read_cot_jsonl, write_cot_jsonl
from models.policy.checkpoint import load_checkpoint
from models.sft.length_groups import LengthGroups
from tests.models.sft.sft_runs import run_supervise
from tests.models.sft.test_training import InterruptAfter

LENGTHS = np.random.default_rng(0).integers(5, 200, 1003)


def padding(order, batch=6):
    """Share of a batch that is padding, over all."""
    batches = [LENGTHS[order[start : start + batch]] for start in range(0, len(order), batch)]
    return 1 - LENGTHS.sum() / sum(len(own) * own.max() for own in batches)


def test_every_row_once_and_little_padding():
    groups = LengthGroups(LENGTHS, 12, seed=3)
    first = list(groups)
    assert sorted(first) == list(range(1003)) == sorted(groups) and len(groups) == 1003
    assert padding(np.random.default_rng(1).permutation(1003)) > 0.35 and padding(np.array(first)) < 0.05
    assert LENGTHS[first[0]] == LENGTHS.max()
    # Not from long to short: the steps are in an order of chance.
    of_steps = LENGTHS[first[: 1003 // 12 * 12]].reshape(-1, 12).mean(axis=1)
    assert abs(np.corrcoef(of_steps, np.arange(len(of_steps)))[0, 1]) < 0.3


def test_the_order_is_that_of_seed_and_epoch():
    first = list(LengthGroups(LENGTHS, 12, seed=3))
    again, other = LengthGroups(LENGTHS, 12, seed=3), LengthGroups(LENGTHS, 12, seed=4)
    again.set_epoch(1)
    second = list(again)
    again.set_epoch(0)
    assert list(again) == first != second and list(other) != first
    assert sorted(LengthGroups(LENGTHS[:5], 12, seed=0)) == list(range(5))  # less than a step


def test_lengths_are_those_of_codes_and_letters(tmp_path):
    write_cot_jsonl(tmp_path / "a.jsonl", [Sample("t2m", "walk", (1,) * 9, "x" * 40, id="a")])
    assert read_cot_jsonl(tmp_path / "a.jsonl", 16).rough_lengths().tolist() == [9 + 44 // 4]


def test_a_resumed_run_equals_a_straight_one(cot_jsonl, backbone, tmp_path):
    disable_progress_bars()
    runs = (
        ("straight", None, True),
        ("resumed", InterruptAfter(7), True),
        ("resumed", None, True),
        ("by chance", None, False),
    )
    for name, interrupt, groups in runs:
        run_supervise(cot_jsonl, backbone, tmp_path / name, None, interrupt=interrupt, length_groups=groups)
    straight, resumed, by_chance = (
        load_checkpoint(tmp_path / name / "motionllm_t2m_latest.pth").parts[0].weights
        for name in ("straight", "resumed", "by chance")
    )
    assert all(torch.equal(value, resumed[name]) for name, value in straight.items())
    assert any(not torch.equal(value, by_chance[name]) for name, value in straight.items())
