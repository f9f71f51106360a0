"""Metrics from rollouts: failures are misses, never default motions."""

import numpy as np
import pytest
import torch

from models.motion_evaluation import Judge, is_well_formed, motion_to_text_metrics, text_to_motion_metrics
from models.rollout import Rollout
from utils.metric_report import MetricValue


class PairedEvaluator:
    """Captions and motions that carry the same number get the same point, far from the other points."""

    class sizes:
        embedding_size = 40

    fingerprint = "paired"

    def __init__(self):
        from utils.skeleton import T2M

        self.skeleton = T2M

    def embed_captions(self, captions):
        return torch.eye(40)[[int(tokens[0].split("/")[0]) for tokens in captions]]

    def embed_features(self, motions):
        return torch.eye(40)[[int(motion[0, 3]) for motion in motions]]


class NumberTagger:
    name = "numbers"

    def tag(self, text):
        return (f"{text.split()[-1]}/NUM",)


def motion(number):
    features = np.zeros((8, 263), dtype=np.float32)
    features[:, 3] = number
    features[:, 67:193] = np.tile([1, 0, 0, 0, 1, 0], 21)
    return features


def t2m(number, ok=True):
    text = "r</think><answer><Motion><Motion_1><Motion_2></Motion></answer>" if ok else "walk walk walk"
    return Rollout("t2m", f"clip {number}", text, None, None, None, motion(number) if ok else None)


def m2t(number, text):
    return Rollout(
        "m2t", text, f"r</think><answer>{text}</answer>" if text else "r", "r", text, np.array([1, 2]), motion(number),
        reference=(f"someone walks along path {number}",),
    )  # fmt: skip


CAPTIONS = [(f"{number}/NUM",) for number in range(32)]
REAL = [motion(number) for number in range(32)]
JUDGE = Judge(PairedEvaluator(), repeats=3, seed=0)


def test_perfect_and_failed_generation():
    perfect = text_to_motion_metrics([[t2m(number) for number in range(32)]], CAPTIONS, REAL, JUDGE)
    assert perfect["R@1"] == MetricValue(1.0, 0.0, 32, 3)
    assert perfect["FID"].mean == pytest.approx(0, abs=1e-8) and perfect["MM-Dist"].mean == 0
    assert perfect["Well-formed"].mean == 1
    half = text_to_motion_metrics([[t2m(number, ok=number % 2 == 0) for number in range(32)]], CAPTIONS, REAL, JUDGE)
    assert half["R@1"].mean == half["R@3"].mean == 0.5
    assert half["Well-formed"].mean == 0.5 and half["MM-Dist"].mean == 0


def test_all_failed_is_a_result_not_a_crash():
    none = text_to_motion_metrics([[t2m(number, ok=False) for number in range(32)]], CAPTIONS, REAL, JUDGE)
    assert none["R@3"].mean == 0 and none["Well-formed"].mean == 0
    assert none["FID"].mean is None and none["MM-Dist"].mean is None


def test_draws_are_averaged():
    good, bad = [t2m(n) for n in range(32)], [t2m(n, ok=False) for n in range(32)]
    metrics = text_to_motion_metrics([good, bad], CAPTIONS, REAL, Judge(PairedEvaluator(), repeats=4, seed=0))
    # Two draws of 1 and 0, whatever the number of shufflings: sd 0.5, interval 1.96 x 0.5 / sqrt(2).
    assert metrics["R@1"] == MetricValue(0.5, pytest.approx(0.6930, abs=1e-4), 32, 2)


def test_captions():
    right = [m2t(number, f"someone walks along path {number}") for number in range(32)]
    perfect = motion_to_text_metrics([right], REAL, NumberTagger(), JUDGE)
    assert perfect["BLEU@4"].mean == pytest.approx(1) and perfect["R@1"].mean == 1
    assert perfect["BERTScore"].mean is None  # not computed is not 0
    silent = motion_to_text_metrics([[m2t(number, None) for number in range(32)]], REAL, NumberTagger(), JUDGE)
    assert silent["BLEU@1"].mean == 0 and silent["R@3"].mean == 0 and silent["Well-formed"].mean == 0


def test_well_formed_needs_an_end_and_a_motion():
    assert is_well_formed(t2m(1))
    assert not is_well_formed(t2m(1, ok=False))
    cut = Rollout("m2t", "x", "r</think><answer>x</answer>", "r", "x", None, None, finished=False)
    assert not is_well_formed(cut)
