"""Intervals over clips hold the true value about as often as they promise."""

import numpy as np
import pytest

from models.evaluation.judge import sample_matching
from utils.metrics.bootstrap import half_width, mean_intervals, r_precision_intervals, resampled
from utils.metrics.captions import bleu_counts, bleu_of, caption_scores


def test_weights_are_samples_of_all_clips():
    weights = resampled(40, seed=0)
    assert weights.shape == (500, 40) and (weights.sum(axis=1) == 40).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(40), abs=0.2)
    np.testing.assert_array_equal(weights, resampled(40, seed=0))


def test_the_interval_of_a_mean_is_that_of_the_textbook():
    values = np.random.default_rng(0).normal(3, 2, 400)
    found = mean_intervals(resampled(400, seed=1), {"x": values})["x"]
    assert found == pytest.approx(1.96 * values.std(ddof=1) / 20, rel=0.1)


def test_a_clip_without_a_score_has_no_part_in_it():
    weights, values = resampled(50, seed=0), np.random.default_rng(0).normal(size=50)
    some = mean_intervals(weights, {"x": np.where(np.arange(50) < 30, values, np.nan)})["x"]
    assert some == pytest.approx(mean_intervals(resampled(30, seed=0), {"x": values[:30]})["x"], rel=0.2)


def test_what_does_not_show_how_clips_differ_has_no_interval():
    """An interval of 0 would say that other clips had the same score."""
    weights = resampled(50, seed=0)
    alone = np.where(np.arange(50) == 7, 3.2, np.nan)
    scores = {"none": np.full(50, np.nan), "one": alone, "alike": np.full(50, 0.3), "misses": np.zeros(50)}
    assert mean_intervals(weights, scores) == dict.fromkeys(scores)
    assert mean_intervals(resampled(1, seed=0), {"of one clip": np.array([2.4])}) == {"of one clip": None}
    assert half_width(np.array([1.0])) is None


def test_few_clips_have_no_r_precision():
    rows = np.random.default_rng(0).normal(size=(31, 4))
    found = r_precision_intervals(resampled(31, seed=0), rows, rows, np.ones(31, bool))
    assert found == {"R@1": None, "R@2": None, "R@3": None}


def test_intervals_of_r_precision_hold_the_long_run_mean():
    """200 evaluations of 96 clips each, of one population: the chances are exact, so they are R-precision."""
    rng = np.random.default_rng(0)

    def evaluation(seed):
        text = rng.normal(size=(96, 6))
        motion = text + rng.normal(size=(96, 6)) * rng.uniform(0.3, 1.2, size=(96, 1))
        usable = rng.random(96) < 0.95
        scores = sample_matching(text, motion, usable)
        value = float(np.mean([row["R@1"] for row in scores]))
        return value, r_precision_intervals(resampled(96, seed), text, motion, usable)["R@1"]

    values, widths = np.array([evaluation(seed) for seed in range(200)]).T
    assert 0.3 < values.mean() < 0.8
    assert 0.9 <= np.mean(np.abs(values - values.mean()) <= widths) <= 0.99


def test_bleu_of_summed_counts_is_that_of_the_corpus():
    predictions = ["a person walks forward slowly", "two hands wave", "a man", ""]
    references = [["a person walks forward"], ["two hands are waving", "both hands wave"], ["the man kicks"], ["x y"]]
    found = bleu_of(bleu_counts(predictions, references).sum(axis=0))
    corpus = caption_scores(predictions, references)
    assert found == pytest.approx([corpus[f"BLEU@{order}"] for order in range(1, 5)])
    counts = bleu_counts(predictions, references)
    assert counts[0].tolist() == [4, 3, 2, 1, 5, 4, 3, 2, 5, 4]  # matched, all, length, closest reference
    twice = bleu_of(np.array([[2, 0, 0, 0], [1, 1, 1, 1]]) @ counts)
    assert twice.shape == (2, 4) and twice[1] == pytest.approx(found)
