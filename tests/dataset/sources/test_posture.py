"""People who stand, lie, are mirrored, of another size or no people at all; whole data sets of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataset.sources.conversion import SourceClip
from dataset.sources.mirroring import mirror_joints
from dataset.sources.posture import Postures, check_body, check_limbs, check_sides, standing_axis
from dataset.sources.units import AXES, to_metres_y_up
from dataset.toy.clips import toy_clips
from tests.places import SHARED
from utils.errors import InputError
from utils.motion.features import joints_from_features
from utils.motion.skeleton import KIT, T2M

SAMPLE = SHARED / "data" / "humanml3d_sample"
WALK = next(iter(toy_clips(4, seed=3))).joints.astype(np.float64)
# What becomes of a person whose file has this axis up and is read as if Y were.
TURNS = {axis: np.linalg.inv(to_metres_y_up(np.eye(3), 1.0, axis).T) for axis in AXES}


def lying(joints=WALK):
    """On the back: head where the axis -Z is."""
    return joints @ to_metres_y_up(np.eye(3), 1.0, "z")


def _at(joints, frame, name):
    """Which values (T, J, 3) are those of one joint in one frame."""
    place = np.zeros(joints.shape, bool)
    place[frame, T2M.joint(name)] = True
    return place


def exchanged(joints, *parts):
    """`joints` with left and right exchanged in these parts of the order of the joints."""
    joints = joints.copy()
    for part in parts:
        pair = [T2M.joint(f"left_{part}"), T2M.joint(f"right_{part}")]
        joints[:, pair] = joints[:, pair[::-1]]
    return joints


def test_people_are_people():
    for clip in toy_clips(40, seed=5):
        for joints in (clip.joints, mirror_joints(clip.joints, T2M), lying(clip.joints)):
            check_body(joints, T2M)
            check_limbs(joints, T2M)
            check_sides(joints, T2M)
        assert standing_axis(clip.joints, T2M) == "y"


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the shared data beside the repository is absent")
def test_the_published_clips_are_people():
    for joints in (
        np.load(SAMPLE / "012314_new_joints.npy"),
        joints_from_features(np.load(SAMPLE / "000612_new_joint_vecs.npy"), T2M),
    ):
        check_body(joints, T2M)
        check_sides(joints, T2M)
        assert standing_axis(joints, T2M) == "y"


@pytest.mark.parametrize("axis", AXES)
def test_the_axis_that_a_clip_stands_along_is_found(axis):
    fallen = WALK @ TURNS[axis].T
    assert (standing_axis(fallen, T2M) == "y") == (axis == "y")
    # What --up would have to be, found from what it was.
    postures = Postures(T2M, any_posture=False)
    with_flag = clip("a", fallen) if axis != "y" else clip("a", lying())
    expected = axis if axis != "y" else standing_axis(lying(), T2M)
    with pytest.raises(InputError, match=f"1 of them would stand with --up {expected}\\."):
        postures.check_set([postures.watched(with_flag)])


def test_the_flag_is_named_in_the_axes_of_the_file():
    # A file with Z up, read with --up x: it stands along an axis of ours that is the file's Z.
    joints = to_metres_y_up(WALK @ TURNS["z"].T, 1.0, "x")
    postures = Postures(T2M, any_posture=False)
    with pytest.raises(InputError, match=r"with --up z\."):
        postures.check_set([postures.watched(replace(clip("a", joints), up="x"))])
    # Where no flag turns anything, the axis is said.
    with pytest.raises(InputError, match=r"would stand with -?[xz] up\."):
        postures.check_set([postures.watched(replace(clip("a", joints), up=None))])


def test_who_sits_stands_and_who_is_a_point_stands_along_nothing():
    sitting = WALK.copy()
    for side in ("left", "right"):
        knee = sitting[:, T2M.joint(f"{side}_hip")] + [0, 0, 0.4]
        sitting[:, T2M.joint(f"{side}_knee")] = knee
        sitting[:, T2M.joint(f"{side}_ankle")] = knee - [0, 0.4, -0.05]
        sitting[:, T2M.joint(f"{side}_foot")] = knee - [0, 0.45, -0.2]
    assert standing_axis(sitting, T2M) == "y"
    assert standing_axis(np.zeros((5, 22, 3)), T2M) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda joints: joints * np.nan, "not finite"),
        (lambda joints: joints * 1e300, "frame 0: left_hip is inf m from pelvis: no person"),
        (lambda joints: joints + 1e300, "legs|one place"),
        (lambda joints: joints * 10, r"frame 0: left_knee is \d\.\d+ m from left_hip"),
        (lambda joints: joints * 2, r"legs are 1\.\d+ m long"),
        (lambda joints: joints * 0.01, "legs are 0.00"),
        (lambda joints: joints * 0.45, r"legs are 0\.3\d* m long, a person's are 0.5 to 1.3"),
        (lambda joints: np.where(np.arange(len(joints))[:, None, None] == 7, 0, joints), "frame 7: all .* in 1 of 97"),
        (lambda joints: np.where(np.arange(len(joints))[:, None, None] == 7, 1e6, joints), "moves 1.*frame 6 to 7"),
        (
            lambda joints: np.where(_at(joints, 7, "left_wrist"), 0, joints),
            "frame 7: left_wrist is at 0, 0, 0, .* 1 of 97",
        ),
        (lambda joints: joints[:, [0, 0, *range(1, 21)]], "left_hip and pelvis"),
        (lambda joints: joints[:, [0] * 22], "at one place.*listed twice"),
    ],
)
def test_what_is_no_person_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        check_body(change(WALK), T2M)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda joints: joints * [-1, 1, 1], "left is not on the left.*100%"),
        (lambda joints: mirror_joints(joints, T2M) * [-1, 1, 1], "left is not on the left"),
        (lambda joints: lying(joints) * [1, 1, -1], "left is not on the left"),
        (lambda joints: exchanged(joints, "hip", "knee", "ankle", "foot"), "hips and shoulders disagree"),
        (lambda joints: exchanged(joints, "shoulder", "elbow", "wrist"), "hips and shoulders disagree"),
        (lambda joints: exchanged(joints, "hip"), "hips and shoulders disagree"),
        (lambda joints: exchanged(joints, "knee"), "left_knee is right of right_knee"),
    ],
)
def test_left_and_right_exchanged_is_refused(change, message):
    with pytest.raises(InputError, match=f"{message}.*--any-posture"):
        check_sides(change(WALK), T2M)


@pytest.mark.parametrize("seed", range(6))
def test_joints_in_another_order_are_refused(seed):
    order = np.random.default_rng(seed).permutation(22)
    joints = WALK[:, order]
    with pytest.raises(InputError, match=r"legs are|thigh|shin|arm|disagree|is right of|left is not|place|m from"):
        check_body(joints, T2M)
        check_limbs(joints, T2M)
        check_sides(joints, T2M)


def test_limbs_that_nobody_has_are_refused():
    check_limbs(WALK, T2M)
    long = WALK.copy()
    long[:, T2M.joint("left_wrist")] += 2 * (long[:, T2M.joint("left_wrist")] - long[:, T2M.joint("left_elbow")])
    with pytest.raises(InputError, match=r"one forearm is [23]\.\d times as long as the other: is each joint"):
        check_limbs(long, T2M)
    elastic = WALK.copy()
    for side in ("left", "right"):
        shin = elastic[:, T2M.joint(f"{side}_ankle")] - elastic[:, T2M.joint(f"{side}_knee")]
        elastic[:, T2M.joint(f"{side}_ankle")] += shin * np.linspace(0, 2, len(shin))[:, None]
    with pytest.raises(InputError, match=r"the left shin becomes 2\.\d times as long"):
        check_limbs(elastic, T2M)


def test_straight_legs_on_tiptoe_say_nothing():
    pointe = WALK.copy()
    for side in ("left", "right"):
        hip = pointe[:, T2M.joint(f"{side}_hip")]
        for part, below, before in (("knee", 0.4, -0.005), ("ankle", 0.8, 0.01), ("foot", 0.93, 0.005)):
            pointe[:, T2M.joint(f"{side}_{part}")] = hip + np.array([0, -below, before])
    check_sides(pointe, T2M)


def test_kit_is_looked_at_in_the_world_and_not_in_its_mirror():
    names = {"root": "pelvis"} | {f"{side}_heel": f"{side}_ankle" for side in ("left", "right")}
    joints = WALK[:, [T2M.joint(names.get(name, name)) for name in KIT.joint_names]]
    for side in ("left", "right"):  # between ankle and toes
        heel, toes = KIT.joint(f"{side}_heel"), KIT.joint(f"{side}_foot")
        joints[:, heel] = (joints[:, heel] + joints[:, toes]) / 2
    check_body(KIT.from_metres(joints), KIT)
    check_sides(KIT.from_metres(joints), KIT)
    assert standing_axis(KIT.from_metres(joints), KIT) == "y"
    with pytest.raises(InputError, match="left is not on the left"):
        check_sides(joints / KIT.metres_per_unit, KIT)


def clip(id, joints, up="y"):
    return SourceClip(id, (Path(f"{id}.npy"),), lambda: joints, up=up)


def test_a_lying_clip_among_others_is_named_and_taken():
    postures = Postures(T2M, any_posture=False)
    clips = [postures.watched(clip(f"c{index}", WALK)) for index in range(5)] + [postures.watched(clip("nap", lying()))]
    postures.check_set(clips)
    np.testing.assert_array_equal(clips[-1].read(), lying())
    assert postures.note().startswith(
        "warning: 1 of 6 clips do not stand in most frames: nap (would with --up -z). Taken"
    )
    standing = Postures(T2M, any_posture=False)
    standing.check_set([standing.watched(clip("a", WALK))])
    assert standing.note() is None


def test_a_set_that_mostly_lies_is_refused_with_the_way_out():
    postures = Postures(T2M, any_posture=False)
    clips = [postures.watched(clip(f"c{index}", WALK if index < 2 else lying())) for index in range(6)]
    with pytest.raises(InputError, match=r"4 of 6 clips looked at do not stand: c2, c3, c4, c5\. 4 of them would"):
        postures.check_set(clips)
    anything = Postures(T2M, any_posture=True)
    clips = [anything.watched(clip("a", lying())), anything.watched(clip("b", WALK * [-1, 1, 1]))]
    anything.check_set(clips)
    assert all(len(each.read()) for each in clips) and anything.note() is None


def test_what_cannot_be_read_does_not_count_and_is_named_with_its_file():
    postures = Postures(T2M, any_posture=False)
    bad = postures.watched(clip("bad", WALK * 1e300))
    postures.check_set([bad, postures.watched(clip("good", WALK))])
    with pytest.raises(InputError, match=r"^bad\.npy: frame 0: .* is .* m from"):
        bad.read()
    for frames in (0, 1):  # neither a clip nor one to take the skeleton from
        with pytest.raises(InputError, match=rf"^short\.npy: at least 2 frames are needed, got {frames}"):
            postures.watched(clip("short", WALK[:frames])).read()


def test_of_many_clips_some_are_looked_at():
    read = []
    postures = Postures(T2M, any_posture=False)
    clips = [postures.watched(replace(clip(f"{index}", WALK), read=lambda i=index: read.append(i) or WALK))
             for index in range(500)]  # fmt: skip
    postures.check_set(clips)
    assert 10 < len(read) < 50 and read[0] == 0 and read[-1] == 499 and max(np.diff(read)) < 50
