"""What a toy clip shows, measured from its joints, is what its program says."""

import numpy as np
import pytest
from scipy.signal import find_peaks

from dataset.toy.animation import animate
from dataset.toy.programs import Action, Program
from utils.motion.skeleton import T2M

SEEDS = (0, 1, 2)
SIGN = {"left": 1.0, "right": -1.0}
OTHER = {"left": "right", "right": "left"}


def clips(*actions):
    return [animate(Program(actions), np.random.default_rng(seed)) for seed in SEEDS]


def at(joints, name):
    return joints[:, T2M.joint(name)]


def heading_change(joints):
    """Degrees from the first to the last frame; positive to the left."""
    across = at(joints, "left_hip") - at(joints, "right_hip")
    angle = np.unwrap(np.arctan2(-across[:, 2], across[:, 0]))
    return np.degrees(angle[-1] - angle[0])


def travel(joints):
    """(x, z) from the first to the last frame: to the left, forward."""
    return joints[-1, 0, [0, 2]] - joints[0, 0, [0, 2]]


def count_bouts(mask):
    return int((np.diff(np.concatenate([[0], mask.astype(int), [0]])) == 1).sum())


def steps(joints):
    """How often a foot moves over the ground."""
    moving = [
        np.linalg.norm(np.diff(at(joints, f"{side}_foot")[:, [0, 2]], axis=0), axis=-1) * T2M.fps > 0.6 for side in SIGN
    ]
    return sum(count_bouts(mask) for mask in moving)


def peaks(values, prominence):
    return len(find_peaks(values, prominence=prominence)[0])


def elbow(joints, side):
    """Degrees of bend."""
    upper = at(joints, f"{side}_elbow") - at(joints, f"{side}_shoulder")
    lower = at(joints, f"{side}_wrist") - at(joints, f"{side}_elbow")
    cosine = (upper * lower).sum(-1) / np.linalg.norm(upper, axis=-1) / np.linalg.norm(lower, axis=-1)
    return np.degrees(np.arccos(cosine.clip(-1, 1)))


def reach(joints, side):
    """(T, 3) wrist from shoulder."""
    return at(joints, f"{side}_wrist") - at(joints, f"{side}_shoulder")


@pytest.mark.parametrize("speed", ["slow", "normal", "quick"])
@pytest.mark.parametrize(("way", "sign"), [("forward", 1), ("backward", -1)])
def test_walks_go_where_they_should_with_the_right_number_of_steps(way, sign, speed):
    for count in (2, 4):
        for joints in clips(Action("walk", way, speed=speed, count=count)):
            left, ahead = travel(joints)
            assert sign * ahead > 0.2 * count / 2 and abs(left) < 0.1
            assert abs(heading_change(joints)) < 10
            assert steps(joints) == count


def test_walking_arms_swing_against_the_legs():
    (joints, *_) = clips(Action("walk", "forward", count=6))
    foot = at(joints, "left_foot")[:, 2] - at(joints, "pelvis")[:, 2]
    hand = at(joints, "left_wrist")[:, 2] - at(joints, "pelvis")[:, 2]
    assert np.corrcoef(foot, hand)[0, 1] < -0.5


def test_knees_bend_forward():
    (joints, *_) = clips(Action("walk", "forward", count=6))
    for side in SIGN:
        hip, knee, ankle = (at(joints, f"{side}_{part}") for part in ("hip", "knee", "ankle"))
        share = (hip[:, 1] - knee[:, 1]) / (hip[:, 1] - ankle[:, 1])
        straight = hip[:, 2] + share * (ankle[:, 2] - hip[:, 2])
        assert (knee[:, 2] - straight).min() > -0.01


def test_speed_words_order_durations():
    for kind, fields in (
        ("walk", {"way": "forward", "count": 4}),
        ("turn", {"way": "left", "degrees": 90}),
        ("wave", {"side": "left", "count": 2}),
    ):
        slow, normal, quick = (
            np.mean([motion_seconds(joints) for joints in clips(Action(kind, **fields, speed=speed))])
            for speed in ("slow", "normal", "quick")
        )
        assert slow > 1.15 * normal > 1.15 * 1.1 * quick, kind


