from dataclasses import dataclass

import numpy as np
import pytest
import torch

from models.evaluation.multimodality import multimodality_metric, multimodality_of_embeddings
from models.language.rollout import Rollout


class FirstValue:
    """The embedding of a motion is its first value."""

    def embed_features(self, motions):
        return torch.tensor([[float(motion[0, 0])] for motion in motions])


@dataclass
class Reply:
    motion: np.ndarray | None


def reply(value, frames=8) -> Reply:
    return Reply(None if value is None else np.full((frames, 263), value, dtype=np.float32))


def replies(*values) -> list[Reply]:
    return [reply(value) for value in values]


def measure(texts, pairs=10, repeats=20, seed=0):
    return multimodality_metric(FirstValue(), texts, pairs, repeats, seed)


def test_identical_motions_have_none():
    found = measure([replies(*[3.0] * 12), replies(*[900.0] * 12)])  # different captions may be far apart
    assert (found.mean, found.interval, found.n, found.repeats, found.over) == (0.0, 0.0, 2, 20, "pairs")


def test_two_motions_by_hand():
    # Two draws of both: in the same order the distances are 0 and 0, else 4 and 4.
    single = {measure([replies(1.0, 5.0)], pairs=2, repeats=1, seed=seed).mean for seed in range(20)}
    assert single == {0.0, 4.0}
    assert measure([replies(1.0, 5.0)], pairs=2, repeats=2000).mean == pytest.approx(2.0, abs=0.2)


def test_equals_the_mean_distance_of_all_pairs_on_average():
    values = np.random.default_rng(0).normal(size=30)
    expected = np.abs(values[:, None] - values[None]).mean()  # a motion may meet itself, as in the published protocol
    found = measure([replies(*values)], repeats=1000)
    assert found.mean == pytest.approx(expected, abs=3 * found.interval)
    assert found.interval < 0.05


def test_more_pairs_give_a_narrower_interval():
    texts = [replies(*np.random.default_rng(3).normal(size=30))]
    few, many = (measure(texts, pairs=pairs, repeats=200).interval for pairs in (2, 20))
    assert many < 0.5 * few


def test_more_spread_gives_more():
    rng = np.random.default_rng(1)
    texts = rng.normal(size=(5, 1)) * 100 + rng.normal(size=(5, 30))
    cold, warm = (measure([replies(*(own.mean() + s * (own - own.mean()))) for own in texts]) for s in (0.5, 2.0))
    assert warm.mean == pytest.approx(4 * cold.mean, rel=1e-4) and cold.mean > 0
    assert cold.interval is not None and cold.n == 5


def test_unusable_replies_are_left_out_and_captions_without_pairs_too():
    good = replies(1.0, 5.0)
    short = reply(77.0, frames=3)  # less than one movement unit: no embedding
    texts = [[*good, reply(None), short], replies(None, None), [*replies(2.0, None), short], []]
    found = measure(texts, pairs=10, repeats=4)
    assert found.n == 1 and found.mean in {0.0, 1.0, 2.0, 3.0, 4.0}
    nothing = measure(texts[1:])
    assert (nothing.mean, nothing.interval, nothing.n) == (None, None, 0)


def test_captions_count_the_same_whatever_their_samples():
    many, few = np.tile([[0.0], [2.0]], (15, 1)), np.array([[0.0], [6.0]])
    found = multimodality_of_embeddings([many, few, many], pairs=10, repeats=2000, seed=0)
    assert found.mean == pytest.approx((1.0 + 3.0 + 1.0) / 3, abs=0.07)
    assert found.n == 3


def test_the_seed_decides_and_rollouts_fit():
    texts = [replies(*np.random.default_rng(2).normal(size=12)) for _ in range(3)]
    assert measure(texts) == measure(texts) != measure(texts, seed=1)
    rollouts = [[Rollout("t2m", "x", "", None, None, None, own.motion) for own in text] for text in texts]
    assert measure(rollouts) == measure(texts)
