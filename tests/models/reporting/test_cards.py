"""Marks on the scrub bar: what was measured at its time, and whether the caption says so."""

from dataclasses import replace

from dataset.actions.series import Turn
from dataset.facts.contradictions import contradictions
from dataset.facts.motion_facts import MotionFacts
from models.reporting.cards import marks_of, measured
from utils.report.player import Mark

STILL = MotionFacts(4.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.6, -0.6, 0.0)
LEFT_TURN = replace(STILL, turn_deg=90.0, turns=(Turn(92.4, 1.0, 2.5),))
RIGHT_HAND_UP = replace(STILL, right_hand_m=0.3, right_hand_up_s=((0.5, 1.5), (2.0, 3.0)))


def marks(caption, facts, *more):
    return marks_of(facts, contradictions(caption, facts), *more)


def test_what_the_caption_says_holds():
    assert marks("a person turns left.", LEFT_TURN) == [Mark(1.0, 2.5, "turns 92 degrees left", True)]
    assert marks("a person raises the right hand.", RIGHT_HAND_UP) == [
        Mark(0.5, 1.5, "right hand is up", True), Mark(2.0, 3.0, "right hand is up", True),
    ]  # fmt: skip


def test_the_other_side_fails_at_its_time():
    assert marks("a person turns right.", LEFT_TURN, 2, "SFT") == [
        Mark(1.0, 2.5, "SFT: turns 92 degrees left", False, 2)
    ]
    both = replace(RIGHT_HAND_UP, left_hand_m=0.3, left_hand_up_s=((0.0, 1.0),))
    assert [(mark.text, mark.holds) for mark in marks("a person raises the left hand.", both)] == [
        ("left hand is up", True), ("right hand is up", False), ("right hand is up", False),
    ]  # fmt: skip


def test_what_never_comes_fails_from_the_first_frame_to_the_last():
    assert marks("a person turns right.", STILL) == [Mark(0.0, 4.0, "does not turn, the text says turns right", False)]
    whole, *spans = marks("a person raises both hands.", RIGHT_HAND_UP)
    assert (whole.start, whole.end, whole.holds) == (0.0, 4.0, False) and all(mark.holds for mark in spans)


def test_what_was_measured_is_told_and_what_contradicts_is_in_sight():
    html = measured(LEFT_TURN, contradictions("a person turns right.", LEFT_TURN))
    before, _, after = html.partition("<details>")
    assert "says turns right, turns left" in before and "<li>" in after