def motion_seconds(joints):
    """Time in which some joint moves at more than 0.2 m/s."""
    return (np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(1) * T2M.fps > 0.2).sum() / T2M.fps


@pytest.mark.parametrize("side", SIGN)
def test_sidesteps(side):
    for count in (1, 2, 3):
        for joints in clips(Action("sidestep", side, count=count)):
            left, ahead = travel(joints)
            assert SIGN[side] * left > 0.25 * count and abs(ahead) < 0.1
            assert steps(joints) == 2 * count


@pytest.mark.parametrize("side", SIGN)
@pytest.mark.parametrize("degrees", [90, 180])
def test_turns_in_place_and_in_walking(side, degrees):
    for joints in clips(Action("turn", side, degrees=degrees)):
        assert abs(SIGN[side] * heading_change(joints) - degrees) < 12
        assert np.linalg.norm(joints[:, 0, [0, 2]] - joints[0, 0, [0, 2]], axis=-1).max() < 0.15
    for joints in clips(Action("walk", side, degrees=degrees)):
        assert abs(SIGN[side] * heading_change(joints) - degrees) < 25
        assert SIGN[side] * travel(joints)[0] > 0.4
    for joints in clips(Action("run", side, degrees=90)):
        assert abs(SIGN[side] * heading_change(joints) - 90) < 30


@pytest.mark.parametrize("side", SIGN)
def test_circles_close(side):
    for joints in clips(Action("circle", side)):
        assert abs(SIGN[side] * heading_change(joints) - 360) < 20
        assert np.linalg.norm(travel(joints)) < 0.35
        assert np.ptp(joints[:, 0, 0]) > 0.8


@pytest.mark.parametrize(
    ("way", "direction"),
    [("up", (0, 0)), ("forward", (0, 1)), ("backward", (0, -1)), ("left", (1, 0)), ("right", (-1, 0))],
)
def test_jumps(way, direction):
    for count in (1, 2):
        for joints in clips(Action("jump", way, count=count)):
            lowest = joints[..., 1].min(1) - joints[..., 1].min()
            assert count_bouts(lowest > 0.05) == count
            moved = travel(joints)
            if way == "up":
                assert np.linalg.norm(moved) < 0.1
            else:
                assert moved @ direction > 0.25 * count
                assert np.linalg.norm(moved - (moved @ direction) * np.array(direction)) < 0.1


def test_squats():
    for count in (1, 2, 3):
        for joints in clips(Action("squat", count=count)):
            assert peaks(-at(joints, "pelvis")[:, 1], 0.2) == count
            assert at(joints, "pelvis")[:, 1].min() < 0.65


@pytest.mark.parametrize("side", ["left", "right", "both"])
@pytest.mark.parametrize("count", [2, 4])
def test_waves(side, count):
    for joints in clips(Action("wave", side=side, count=count)):
        for arm in SIGN:
            if side in (arm, "both"):
                assert reach(joints, arm)[:, 1].max() > 0.12
                assert peaks(elbow(joints, arm), 18) == count
            else:
                assert reach(joints, arm)[:, 1].max() < -0.3
        assert steps(joints) == 0


@pytest.mark.parametrize("side", ["left", "right", "both"])
@pytest.mark.parametrize("way", ["front", "side", "overhead"])
def test_raised_arms(side, way):
    for count in (1, 2):
        for joints in clips(Action("raise", way, side, count=count)):
            for arm in SIGN:
                out = reach(joints, arm) * [SIGN[arm], 1, 1]
                if side not in (arm, "both"):
                    assert out[:, 1].max() < -0.3
                    continue
                highest = out[out[:, 1].argmax()]
                direction = highest / np.linalg.norm(highest)
                assert direction[{"side": 0, "overhead": 1, "front": 2}[way]] > 0.8
                assert peaks(out[:, 1], 0.3) == count


