"""Measured facts: by hand on a body of sticks, and on real motion beside the facts of its describers."""

import json

import numpy as np
import pytest

from tests.rewards.motion_pack import PACK, needs_pack, read_pack
from utils.motion_facts import hand_level, motion_facts
from utils.skeleton import T2M


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
    assert facts.speed_m_s == pytest.approx(2 / 2.05) and facts.turn_deg == pytest.approx(0)


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


@needs_pack
def test_facts_of_real_motion_are_those_of_its_describers():
    described = {row["id"]: row["facts"] for row in map(json.loads, (PACK.parent / "meta.jsonl").open())}
    errors, levels = [], []
    for name, joints in read_pack().items():
        found, told = motion_facts(joints, T2M), described[name]
        same = ("path_m", "net_m", "forward_m", "left_m")
        errors.append([abs(getattr(found, key) - told[key]) for key in same] + [abs(found.turn_deg - told["turn_deg"])])
        levels += [
            hand_level(getattr(found, f"{side}_hand_m")) == told[f"{side}_hand"]["level"] for side in ("left", "right")
        ]
    worst = np.max(errors, axis=0)
    assert (worst[:4] < 0.35).all() and worst[4] < 8 and np.mean(levels) > 0.96
    assert (np.median(errors, axis=0)[:4] < 0.03).all() and np.median(errors, axis=0)[4] < 0.5
