"""Format: hand-computed scores, and the order good > looped > out of range > too few > none."""

import numpy as np
import pytest

from models.language.rollout import Rollout
from rewards.base import RewardContext
from rewards.motion_format import MotionFormat, looped_share
from utils.motion.skeleton import T2M

NB_CODE = 512
REWARD = MotionFormat(RewardContext(skeleton=T2M, nb_code=NB_CODE))
VARIED = tuple(range(20))


def t2m(codes=VARIED, reasoning="first the person walks", text=None, finished=True) -> Rollout:
    written = "".join(f"<Motion_{code}>" for code in codes or ())
    text = f"{reasoning}</think><answer><Motion>{written}</Motion></answer>" if text is None else text
    array = np.array(codes, dtype=np.int64) if codes is not None else None
    return Rollout("t2m", "a person walks", text, reasoning, written, array, None, finished=finished)


def m2t(answer="a person walks forward", reasoning="legs move in turn", text=None, finished=True) -> Rollout:
    text = f"{reasoning}</think><answer>{answer}</answer>" if text is None else text
    return Rollout("m2t", answer, text, reasoning, answer, np.arange(8), None, finished=finished)


def score(rollout) -> float:
    return REWARD.score([rollout])[0]


def test_a_well_formed_reply_of_either_task_gets_the_full_score():
    assert score(t2m()) == 1.0
    assert score(t2m(reasoning="")) == 1.0
    assert score(m2t()) == 1.0


@pytest.mark.parametrize(("count", "expected"), [(3, -0.5), (4, 1.0), (52, 1.0), (53, -0.5)])
def test_count_limits(count, expected):
    assert score(t2m(tuple(range(count)))) == expected


def test_no_codes_and_no_answer_are_worst():
    assert score(t2m(codes=None)) == -1.0
    assert score(t2m(codes=())) == -1.0
    assert score(m2t(answer="")) == -1.0
    assert score(Rollout("m2t", None, "so what", None, None, np.arange(8), None)) == -1.0


def test_codes_outside_the_codebook_cost_by_their_share():
    assert score(t2m((*range(15), *range(NB_CODE, NB_CODE + 5)))) == pytest.approx(-0.3 * 5 / 20)
    assert score(t2m(tuple(range(NB_CODE, NB_CODE + 20)))) == pytest.approx(-0.3)


def test_broken_grammar_costs_and_defects_add_up():
    assert score(t2m(text="<answer><Motion_1></answer>")) == pytest.approx(-0.2)
    assert score(t2m(finished=False)) == pytest.approx(-0.2)
    assert score(m2t(text="no tags at all")) == pytest.approx(-0.2)
    assert score(t2m((NB_CODE,), text="")) == pytest.approx(-1.0)


def test_four_identical_codes_in_a_row_are_not_full_score_but_three_are():
    three = (*range(17), 40, 40, 40)
    four = (*range(16), 40, 40, 40, 40)
    assert score(t2m(three)) == 1.0
    assert score(t2m(four)) == pytest.approx(1 - (3 / 20) ** 2)


def test_a_reply_that_only_repeats_is_far_from_well_formed():
    assert score(t2m((7,) * 20)) == pytest.approx(1 - (19 / 20) ** 2)
    assert score(t2m((1, 2, 3, 4, 5) * 4)) == pytest.approx(1 - (15 / 20) ** 2)
    assert score(t2m(reasoning="the person walks " * 10)) == pytest.approx(1 - (27 / 30) ** 2)
    assert score(m2t(answer="walks and " * 6)) == pytest.approx(1 - (10 / 12) ** 2)


def test_order_of_defects():
    ordered = [
        t2m(),
        t2m((*range(16), 40, 40, 40, 40)),
        t2m((7,) * 20),
        t2m((*range(19), NB_CODE)),
        t2m(text="broken"),
        t2m((1, 2, 3)),
        t2m((1, 2, NB_CODE), finished=False),
        t2m(codes=None),
    ]
    scores = REWARD.score(ordered)
    assert scores == sorted(scores, reverse=True) and len(set(scores)) == len(scores)
    assert all(-1.0 <= value <= 1.0 for value in scores)


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [
        ("", 0.0),
        ("abc", 0.0),
        ("abcccc", 3 / 6),
        ("abababab", 6 / 8),
        ("ababab", 0.0),  # three times is a rhythm, four a loop
        ("xabababab", 6 / 9),
        ("aaaabaaaa", 6 / 9),
        ("abcdabcdabcdabcd", 12 / 16),
    ],
)
def test_looped_share(sequence, expected):
    assert looped_share(sequence) == pytest.approx(expected)
