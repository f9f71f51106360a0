"""Measured facts: by hand on a body of sticks, and on real motion beside the facts of its describers."""

import json

import numpy as np
import pytest

from dataset.actions.series import Turn, count_steps, spans_of, turns_of
from dataset.facts.motion_facts import hand_level, motion_facts
from tests.rewards.motion_pack import PACK, needs_pack, read_pack
from utils.motion.skeleton import KIT, T2M


def body(frames, headings=None, places=None):
    """(frames, 22, 3): hips and shoulders 0.2 m to either side, head at 1.5 m, hands at 1 m; placed and turned."""
    joints = np.zeros((frames, 22, 3))
    joints[:, :, 1] = 1.0
    joints[:, T2M.joint("head"), 1] = 1.5
    for side, sign in (("left", 1), ("right", -1)):
        for part in ("hip", "shoulder", "wrist"):
            joints[:, T2M.joint(f"{side}_{part}"), 0] = 0.2 * sign
    headings = np.zeros(frames) if headings is None else np.asarray(headings)
    cosine, sine = np.cos(headings)[:, None], np.sin(headings)[:, None]
    x, z = joints[..., 0].copy(), joints[..., 2].copy()
    joints[..., 0], joints[..., 2] = cosine * x + sine * z, cosine * z - sine * x
    if places is not None:
        joints[..., [0, 2]] += np.asarray(places)[:, None]
    return joints


def test_walking_straight_ahead_is_forward_only():
    facts = motion_facts(body(41, places=[(0, 0.05 * t) for t in range(41)]), T2M)
    assert facts.seconds == pytest.approx(2.05)
    assert (facts.forward_m, facts.left_m, facts.path_m, facts.net_m) == pytest.approx((2, 0, 2, 2))
    assert facts.turn_deg == pytest.approx(0)


def test_side_and_back_are_as_the_body_sees_them():
    quarter = np.full(21, np.pi / 2)  # faces +X: its left is -Z
    facts = motion_facts(body(21, quarter, [(-0.1 * t, -0.05 * t) for t in range(21)]), T2M)
    assert (facts.forward_m, facts.left_m) == pytest.approx((-2, 1))


def test_a_left_turn_is_positive_and_a_full_one_is_no_zero():
    steps = np.concatenate([np.zeros(10), np.linspace(0, 2 * np.pi, 60), np.full(10, 2 * np.pi)])
    assert motion_facts(body(80, steps), T2M).turn_deg == pytest.approx(360)
    assert motion_facts(body(80, -steps / 4), T2M).turn_deg == pytest.approx(-90)


def test_hands_are_measured_from_the_head_at_their_highest():
    joints = body(20)
    joints[7, T2M.joint("left_wrist"), 1] = 1.9
    facts = motion_facts(joints, T2M)
    assert (facts.left_hand_m, facts.right_hand_m) == pytest.approx((0.4, -0.5))
    assert hand_level(facts.left_hand_m) == "above the head"
    assert hand_level(facts.right_hand_m) == "waist height or lower"


def test_times_of_a_raised_hand():
    joints = body(40)
    joints[10:20, T2M.joint("left_wrist"), 1] = joints[30:, T2M.joint("left_wrist"), 1] = 1.4
    facts = motion_facts(joints, T2M)
    assert facts.left_hand_up_s == ((0.5, 1.0), (1.5, 2.0)) and facts.right_hand_up_s == ()
    assert spans_of(np.array([True, False, True, True]), fps=2) == ((0, 0.5), (1, 2))


def test_turns_have_a_side_an_amount_and_times():
    still, quarter = np.zeros(20), np.linspace(0, np.pi / 2, 20)
    heading = np.concatenate([still, quarter, still + np.pi / 2, np.pi / 2 - 2 * quarter, still - np.pi / 2])
    left, right = turns_of(heading, fps=20)
    assert (left.degrees, right.degrees) == pytest.approx((90, -180), abs=1)
    assert (left.start_s, left.end_s, right.start_s, right.end_s) == pytest.approx((1, 2, 3, 4), abs=0.15)
    assert turns_of(-heading, fps=20) == tuple(Turn(-turn.degrees, turn.start_s, turn.end_s) for turn in (left, right))
    sway = np.deg2rad(15) * np.sin(np.arange(100))
    assert turns_of(sway, fps=20) == ()
    (whole,) = turns_of(np.linspace(0, 2 * np.pi, 100) + sway / 5, fps=20)  # round a circle: one turn
    assert whole.degrees == pytest.approx(360, abs=15)


def test_a_step_is_one_foot_coming_before_the_other():
    assert count_steps(0.4 * np.sin(np.linspace(0, 4 * np.pi, 81))) == 3
    assert count_steps(0.05 * np.sin(np.linspace(0, 4 * np.pi, 81))) == 0  # feet side by side
    assert count_steps(np.full(10, 0.3)) == 0


