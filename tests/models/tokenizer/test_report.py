"""The report of a tokenizer on motions whose numbers are known."""

import numpy as np
import pytest
import torch

from models.tokenizer import report as tokenizer_report
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.report import CaptionedMotions, evaluator_metrics, reconstruction_report
from tests.prepare.random_motions import random_evaluator, random_tokenizer, smooth_motion
from utils.metrics.report import MetricValue
from utils.metrics.text_motion import frechet_distance
from utils.motion.skeleton import T2M


class Remembering(MotionTokenizer):
    """Reconstructs every clip as `change` of its whole codes; code 3 stands for everything."""

    def __init__(self, change=lambda clip: clip):
        tokenizer = random_tokenizer()
        super().__init__(tokenizer.network, tokenizer.mean, tokenizer.std, T2M)
        self.change = change

    def encode_batch(self, clips):
        self.clips = [clip[: len(clip) // 4 * 4] for clip in clips]
        return [np.full(len(clip) // 4, 3) for clip in clips]

    def decode_batch(self, clips):
        return [self.change(clip) for clip in self.clips]


def motions(count, seed=0):
    rng = np.random.default_rng(seed)
    return [smooth_motion(rng) for _ in range(count)]


def test_a_perfect_reconstruction():
    clips = motions(40)
    report = reconstruction_report(Remembering(), clips)
    assert report.mpjpe_mm == 0 and report.global_mm.max() == 0 and len(report.global_mm) == 40
    assert np.array_equal(report.skating_real, report.skating_rebuilt)
    assert np.array_equal(report.jerk_real, report.jerk_rebuilt)
    assert report.usage == 1 / 16 and report.perplexity == pytest.approx(1.0, abs=1e-3)
    captions = [[("walk/VERB",)], [("jump/VERB",), ("turn/VERB",)]] * 20
    rows = evaluator_metrics(Remembering(), random_evaluator(), CaptionedMotions(clips, captions), repeats=3, seed=0)
    assert rows["reconstructed"]["FID"].mean == pytest.approx(0, abs=1e-7)
    for name in ("R@1", "R@2", "R@3", "MM-Dist"):
        assert rows["real"][name] == rows["reconstructed"][name]
        assert (rows["real"][name].n, rows["real"][name].repeats) == (32, 3)  # whole groups


def test_jerk_before_and_after_by_hand():
    clip = np.zeros((16, 263), np.float32)
    clip[:, 3] = 1e-3 * np.arange(16) ** 3  # the height of the pelvis alone: its third difference is 6 mm a frame^3
    report = reconstruction_report(Remembering(np.zeros_like), [clip])
    numbers = report.numbers()
    assert numbers["jerk_real"] == pytest.approx(6e-3 * 20**3 / 22, rel=1e-3)
    assert numbers["jerk_rebuilt"] == 0


def test_fid_is_the_distance_of_the_embeddings_of_what_was_encoded():
    tokenizer, evaluator, clips = random_tokenizer(down_t=3), random_evaluator(), motions(9)
    assert {len(clip) % 8 >= 4 for clip in clips} == {True, False}  # the evaluator alone would cut these to fours
    whole = [clip[: len(clip) // 8 * 8] for clip in clips]
    rebuilt = tokenizer.decode_batch(tokenizer.encode_batch(clips))
    real, uncut, found = (evaluator.embed_features(side).numpy() for side in (whole, clips, rebuilt))
    expected = frechet_distance(real, found)
    assert frechet_distance(uncut, found) != pytest.approx(expected, rel=1e-2)
    rows = evaluator_metrics(tokenizer, evaluator, CaptionedMotions(clips, None), repeats=3, seed=0)
    # fewer clips (9) than dimensions (12): computed all the same, and n says so
    fid = rows["reconstructed"]["FID"]
    assert fid.mean == pytest.approx(expected, rel=1e-4) and (fid.n, fid.interval) == (9, None)
    assert rows["real"] == {} and list(rows["reconstructed"]) == ["FID"]


class Numbered:
    """A motion and a caption that carry the same number get the same point, far from the other points."""

    def embed_captions(self, captions):
        return torch.eye(32)[[int(tokens[0].split("/")[0]) for tokens in captions]]

    def embed_features(self, clips):
        return torch.eye(32)[[round(float(clip[0, 3])) for clip in clips]]


def test_r_precision_of_motions_that_come_back_as_others():
    clips = [np.full((8, 263), number, np.float32) for number in range(32)]
    captions = [[(f"{number}/NUM",)] for number in range(32)]
    # 8 of the 32 motions come back as motion 0
    tokenizer = Remembering(lambda clip: np.zeros_like(clip) if clip[0, 3] < 8 else clip)
    rows = evaluator_metrics(tokenizer, Numbered(), CaptionedMotions(clips, captions), repeats=2, seed=0)
    assert rows["real"]["R@1"] == MetricValue(1.0, 0.0, 32, 2)
    assert rows["real"]["MM-Dist"].mean == 0
    assert rows["reconstructed"]["R@1"].mean <= 25 / 32
    assert rows["reconstructed"]["MM-Dist"].mean == pytest.approx(7 * 2**0.5 / 32)


def test_motions_are_held_by_the_chunk(monkeypatch):
    tokenizer, evaluator, clips = random_tokenizer(), random_evaluator(), motions(33)
    captions = [[("walk/VERB",)]] * 33

    def measure():
        rows = evaluator_metrics(tokenizer, evaluator, CaptionedMotions(clips, captions), repeats=2, seed=0)
        return reconstruction_report(tokenizer, clips).numbers(), {
            name: {metric: value.mean for metric, value in metrics.items()} for name, metrics in rows.items()
        }

    (numbers, rows), sizes, encode = measure(), [], tokenizer.encode_batch
    monkeypatch.setattr(tokenizer_report, "_CLIPS_AT_ONCE", 10)
    monkeypatch.setattr(tokenizer, "encode_batch", lambda part: sizes.append(len(part)) or encode(part))
    chunked_numbers, chunked_rows = measure()
    assert sizes == [10, 10, 10, 3] * 2
    assert chunked_numbers == pytest.approx(numbers, rel=1e-4)
    for name, metrics in rows.items():
        assert chunked_rows[name] == pytest.approx(metrics, rel=1e-3)
