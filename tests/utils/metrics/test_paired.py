import math

import numpy as np
import pytest

from utils.errors import InputError
from utils.metrics.paired import PairedDifference, match_by_id, paired_difference


def test_by_hand():
    # Differences 1, 3, 0, 0: mean 1, sd sqrt(6 / 3); Student's t of 3 degrees of freedom at 97.5 % is 3.1824.
    found = paired_difference(np.array([2.0, 5.0, 7.0, 1.0]), np.array([1.0, 2.0, 7.0, 1.0]))
    assert found == PairedDifference(1.0, pytest.approx(3.18245 * math.sqrt(2) / 2, abs=1e-4), 4, 2, 0, 2, 0)
    assert not found.clear
    back = paired_difference(np.array([1.0, 2.0, 7.0, 1.0]), np.array([2.0, 5.0, 7.0, 1.0]))
    assert (back.mean, back.interval, back.wins, back.losses) == (-1.0, found.interval, 0, 2)


def test_many_pairs_have_the_normal_interval():
    difference = np.tile([0.0, 2.0], 5000)
    found = paired_difference(difference, np.zeros(10000))
    assert found.interval == pytest.approx(1.96 * 1.0 / 100, rel=1e-3)
    assert found.clear


def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(500):
        hard = rng.normal(0, 10, 8)  # what both systems have in common must not widen the interval
        found = paired_difference(hard + rng.normal(0.5, 1, 8), hard)
        held += abs(found.mean - 0.5) <= found.interval
        assert found.interval < 3
    assert 0.92 < held / 500 < 0.98


def test_missing_scores_leave_their_pair_out():
    found = paired_difference([1.0, None, 3.0, float("nan"), 2.0], [0.0, 1.0, None, None, 2.5])
    assert found == PairedDifference(0.25, pytest.approx(12.7062 * 1.06066 / math.sqrt(2), rel=1e-4), 2, 1, 1, 0, 3)
    one = paired_difference([1.0, None], [0.0, 1.0])
    assert (one.mean, one.interval, one.n, one.left_out, one.clear) == (1.0, None, 1, 1, False)
    none = paired_difference([None], [1.0])
    assert (none.mean, none.interval, none.n, none.clear) == (None, None, 0, False)
    assert paired_difference([], []).n == 0


def test_an_interval_is_never_shown_as_0_where_it_is_not():
    assert PairedDifference(0.00012, 0.00004, 9, 9, 0, 0, 0).number() == "+0.00012 +- 0.00004"
    assert PairedDifference(0.0, 0.0, 9, 0, 0, 9, 0).number() == "+0.000 +- 0.000"
    assert PairedDifference(0.5, None, 1, 1, 0, 0, 0).number() == "+0.500"


def test_text():
    assert PairedDifference(0.0124, 0.004, 380, 210, 150, 20, 6).text() == (
        "+0.012 +- 0.004 (n 380: 210 above, 150 below, 20 equal; 6 left out)"
    )
    assert paired_difference([None], [1.0]).text() == "- (n 0: 0 above, 0 below, 0 equal; 1 left out)"


def test_scores_that_are_not_pairs_are_an_error():
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        paired_difference([1, 2], [1, 2, 3])


def test_match_averages_draws_and_marks_what_one_side_lacks():
    first = [
        {"id": "a", "draw": 0, "scores": {"CIDEr": 1.0}}, {"id": "a", "draw": 1, "scores": {"CIDEr": 3.0}},
        {"id": "b", "draw": 0, "scores": {"CIDEr": 5.0}}, {"id": "b", "draw": 1, "scores": {"CIDEr": None}},
        {"id": "c", "draw": 0, "scores": {"CIDEr": None}}, {"id": "only a", "draw": 0, "scores": {"CIDEr": 9.0}},
    ]  # fmt: skip
    second = [{"id": "c", "CIDEr": 7.0}, {"id": "b", "CIDEr": 6.0}, {"id": "only b"}, {"id": "a", "CIDEr": 0.0}]
    a, b = match_by_id(first, second, "CIDEr")
    np.testing.assert_array_equal(a, [2.0, 5.0, np.nan, 9.0, np.nan])  # a, b, c, only a, only b
    np.testing.assert_array_equal(b, [0.0, 6.0, 7.0, np.nan, np.nan])
    pairs = match_by_id(first, second, "CIDEr")
    difference = paired_difference(pairs.a, pairs.b)
    assert (difference.mean, difference.n, difference.left_out) == (0.5, 2, 3)


def test_match_refuses_unknown_scores_and_draws_given_twice():
    rows = [{"id": "a", "scores": {"CIDEr": 1.0}}]
    with pytest.raises(InputError, match="second predictions have no score 'CIDEr'"):
        match_by_id(rows, [{"id": "a", "scores": {"ROUGE-L": 1.0}}], "CIDEr")
    with pytest.raises(InputError, match="first predictions hold draw 0 of a twice"):
        match_by_id(rows * 2, rows, "CIDEr")
    nothing_in_common = match_by_id(rows, [{"id": "b", "scores": {"CIDEr": 1.0}}], "CIDEr")
    assert (paired_difference(*nothing_in_common).n, paired_difference(*nothing_in_common).left_out) == (0, 2)
