"""Where a motion begins to be another one than its caption claims: by hand, and on toy people."""

from dataclasses import replace

import numpy as np
import pytest

from dataset.actions.events import Event
from dataset.facts.failing import fails_from
from dataset.facts.motion_facts import MotionFacts, motion_facts
from dataset.toy.animation import animate
from dataset.toy.programs import Action, Program
from utils.motion.skeleton import T2M

STILL = MotionFacts(6.0, 0.0, 0.05, 0.02, 0.0, 0.0, -0.5, -0.5, 0.0, left_foot_m=0.5, right_foot_m=0.5)
WALK = Event("walk", 0.5, 2.5, "left", "forward", 4, metres=2.0, pace_m_s=1.0)
TURN = Event("turn", 3.0, 4.0, way="right", degrees=90)
KICK = Event("kick", 1.0, 3.0, "right", "front", 4)
JUMP = Event("jump", 2.0, 3.0, way="up")


def done(*actions, **more):
    turned = sum(event.degrees * (1 if event.way == "left" else -1) for event in actions)
    metres = sum(event.metres for event in actions)
    moved = {"path_m": metres, "net_m": metres, "forward_m": metres, "turn_deg": turned}
    return replace(STILL, **{**moved, "pelvis_rise_m": 0.3, "pelvis_drop_m": 0.3, **more}, actions=actions)


@pytest.mark.parametrize(
    ("caption", "facts", "seconds"),
    [
        ("a person walks forward, then turns right.", done(WALK, TURN), None),  # all holds
        ("a person walks forward, then turns left.", done(WALK, TURN), 3.0),  # the other way
        ("a person walks backward, then turns left.", done(WALK, TURN), 0.5),  # the first of two
        ("a person kicks with the left leg.", done(KICK), 1.0),
        ("a person kicks twice with the right leg.", done(KICK), 2.0),  # half of four kicks are the two
        ("a person kicks eight times with the right leg.", done(KICK), 3.0),  # there are no more
        ("a person takes two steps forward.", done(WALK), 1.5),
        ("a person turns right by 45 degrees.", done(replace(TURN, degrees=180)), 3.25),
        ("a person walks in place.", done(WALK), 0.5),
        ("starting with the right foot, a person walks forward.", done(WALK), 0.5),
        ("a person jumps, then kicks with the right leg.", done(replace(KICK, count=1), JUMP), 1.0),  # too early
        ("a person walks forward without jumping.", done(WALK, JUMP), 2.0),
        ("a person claps.", done(WALK, hands_apart_m=1.0), None),  # what never happens has no moment
        ("a person is there.", done(WALK), None),
    ],
)
def test_what_fails_begins_where_it_is_denied(caption, facts, seconds):
    found = fails_from(caption, facts)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_of_a_toy_person_the_part_before_the_wrong_turn_is_right():
    walk, left = Action("walk", "forward", count=4), Action("turn", "left", degrees=90)
    joints = animate(Program((walk, left)), np.random.default_rng(3))
    facts = motion_facts(joints, T2M)
    assert fails_from("a person walks forward, then turns left.", facts) is None
    wrong = fails_from("a person walks forward, then turns right.", facts)
    (turn,) = [event for event in facts.actions if event.kind == "turn"]
    assert wrong == turn.start_s > 1.0
