"""Measured facts as text, by hand on a body of sticks."""

import re

import numpy as np

from dataset.actions.series import joined
from dataset.facts.in_words import facts_text
from dataset.facts.motion_facts import motion_facts
from tests.dataset.facts.test_motion_facts import body
from utils.motion.skeleton import T2M


def walk_turn_wave():
    """1 s still, 2 s walking, 1 s turning right by 90 degrees, 1 s with the left hand above the head."""
    headings = np.interp(np.arange(100), [60, 80], [0, -np.pi / 2])
    places = [(0, np.interp(t, [20, 60], [0, 2])) for t in range(100)]
    joints = body(100, headings, places)
    joints[80:, T2M.joint("left_wrist"), 1] = 1.8
    return joints


def test_facts_in_words():
    joints = walk_turn_wave()
    joints[90, 0, 1] = 0.7
    text = facts_text(motion_facts(joints, T2M))
    assert text.splitlines()[0] == "duration: 5.0 s"
    assert "2.0 m along the way, ends 2.0 m from the start; as the body faces, 2.0 m forward" in text
    assert re.search(
        r"heading: at the end 90 degrees right of the start; turns: (8[6-9]|90) degrees right from (2[.]9|3)", text
    )
    assert (
        "left hand: at its highest above the head (0.30 m above the head joint); at the chest or above from 4.0" in text
    )
    assert "right hand: at its highest waist height or lower (0.50 m below the head joint); stays low" in text
    assert "pelvis: sinks by 0.30 m and comes up again" in text and "moving for 2." in text
    still = body(40)
    assert "travel: stays in place" in facts_text(motion_facts(still, T2M))


def test_short_pauses_end_nothing_and_short_spells_are_none():
    assert joined([(0.5, 1.5), (1.7, 2.5), (4.0, 4.1)], 0.3, 0.2) == [(0.5, 2.5)]
    joints = body(60)
    joints[10:30, T2M.joint("right_wrist"), 1] = joints[34:50, T2M.joint("right_wrist"), 1] = 1.6
    assert "at the chest or above from 0.5 to 2.5 s" in facts_text(motion_facts(joints, T2M))