@pytest.mark.parametrize("side", SIGN)
@pytest.mark.parametrize("way", ["front", "side"])
def test_kicks(side, way):
    for count in (1, 2):
        for joints in clips(Action("kick", way, side, count=count)):
            foot = (at(joints, f"{side}_ankle") - at(joints, f"{side}_ankle")[0]) * [SIGN[side], 1, 1]
            assert np.ptp(at(joints, f"{OTHER[side]}_ankle"), axis=0).max() < 0.01
            assert peaks(foot[:, 1], 0.25) == count
            top = foot[foot[:, 1].argmax()]
            assert top[1] > 0.3 and top[2 if way == "front" else 0] > 0.35


@pytest.mark.parametrize("side", SIGN)
def test_punches_and_knees(side):
    for count in (1, 2, 4):
        for joints in clips(Action("punch", side=side, count=count)):
            ahead = {arm: reach(joints, arm)[:, 2] for arm in SIGN}
            assert peaks(ahead[side], 0.15) == count
            assert ahead[side].max() > 0.4 > ahead[OTHER[side]].max()
    for count in (1, 2, 3):
        for joints in clips(Action("knee", side=side, count=count)):
            assert peaks(at(joints, f"{side}_knee")[:, 1], 0.2) == count
            assert np.ptp(at(joints, f"{OTHER[side]}_ankle"), axis=0).max() < 0.01


@pytest.mark.parametrize("way", ["front", "overhead"])
@pytest.mark.parametrize("count", [2, 4])
def test_claps(way, count):
    for joints in clips(Action("clap", way, count=count)):
        gap = np.linalg.norm(at(joints, "left_wrist") - at(joints, "right_wrist"), axis=-1)
        shut = find_peaks(-gap, prominence=0.06)[0]
        shut = shut[gap[shut] < 0.16]
        assert len(shut) == count
        above = at(joints, "left_wrist")[shut, 1] - at(joints, "head")[shut, 1]
        assert (above > 0.1).all() if way == "overhead" else (above < 0.0).all()


def test_bows_and_leans():
    drops = {}
    for way in ("slight", "deep"):
        for count in (1, 2) if way == "deep" else (1,):
            for joints in clips(Action("bow", way, count=count)):
                head = at(joints, "head")[:, 1]
                assert peaks(-head, 0.05) == count
                drops.setdefault(way, []).append(head[0] - head.min())
                assert np.ptp(at(joints, "left_ankle"), axis=0).max() < 0.01
    assert max(drops["slight"]) + 0.1 < min(drops["deep"])
    for side in SIGN:
        for count in (1, 2):
            for joints in clips(Action("lean", side, count=count)):
                tilt = SIGN[side] * (at(joints, "head") - at(joints, "pelvis"))[:, 0]
                assert peaks(tilt, 0.15) == count and tilt.max() > 0.2


def test_sitting_and_standing():
    height = {kind: [at(joints, "pelvis")[:, 1] for joints in clips(Action(kind))] for kind in ("sit", "stand")}
    assert all(track[0] > 0.9 and 0.4 < track[-1] < 0.55 for track in height["sit"])
    assert all(0.4 < track[0] < 0.55 and track[-1] > 0.9 for track in height["stand"])
    for joints in clips(Action("sit_stand")):
        track = at(joints, "pelvis")[:, 1]
        assert min(track[0], track[-1]) > 0.9 and track.min() < 0.55


def test_two_actions_follow_each_other():
    for joints in clips(Action("walk", "forward", count=4), Action("wave", side="right", count=2)):
        up = reach(joints, "right")[:, 1] > 0.0
        going = np.linalg.norm(np.diff(joints[:, 0, [0, 2]], axis=0), axis=-1) * T2M.fps > 0.3
        assert going.any() and up.any() and np.flatnonzero(going).max() < np.flatnonzero(up).min()
    for joints in clips(Action("turn", "left", degrees=90), Action("kick", "front", "left", count=1)):
        foot = at(joints, "left_ankle") - at(joints, "left_ankle")[-1]
        assert foot[:, 0].max() > 0.35  # having turned left, forward is +X
