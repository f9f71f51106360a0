"""Tallies of claims that hold, by kind, with their intervals; and how much of a motion is told."""

import math
from dataclasses import replace

import pytest

from dataset.actions.events import Event
from dataset.facts.accuracy import ALL, Tally, coverage, tallies
from tests.dataset.facts.test_contradictions import KICK, STEPS, TURN, done


def test_claims_are_counted_by_what_they_are_about():
    pairs = [("a man kicks twice with the right leg", done(KICK, KICK)), ("he kicks with the left leg", done(KICK))]
    found = tallies([*pairs, ("a person dances", done(KICK))])
    assert (found["side"], found["count"]) == (Tally(1, 1), Tally(1))
    assert found["happens"] == Tally(2) and found[ALL] == found["kick"] == Tally(4, 1)
    assert found[ALL].share == pytest.approx(0.8)
    low, high = found[ALL].interval
    assert low == pytest.approx(0.376, abs=1e-3) and high == pytest.approx(0.964, abs=1e-3)
    assert math.isnan(Tally(0, 0, 3).share) and math.isnan(Tally().interval[0])


def test_what_is_told_of_a_motion():
    facts = done(STEPS, TURN, replace(KICK, start_s=3))
    assert coverage([("he walks, then kicks", facts), ("a person dances", facts)]) == (2, 6)
    assert coverage([("he turns right", facts)]) == (0, 3)  # to the other side: not told
    assert coverage([("he turns", done(Event("turn", 0, 1, way="left", degrees=45)))]) == (0, 0)  # part of a step