def test_height_and_bend_are_measured_from_the_first_frame():
    joints = body(30)
    joints[10:, :, 1] -= 0.4
    joints[20:, :, 1] += 0.5
    joints[15, T2M.joint("neck")] = joints[15, 0] + [0, 0.5, 0.5]
    joints[:15, T2M.joint("neck")] = joints[:15, 0] + [0, 0.5, 0]
    facts = motion_facts(joints, T2M)
    assert (facts.pelvis_drop_m, facts.pelvis_rise_m, facts.pelvis_end_m) == pytest.approx((0.4, 0.1, 0.1))
    assert facts.bend_deg == pytest.approx(45)
    joints[25, T2M.joint("right_ankle"), 1] += 0.6
    facts = motion_facts(joints, T2M)
    assert (facts.left_foot_m, facts.right_foot_m) == pytest.approx((0.5, 1.1))


def test_pace_is_that_of_the_part_that_travels():
    places = [(0, 0)] * 40 + [(0, 0.05 * t) for t in range(1, 41)]
    facts = motion_facts(body(80, places=places), T2M)
    assert facts.travel_s == pytest.approx(2, abs=0.25)
    assert facts.pace_m_s == pytest.approx(1, abs=0.1)
    facts = motion_facts(body(40), T2M)
    assert (facts.pace_m_s, facts.travel_s) == (0, 0)


def measured_and_told():
    """(ours, those of the describers) of every test clip of the pack."""
    described = {row["id"]: row["facts"] for row in map(json.loads, (PACK.parent / "meta.jsonl").open())}
    return [(motion_facts(joints, T2M), described[name]) for name, joints in read_pack().items()]


def test_the_other_skeleton_has_the_same_facts():
    joints = np.zeros((26, 21, 3))
    joints[:, KIT.joint("head"), 1] = 0.5
    joints[13:, KIT.joint("spine3")] = [0, 0.3, 0.3]
    joints[:13, KIT.joint("spine3"), 1] = 0.3
    for side, sign in (("left", 1), ("right", -1)):
        joints[:, [KIT.joint(f"{side}_hip"), KIT.joint(f"{side}_shoulder")], 0] = 0.2 * sign
    joints[..., 2] += 0.08 * np.arange(26)[:, None]
    joints[:13, KIT.joint("left_ankle"), 2] += 0.2
    joints[13:, KIT.joint("right_ankle"), 2] += 0.2
    facts = motion_facts(joints, KIT)
    assert (facts.seconds, facts.forward_m) == pytest.approx((26 / 12.5, 2))
    assert facts.bend_deg == pytest.approx(45) and facts.steps == 1 and facts.pace_m_s == pytest.approx(1)
    assert facts.left_hand_up_s == () and facts.turns == ()


@needs_pack
def test_facts_of_real_motion_are_those_of_its_describers():
    errors, levels = [], []
    for found, told in measured_and_told():
        same = ("path_m", "net_m", "forward_m", "left_m")
        errors.append([abs(getattr(found, key) - told[key]) for key in same] + [abs(found.turn_deg - told["turn_deg"])])
        levels += [
            hand_level(getattr(found, f"{side}_hand_m")) == told[f"{side}_hand"]["level"] for side in ("left", "right")
        ]
    worst = np.max(errors, axis=0)
    assert (worst[:4] < 0.35).all() and worst[4] < 8 and np.mean(levels) > 0.96
    assert (np.median(errors, axis=0)[:4] < 0.03).all() and np.median(errors, axis=0)[4] < 0.5


@needs_pack
def test_turns_steps_and_raised_hands_of_real_motion_are_those_of_its_describers():
    pairs = measured_and_told()
    counts = np.abs([(len(one.turns) - len(other["turns"]), one.steps - other["steps"]) for one, other in pairs])
    assert ((counts == 0).mean(axis=0) > (0.99, 0.97)).all() and counts.max() <= 1
    bends = np.abs([one.bend_deg - other["torso_bend_change_deg"] for one, other in pairs])
    assert np.median(bends) < 1 and bends.max() < 8
    turns = [
        (turn.degrees - told["deg"], turn.start_s - told["start_s"], turn.end_s - told["end_s"])
        for one, other in pairs
        if len(one.turns) == len(other["turns"])
        for turn, told in zip(one.turns, other["turns"], strict=True)
    ]
    assert len(turns) > 60 and (np.percentile(np.abs(turns), 90, axis=0) < (10, 0.3, 0.3)).all()
    ups = [
        (spans[0][0] - told["first_up_s"], spans[0][1] - told["last_down_s"])
        for one, other in pairs
        for spans, told in ((one.left_hand_up_s, other["left_hand"]), (one.right_hand_up_s, other["right_hand"]))
        if told["raises"] == 1 and len(spans) == 1
    ]
    assert len(ups) > 150 and (np.percentile(np.abs(ups), 95, axis=0) < 0.12).all()
