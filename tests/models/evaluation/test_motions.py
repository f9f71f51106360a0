"""Metrics from rollouts: failures are misses, never default motions."""

import numpy as np
import pytest
import torch

from dataset.captions.lines import Caption
from dataset.humanml.layout import MotionRecord
from models.evaluation.captions import CaptionScoring, judge_captions, real_caption_metrics
from models.evaluation.judge import Judge, sample_matching
from models.evaluation.motions import judge_motions, real_motion_metrics
from models.evaluation.predictions import Prediction
from utils.metrics.report import MetricValue
from utils.metrics.text_motion import r_precision

RAW = CaptionScoring()


class PairedEvaluator:
    """Captions and motions that carry the same number get the same point, far from the other points."""

    class sizes:
        embedding_size = 40

    fingerprint = "paired"

    def __init__(self):
        from utils.motion.skeleton import T2M

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
    problem = None if ok else "no </think>"
    return Prediction(f"c{number}", 0, f"clip {number}", motion=motion(number) if ok else None, problem=problem)


def m2t(number, text):
    return Prediction(f"c{number}", 0, answer=text, problem=None if text else "empty reply")


def record(number):
    caption = Caption(f"someone walks along path {number}", (f"{number}/NUM",))
    return MotionRecord(f"c{number}", motion(number), (caption,))


CAPTIONS = [[(f"{number}/NUM",) for number in range(32)]]
REAL = [motion(number) for number in range(32)]
RECORDS = [record(number) for number in range(32)]
JUDGE = Judge(PairedEvaluator(), repeats=3, seed=0)


def test_numbers_say_how_many_clips_they_are_of():
    """Of 39 clips whole groups of 32 are used; of 31 usable ones FID takes all, and nothing ranks them."""
    captions, real = ([make(number) for number in range(39)] for make in (lambda n: (f"{n}/NUM",), motion))
    found = judge_motions([[t2m(number) for number in range(39)]], [captions], real, JUDGE).metrics
    assert {found[name].n for name in ("R@1", "R@3", "MM-Dist", "FID", "Diversity")} == {32}
    assert found["Well-formed"].n == 39
    draws = [[t2m(number, ok=number < usable) for number in range(39)] for usable in (39, 31)]
    found = judge_motions(draws, [captions] * 2, real, JUDGE).metrics
    assert (found["R@1"].n, found["FID"].n, found["Diversity"].n) == (32, 31, 31)  # of the draw with the fewest
    real_rows = real_motion_metrics([record(number) for number in range(39)], JUDGE)
    assert (real_rows["FID"].n, real_rows["R@1"].n, real_rows["Jerk"].n) == (32, 32, 39)
    said = [[m2t(number, f"clip {number}" if number else "") for number in range(39)]]
    found = judge_captions(said, [record(number) for number in range(39)], NumberTagger(), JUDGE, RAW).metrics
    assert (found["R@1"].n, found["MM-Dist"].n, found["CIDEr"].n) == (32, 38, 39)


def test_perfect_and_failed_generation():
    perfect = judge_motions([[t2m(number) for number in range(32)]], CAPTIONS, REAL, JUDGE)
    assert perfect.metrics["R@1"] == MetricValue(1.0, None, 32, 1)  # no clip shows how others would differ
    assert perfect.metrics["FID"].mean == pytest.approx(0, abs=1e-8) and perfect.metrics["MM-Dist"].mean == 0
    assert perfect.metrics["Well-formed"].mean == 1
    assert all(scores["R@1"] == 1 and scores["MM-Dist"] == 0 for scores in perfect.samples[0])
    half = judge_motions([[t2m(number, ok=number % 2 == 0) for number in range(32)]], CAPTIONS, REAL, JUDGE)
    assert half.metrics["R@1"].mean == half.metrics["R@3"].mean == 0.5
    assert half.metrics["R@1"].interval > 0.1 and half.metrics["R@1"].over == "clips"
    assert half.metrics["Well-formed"].mean == 0.5 and half.metrics["MM-Dist"].mean == 0
    failed = half.samples[0][1]
    assert failed["R@3"] == 0 and failed["MM-Dist"] is None and "Skating" not in failed


