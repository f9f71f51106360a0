"""Facts as metrics: of toy motions and their captions, in the tables of both tasks."""

import numpy as np
import pytest

from dataset.toy.animation import animate
from dataset.toy.clips import toy_clips
from dataset.toy.programs import Action, Program
from models.evaluation.facts import OF_CAPTIONS, OF_MOTIONS, WRONG_SIDE, facts_of, grounded, kept
from utils.metrics.criteria import COMPARED, METRICS, lower_is_better
from utils.motion.features import features_from_joints
from utils.motion.skeleton import T2M


@pytest.fixture(scope="module")
def clips():
    return [(facts_of(features_from_joints(clip.joints, T2M), T2M), clip.captions[0].text) for clip in toy_clips(20, 6)]


def test_true_captions_keep_their_claims_and_others_do_not(clips):
    own = [kept(caption, facts) for facts, caption in clips]
    other = [kept(caption, facts) for (facts, _), (_, caption) in zip(clips, clips[1:] + clips[:1], strict=True)]
    assert all({**row, WRONG_SIDE: 0} == {"Facts": 1, "Contradicted": 0, WRONG_SIDE: 0} for row in own)
    assert 4 < sum(WRONG_SIDE in row for row in own) < len(clips)  # those that name a side
    known = [row for row in other if row]
    assert np.mean([row["Contradicted"] for row in known]) > 0.6 and np.mean([row["Facts"] for row in known]) < 0.6
    told = [grounded(caption, facts) for facts, caption in clips]
    assert all(row["Grounding"] == 1 for row in told) and np.mean([row["Told"] for row in told]) > 0.95


@pytest.mark.parametrize(
    ("caption", "share"),
    [
        ("a person turns left.", 0),
        ("a person turns right.", 1),
        ("a person turns right, then kicks with the left leg.", 0.5),
        ("a person kicks with the right leg.", 1),
        ("a person kicks twice.", None),  # names no side
        ("a person jumps to the left", 1),  # what does not happen has no side
    ],
)
def test_says_left_goes_right(caption, share):
    actions = (Action("turn", "left", degrees=90), Action("kick", "front", "left", count=2))
    motion = features_from_joints(animate(Program(actions), np.random.default_rng(1)), T2M)
    expected = {} if share is None else {WRONG_SIDE: share}
    for scores in (kept(caption, facts_of(motion, T2M)), grounded(caption, facts_of(motion, T2M))):
        assert {name: value for name, value in scores.items() if name == WRONG_SIDE} == expected


def test_what_cannot_be_said_has_no_part(clips):
    facts = clips[0][0]
    assert kept("a person dances", facts) == kept(None, facts) == kept("a person walks", None) == {}
    assert grounded("", facts) == {"Told": 0} and grounded("a person walks", None) == {}
    assert facts_of(np.full((9, T2M.feature_dim), np.nan), T2M) is facts_of(None, T2M) is None


def test_they_are_in_the_tables():
    assert set(OF_MOTIONS) < set(COMPARED["t2m"]) and set(OF_CAPTIONS) < set(COMPARED["m2t"])
    assert lower_is_better("Contradicted") and {*OF_MOTIONS, *OF_CAPTIONS} < set(METRICS)
