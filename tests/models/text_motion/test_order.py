"""The order test tells an evaluator that sees what is worse from one that does not."""

from dataclasses import dataclass

import numpy as np
import pytest

from dataset.captions.lines import Caption
from dataset.humanml.layout import MotionRecord
from models.text_motion.order import (
    ANOTHER,
    REAL,
    REBUILT,
    SHUFFLED,
    STATES,
    EmbeddedStates,
    StatesConfig,
    agreement,
    embed_states,
    find_order,
    shuffle_segments,
)
from tests.prepare.random_motions import random_evaluator

CLIPS = 64


def states(distances, rng, dimensions=8):
    """Captions at random points, and in each state motions at the given distance from them."""
    text = 10 * rng.normal(size=(CLIPS, dimensions))
    away = rng.normal(size=(CLIPS, dimensions))
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    motions = {state: text + distance * away for state, distance in zip(STATES, distances, strict=True)}
    return EmbeddedStates(text, np.arange(CLIPS), motions)


def test_the_order_of_a_good_judge():
    order = find_order(states((1, 2, 30, 90), np.random.default_rng(0)), 3, 0)
    assert order.holds("MM-Dist") and order.sequence("MM-Dist") == STATES
    assert order.metrics[REAL]["MM-Dist"].mean == pytest.approx(1)
    assert [round(value.mean, 6) for value in order.farther.values()] == [1, 28, 60]
    assert order.farther[REAL, REBUILT].interval == pytest.approx(0, abs=1e-9)  # every clip alike
    assert order.metrics[REBUILT]["FID"].mean == pytest.approx(0, abs=1)
    assert order.metrics[REAL]["FID"].n == CLIPS // 2


def test_two_states_in_the_wrong_order_or_alike_are_no_order():
    swapped = find_order(states((1, 50, 30, 90), np.random.default_rng(0)), 3, 0)
    assert not swapped.holds("MM-Dist") and swapped.sequence("MM-Dist") == (REAL, SHUFFLED, REBUILT, ANOTHER)
    alike = find_order(states((1, 1, 30, 90), np.random.default_rng(0)), 3, 0)
    assert not alike.holds("MM-Dist") and alike.sequence("MM-Dist") == STATES
    assert not alike.holds("R@1")  # real and reconstruction are the same points


def test_evaluators_agree_where_they_rank_distances_alike():
    rng = np.random.default_rng(0)
    one = states((1, 2, 30, 90), rng)
    # Every distance twice as large; and states the other way round.
    double = EmbeddedStates(2 * one.text, one.owners, {state: 2 * rows for state, rows in one.motions.items()})
    assert agreement(one, double) == pytest.approx(1, abs=1e-9)
    assert agreement(one, states((90, 30, 2, 1), rng)) < -0.5


def test_distances_are_means_over_the_captions_of_a_clip():
    text = np.array([[0.0], [2.0], [10.0]])
    motions = dict.fromkeys(STATES, np.array([[0.0], [7.0]]))
    found = EmbeddedStates(text, np.array([0, 0, 1]), motions).distances()
    np.testing.assert_allclose(found[REAL], [1, 3])


def test_segments_stay_whole():
    motion = np.arange(10)[:, None] * np.ones((1, 3))
    for frames in (1, 3, 4, 20):
        rng = np.random.default_rng(1)
        found = shuffle_segments(motion, frames, rng)
        assert found.shape == motion.shape and sorted(found[:, 0]) == list(range(10))
        starts = range(0, 10, frames)
        where = {int(value): place for place, value in enumerate(found[:, 0])}
        for start in starts:
            length = min(frames, 10 - start)
            assert [where[start + i] - where[start] for i in range(length)] == list(range(length))
    assert not np.array_equal(shuffle_segments(motion, 1, np.random.default_rng(1)), motion)


@dataclass
class _Calls:
    motions: list

    def reconstruct(self, motions):
        """A tokenizer that drops the frames behind the last whole code, and adds a little."""
        self.motions += motions
        return [motion[: len(motion) // 4 * 4] + 0.1 for motion in motions]


@pytest.mark.parametrize("family", ["guo", "tmr"])
def test_all_states_are_of_the_same_clips_and_frames(family):
    rng = np.random.default_rng(0)
    records = [
        MotionRecord(
            f"c{i}", rng.normal(size=(41 + i % 3, 263)).astype(np.float32), (Caption("x", ("walk/VERB",)),) * 2
        )
        for i in range(7)
    ]
    calls = _Calls([])
    evaluator = random_evaluator(family=family)
    one, other = embed_states([evaluator, evaluator], records, calls.reconstruct, StatesConfig(1, 5))
    assert len(calls.motions) == 7
    for state in STATES:
        np.testing.assert_array_equal(one.motions[state], other.motions[state])
    real = evaluator.embed_features([record.features[:40] for record in records]).numpy()
    np.testing.assert_allclose(one.motions[REAL], real, atol=1e-5)
    assert one.owners.tolist() == np.repeat(np.arange(7), 2).tolist() and len(one.text) == 14
    # Another clip's: all of them, none its own.
    matches = np.linalg.norm(one.motions[ANOTHER][:, None] - real[None], axis=-1).argmin(axis=1)
    assert sorted(matches) == list(range(7)) and (matches != np.arange(7)).all()
    again = embed_states([evaluator], records, calls.reconstruct, StatesConfig(1, 6))[0]
    assert not np.array_equal(again.motions[SHUFFLED], one.motions[SHUFFLED])
