"""Measured actions beside toy programs, mirrored and on KIT's body, and beside the describers of real motion."""

from collections import defaultdict

import numpy as np
import pytest

from dataset.actions.body import Body
from dataset.actions.events import Event, repeated, with_both
from dataset.actions.measured import measured
from dataset.actions.series import excursions, swings
from dataset.sources.mirroring import mirror_joints
from dataset.toy.clips import toy_clips
from tests.dataset.actions.truth import TOLERANCES, Score, pack_errors, pack_pairs
from tests.kit_body import kit_joints
from tests.rewards.motion_pack import needs_pack
from utils.motion.skeleton import KIT, T2M

MIRRORED = {"left": "right", "right": "left"}


@pytest.fixture(scope="module")
def clips():
    return list(toy_clips(140, 5))


def test_toy_people_do_what_their_programs_say_and_nothing_else(clips):
    score = Score()
    for clip in clips:
        score.add(clip.program, measured(Body(clip.joints, T2M)))
    assert score.right.total() >= 0.98 * score.wanted.total() and score.false.total() <= 0.01 * score.claimed.total()
    assert len(score.wanted) == 17 and not score.in_order[False] and score.in_order[True] > 15


def test_in_the_mirror_only_the_sides_change(clips):
    for clip in clips[:40]:
        events, others = measured(Body(clip.joints, T2M)), measured(Body(mirror_joints(clip.joints, T2M), T2M))
        sides = sorted((event.kind, MIRRORED.get(event.side, event.side), MIRRORED.get(event.way, event.way),
                        event.count) for event in events)  # fmt: skip
        assert sides == sorted((event.kind, event.side, event.way, event.count) for event in others)


def test_the_other_skeleton_shows_the_same(clips):
    score = Score()
    for clip in clips[::2]:
        times = np.linspace(0, len(clip.joints) - 1, int(len(clip.joints) * KIT.fps / T2M.fps))
        frames = np.arange(len(clip.joints))
        columns = [np.interp(times, frames, column) for column in clip.joints.reshape(len(frames), -1).T]
        joints = np.stack(columns, axis=1).reshape(len(times), *clip.joints.shape[1:])
        score.add(clip.program, measured(Body(KIT.in_metres(kit_joints(joints)), KIT)))
    assert score.right.total() >= 0.95 * score.wanted.total() and score.false.total() <= 0.03 * score.claimed.total()


def test_a_higher_jump_is_higher_and_two_are_counted(clips):
    for clip in clips:
        for event in measured(Body(clip.joints, T2M)):
            if event.kind == "jump":  # the pelvis rises by what the feet do, and by standing on the toes before
                assert 0.15 < event.metres < 0.4
                assert event.end_s - event.start_s > 0.5 * event.count
    values = np.array([0, 0.2, 0.9, 0.3, 0, 0.6, 0])
    (one,) = excursions(values, 0.8, 0.1)
    assert (one.start, one.end, one.peak) == (1, 4, 2)


def test_there_and_back_is_no_wave():
    once = np.concatenate([np.linspace(0, 0.2, 10), np.linspace(0.2, 0, 10)])
    assert swings(once, 0.06) == 0
    assert swings(0.1 * np.sin(np.linspace(0, 6 * np.pi, 60)), 0.06) == 3
    assert swings(0.02 * np.sin(np.linspace(0, 6 * np.pi, 60)), 0.06) == 0


def test_repetitions_are_counted_and_both_hands_found():
    kicks = [Event("kick", start, start + 1, "left", "front") for start in (0.0, 1.2, 9.0)]
    assert [(event.count, event.start_s, event.end_s) for event in repeated(kicks, 1.5)] == [(2, 0, 2.2), (1, 9, 10)]
    left, right = [Event("raise", 1, 3, "left")], [Event("raise", 1.2, 2.5, "right"), Event("raise", 5, 6, "right")]
    found = with_both(left, right, lambda one, other: one.overlap_s(other) > 0.5)
    assert [(event.side, event.start_s, event.end_s) for event in found] == [("both", 1, 3), ("right", 5, 6)]


@needs_pack
def test_real_people_do_what_their_describers_measured():
    errors = defaultdict(list)
    for _, facts, told in pack_pairs("test"):
        for name, values in pack_errors(facts, told).items():
            errors[name] += values
    within = {name: np.mean(np.array(values) <= TOLERANCES.get(name, 0)) for name, values in errors.items()}
    assert min(within.values()) > 0.95, within
    assert within["side of a turn"] == 1 and within["side of a hand"] > 0.97 and within["way"] > 0.97
    assert len(errors["steps"]) > 150 and len(errors["waves"]) > 400
