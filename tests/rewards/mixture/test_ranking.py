"""Weights of training become weights of ranking; those that the user names stay as they are."""

import pytest

from rewards.mixture.ranking import scorer_weights
from utils.errors import InputError

TRAINING = {"format": 0.2, "physical": 0.5, "consistency": 0.5, "semantic": 0.5, "coherence": 0.8}


def test_without_named_scorers_physical_weighs_four_times_as_much():
    found = scorer_weights(TRAINING, "t2m", "agreement", named=False, oracle=False)
    assert found == {"format": 0.2, "physical": 2.0, "consistency": 0.5}


def test_named_weights_are_taken_as_they_are():
    named = {"physical": 0.5, "consistency": 0.5}
    assert scorer_weights(named, "t2m", "agreement", named=True, oracle=False) == named


def test_agreement_takes_over_what_reads_the_true_caption():
    found = scorer_weights(TRAINING, "m2t", "agreement", named=False, oracle=False)
    assert found == {"format": 0.2, "consistency": 0.5, "coherence": 0.8, "agreement": 0.5}
    with pytest.raises(InputError, match="only --com-oracle"):
        scorer_weights(TRAINING, "m2t", "agreement", named=True, oracle=False)
