"""When what happens: by hand on a body of sticks, and on real motion beside the times of its describers."""

import json
import re

import numpy as np
import pytest

from dataset.facts_text import facts_text
from tests.rewards.motion_pack import PACK, needs_pack, read_pack
from tests.utils.test_motion_facts import body
from utils.motion_facts import motion_facts
from utils.motion_timeline import motion_timeline
from utils.skeleton import T2M


def walk_turn_wave():
    """1 s still, 2 s walking, 1 s turning right by 90 degrees, 1 s with the left hand above the head."""
    headings = np.interp(np.arange(100), [60, 80], [0, -np.pi / 2])
    places = [(0, np.interp(t, [20, 60], [0, 2])) for t in range(100)]
    joints = body(100, headings, places)
    joints[80:, T2M.joint("left_wrist"), 1] = 1.8
    return joints


def test_parts_have_their_times():
    timeline = motion_timeline(walk_turn_wave(), T2M)
    (walk,), (turn,), (raised,) = timeline.travels, timeline.turns, timeline.left_raised
    assert (walk.start_s, walk.end_s) == pytest.approx((1, 3), abs=0.25)
    assert (turn.start_s, turn.end_s, turn.degrees) == pytest.approx((3, 4, -90), abs=6)
    assert (raised.start_s, raised.end_s) == (4, 5) and timeline.right_raised == []


def test_turns_to_both_sides_are_two_and_a_short_pause_ends_nothing():
    angles = np.deg2rad(np.interp(np.arange(120), [20, 40, 60, 80], [0, 90, 90, 0]))
    left, right = motion_timeline(body(120, angles), T2M).turns
    assert left.degrees == pytest.approx(90, abs=6) and right.degrees == pytest.approx(-90, abs=6)
    joints = body(60)
    joints[10:30, T2M.joint("right_wrist"), 1] = joints[34:50, T2M.joint("right_wrist"), 1] = 1.6
    (raised,) = motion_timeline(joints, T2M).right_raised
    assert (raised.start_s, raised.end_s) == (0.5, 2.5)


def test_facts_in_words():
    joints = walk_turn_wave()
    joints[90, 0, 1] = 0.7
    text = facts_text(motion_facts(joints, T2M), motion_timeline(joints, T2M))
    assert text.splitlines()[0] == "duration: 5.0 s"
    assert "2.0 m along the way, ends 2.0 m from the start; as the body faces, 2.0 m forward" in text
    assert re.search(
        r"heading: at the end 90 degrees right of the start; turns: (8[6-9]|90) degrees right from (2[.]9|3)", text
    )
    assert (
        "left hand: at its highest above the head (0.30 m above the head joint); at the chest or above from 4.0" in text
    )
    assert "right hand: at its highest waist height or lower (0.50 m below the head joint); stays low" in text
    assert "pelvis: sinks by 0.30 m, lowest at 4.5 s" in text
    still = body(40)
    assert "travel: stays in place" in facts_text(motion_facts(still, T2M), motion_timeline(still, T2M))


@needs_pack
def test_times_of_real_motion_are_those_of_its_describers():
    described = {row["id"]: row["facts"] for row in map(json.loads, (PACK.parent / "meta.jsonl").open())}
    same_number, turns, raises = [], [], []
    for name, joints in read_pack().items():
        found, told = motion_timeline(joints, T2M), described[name]
        same_number.append(len(found.turns) == len(told["turns"]))
        if same_number[-1]:
            turns += [
                (abs(a.degrees - b["deg"]), abs(a.start_s - b["start_s"]), abs(a.end_s - b["end_s"]))
                for a, b in zip(found.turns, told["turns"], strict=True)
            ]
        for side, spells in (("left", found.left_raised), ("right", found.right_raised)):
            hand = told[f"{side}_hand"]
            if hand["raises"] == 1 and "last_down_s" in hand and spells:
                raises.append(
                    (abs(spells[0].start_s - hand["first_up_s"]), abs(spells[-1].end_s - hand["last_down_s"]))
                )
    assert np.mean(same_number) > 0.98 and len(turns) > 50 and len(raises) > 250
    assert (np.median(turns, axis=0) < (10, 0.4, 0.4)).all()
    assert (np.median(raises, axis=0) < 0.15).all()