def test_all_failed_is_a_result_not_a_crash():
    none = judge_motions([[t2m(number, ok=False) for number in range(32)]], CAPTIONS, REAL, JUDGE).metrics
    assert none["R@3"].mean == 0 and none["Well-formed"].mean == 0
    assert none["FID"].mean is None and none["MM-Dist"].mean is None


def test_draws_are_averaged():
    good, bad = [t2m(n) for n in range(32)], [t2m(n, ok=False) for n in range(32)]
    metrics = judge_motions([good, bad], CAPTIONS * 2, REAL, Judge(PairedEvaluator(), repeats=4, seed=0)).metrics
    # Two draws of 1 and 0, whatever the number of shufflings: sd sqrt(1 / 2), Student's 12.706 of one degree / sqrt(2).
    assert metrics["R@1"] == MetricValue(0.5, pytest.approx(6.353, abs=1e-3), 32, 2, "draws")
    assert metrics["Skating"].repeats == 2 and metrics["Skating"].mean is None  # a draw without motions has none


def test_captions():
    right = [m2t(number, f"someone walks along path {number}") for number in range(32)]
    perfect = judge_captions([right], RECORDS, NumberTagger(), JUDGE, RAW).metrics
    assert perfect["BLEU@4"].mean == pytest.approx(1) and perfect["R@1"].mean == 1
    assert perfect["BERTScore"].mean is None  # not computed is not 0
    silent = judge_captions([[m2t(number, None) for number in range(32)]], RECORDS, NumberTagger(), JUDGE, RAW)
    assert silent.metrics["BLEU@1"].mean == 0 and silent.metrics["R@3"].mean == 0
    assert silent.metrics["Well-formed"].mean == 0 and silent.samples[0][0]["ROUGE-L"] == 0
    assert real_caption_metrics(RECORDS, JUDGE)["R@1"].mean == 1


def test_captions_by_lemmas_and_by_a_given_sentence_score():
    tagger = NumberTagger()
    # The tagger makes one token of a caption, its number: by lemmas, only that is compared.
    other = [m2t(number, f"nothing alike but {number}") for number in range(32)]
    seen = []

    def score(predictions, references):
        seen.append((predictions[3], references[3]))
        return [0.5] * len(predictions)

    found = judge_captions([other], RECORDS, tagger, JUDGE, CaptionScoring("lemmatized", score))
    assert found.metrics["BLEU@1"].mean == pytest.approx(1) and seen == [("3", ["3"] * 3)]
    assert found.metrics["BERTScore"] == MetricValue(0.5, None, 32, 1)
    assert judge_captions([other], RECORDS, tagger, JUDGE, RAW).metrics["BLEU@1"].mean < 0.5


@pytest.mark.parametrize("alike", [1, 3], ids=["all differ", "greedy replies to the same caption"])
def test_chance_of_a_rank_is_the_mean_of_r_precision_over_groupings(alike):
    rng = np.random.default_rng(0)
    text = np.repeat(rng.normal(size=(96 // alike, 5)), alike, axis=0)
    motions = text + np.repeat(rng.normal(size=(96 // alike, 5)) * 1.5, alike, axis=0)
    usable = rng.random(96) > 0.1
    chances = np.array([[row[f"R@{rank}"] for rank in (1, 2, 3)] for row in sample_matching(text, motions, usable)])
    shuffled = []
    for _ in range(400):
        order = rng.permutation(96)
        shuffled.append(r_precision(text[order], motions[order], top_k=3, group=32, usable=usable[order]))
    np.testing.assert_allclose(chances.mean(0), np.mean(shuffled, axis=0), atol=0.01)
    assert (chances[~usable] == 0).all()
    few = sample_matching(text[:20], motions[:20], usable[:20])
    assert {row["R@1"] for row in few} == {None}  # no group of 32 can be drawn, whether a reply is usable or not
    assert few[0]["MM-Dist"] > 0 and not usable[:20].all()
