"""Facts as metrics: of toy motions and their captions, in the tables of both tasks."""

import numpy as np
import pytest

from dataset.toy.clips import toy_clips
from models.evaluation.facts import OF_CAPTIONS, OF_MOTIONS, facts_of, grounded, kept
from utils.metrics.criteria import COMPARED, METRICS, lower_is_better
from utils.motion.features import features_from_joints
from utils.motion.skeleton import T2M


@pytest.fixture(scope="module")
def clips():
    return [(facts_of(features_from_joints(clip.joints, T2M), T2M), clip.captions[0].text) for clip in toy_clips(20, 6)]


def test_true_captions_keep_their_claims_and_others_do_not(clips):
    own = [kept(caption, facts) for facts, caption in clips]
    other = [kept(caption, facts) for (facts, _), (_, caption) in zip(clips, clips[1:] + clips[:1], strict=True)]
    assert all(row == {"Facts": 1, "Contradicted": 0} for row in own)
    known = [row for row in other if row]
    assert np.mean([row["Contradicted"] for row in known]) > 0.6 and np.mean([row["Facts"] for row in known]) < 0.6
    told = [grounded(caption, facts) for facts, caption in clips]
    assert all(row["Grounding"] == 1 for row in told) and np.mean([row["Told"] for row in told]) > 0.95


def test_what_cannot_be_said_has_no_part(clips):
    facts = clips[0][0]
    assert kept("a person dances", facts) == kept(None, facts) == kept("a person walks", None) == {}
    assert grounded("", facts) == {"Told": 0} and grounded("a person walks", None) == {}
    assert facts_of(np.full((9, T2M.feature_dim), np.nan), T2M) is facts_of(None, T2M) is None


def test_they_are_in_the_tables():
    assert set(OF_MOTIONS) < set(COMPARED["t2m"]) and set(OF_CAPTIONS) < set(COMPARED["m2t"])
    assert lower_is_better("Contradicted") and {*OF_MOTIONS, *OF_CAPTIONS} < set(METRICS)
