"""AMASS files of both generations, the two timing rules, axes, and what becomes of broken files."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dataset.sources.amass.body_model import BodyModel
from dataset.sources.amass.clips import AmassClip, is_motion_file, joints_of_clip, read_amass
from tests.dataset.sources.amass.synthetic_body_model import (
    rest_joints,
    turn_joint,
    upright,
    walking,
    write_amass,
    write_body_model,
)
from utils.errors import InputError
from utils.motion.features import canonical_joints, features_from_joints, joints_from_features
from utils.motion.skeleton import T2M


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return BodyModel.load(write_body_model(tmp_path_factory.mktemp("bodies") / "model.npz", "smplh"))


def clip_of(poses, trans, fps=120.0, betas=()):
    return AmassClip(poses, trans, np.array(betas), "male", fps, "smplh")


def test_reads_the_first_generation(tmp_path):
    poses, trans = walking(5, 120)
    clip = read_amass(write_amass(tmp_path / "walk_poses.npz", poses, trans, betas=np.arange(16.0)))
    np.testing.assert_array_equal(clip.poses, poses)
    np.testing.assert_array_equal(clip.trans, trans)
    np.testing.assert_array_equal(clip.betas, np.arange(16))
    assert (clip.gender, clip.fps, clip.family) == ("male", 120.0, "smplh")


@pytest.mark.parametrize(
    "gender",
    [
        np.array("female"),
        np.array(b"female"),
        np.array(["female"]),
        "female",
        np.array("Female"),
        np.array("b'female'"),
        np.array(b"FEMALE"),
        np.array('b"Female"'),
        np.array(["'female'"]),
    ],
)
def test_gender_as_text_bytes_or_array(tmp_path, gender):
    poses, trans = walking(3, 120)
    assert read_amass(write_amass(tmp_path / "x.npz", poses, trans, gender=gender)).gender == "female"


def test_reads_the_second_generation(tmp_path):
    poses, trans = walking(4, 60, values=165)
    parts = {"poses": None, "root_orient": poses[:, :3], "pose_body": poses[:, 3:66], "gender": "neutral"}
    rate = {"mocap_framerate": None, "mocap_frame_rate": 60}
    parts["surface_model_type"] = np.array("smplx_locked_head")
    clip = read_amass(write_amass(tmp_path / "walk_stageii.npz", poses, trans, **parts, **rate))
    np.testing.assert_array_equal(clip.poses, poses[:, :66])
    assert (clip.gender, clip.fps, clip.family) == ("neutral", 60.0, "smplx")


@pytest.mark.parametrize(("values", "family"), [(72, "smpl"), (156, "smplh"), (165, "smplx")])
def test_family_by_width_unless_the_file_says(tmp_path, values, family):
    poses, trans = walking(3, 120, values)
    assert read_amass(write_amass(tmp_path / "a.npz", poses, trans)).family == family
    told = write_amass(tmp_path / "b.npz", poses, trans, surface_model_type=np.array("smplh"))
    assert read_amass(told).family == "smplh"


def test_files_without_motion_are_told_apart(tmp_path):
    poses, trans = walking(3, 120)
    assert is_motion_file(write_amass(tmp_path / "walk_poses.npz", poses, trans))
    parts = {"poses": None, "root_orient": poses[:, :3], "pose_body": poses[:, 3:66]}
    assert is_motion_file(write_amass(tmp_path / "walk_stageii.npz", poses, trans, **parts))
    shape = write_amass(tmp_path / "shape.npz", poses, trans, poses=None, trans=None)
    assert not is_motion_file(shape)
    assert not is_motion_file(write_amass(tmp_path / "male_stagei.npz", poses, trans))
    (tmp_path / "broken_poses.npz").write_bytes(b"PK\x03\x04 cut off")
    assert is_motion_file(tmp_path / "broken_poses.npz")  # reading it names the problem
    with pytest.raises(InputError, match=r"shape\.npz: not an AMASS motion: .*it holds betas, gender, mocap_framerate"):
        read_amass(shape)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"poses": np.full((3, 156), np.nan)}, "poses holds values that are not finite"),
        ({"trans": np.full((3, 3), np.inf)}, "trans holds values that are not finite"),
        ({"betas": np.array(["x"])}, "betas holds values that are not finite numbers"),
        ({"poses": np.zeros((4, 156))}, r"got \(4, 156\) and \(3, 3\)"),
        ({"poses": np.zeros((3, 63))}, r"got \(3, 63\)"),
        ({"poses": np.zeros((3, 52, 3))}, r"got \(3, 52, 3\)"),
        ({"trans": np.zeros(3)}, r"and \(3,\)"),
        ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "no frames"),
        ({"betas": np.zeros((3, 10))}, r"betas \(B,\), got \(3, 10\)"),
        ({"mocap_framerate": np.array(0.0)}, "frame rate"),
        ({"mocap_framerate": np.array(-120)}, "frame rate"),
        ({"mocap_framerate": np.array(np.nan)}, "frame rate"),
        ({"mocap_framerate": np.array([60, 120])}, "frame rate"),
        ({"mocap_framerate": None}, "mocap_framerate"),
        ({"gender": np.array("robot")}, "gender must be one of male, female, neutral, got 'robot'"),
        ({"gender": np.array(1)}, "gender must be one word"),
        ({"gender": np.array({"a": 1}, dtype=object)}, "cannot read gender"),
        ({"poses": np.zeros((3, 100))}, "cannot tell the body model from '100 values in a pose'"),
        ({"surface_model_type": np.array("mano")}, "cannot tell the body model from 'mano'"),
    ],
)
def test_bad_files_are_named(tmp_path, replaced, message):
    poses, trans = walking(3, 120)
    with pytest.raises(InputError, match=rf"bad_poses\.npz: .*{message}"):
        read_amass(write_amass(tmp_path / "bad_poses.npz", poses, trans, **replaced))


def test_truncated_and_missing_files_are_named(tmp_path):
    path = write_amass(tmp_path / "cut_poses.npz", *walking(50, 120))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match=r"cut_poses\.npz: not an \.npz archive"):
        read_amass(path)
    with pytest.raises(InputError, match="no such file"):
        read_amass(tmp_path / "absent.npz")


def test_axes_by_hand(model):
    # Standing in AMASS: Z up, facing -Y, left at +X. Then Y up, facing -Z, left at -X.
    joints = joints_of_clip(clip_of(upright(1), np.array([[1.0, 2.0, 3.0]])), model)[0]
    assert joints.shape == (22, 3) and joints.dtype == np.float32
    expected = (rest_joints() - rest_joints()[0]) * [-1, 1, -1]
    x, y, z = rest_joints()[0]
    np.testing.assert_allclose(joints, expected + np.array([-(1 + x), 3 + z, 2 + y]), atol=1e-6)


def test_a_walking_person_arrives_in_the_order_and_axes_of_t2m(model):
    joints = joints_of_clip(clip_of(*walking(480, 120)), model)
    assert joints.shape == (80, 22, 3)
    place = {name: joints[:, index] for index, name in enumerate(T2M.joint_names)}
    # Upright: feet below knees below pelvis below head.
    for low, high in (("left_foot", "left_knee"), ("right_knee", "pelvis"), ("pelvis", "neck"), ("neck", "head")):
        assert (place[low][:, 1] < place[high][:, 1]).all()
    # 1 m/s ahead, which is -Z here; ahead x up = right, so the left side is at -X: at +X for one who faces +Z.
    np.testing.assert_allclose(place["pelvis"][-1] - place["pelvis"][0], [0, 0, -79 / 20], atol=1e-5)
    for name in ("hip", "shoulder", "wrist", "foot"):
        assert (place[f"left_{name}"][:, 0] < 0).all() and (place[f"right_{name}"][:, 0] > 0).all()
    assert (place["left_foot"][:, 2] < place["left_ankle"][:, 2])[::20].all()  # toes ahead
    # The left arm rises, the right one hangs.
    assert place["left_wrist"][-1, 1] > place["head"][-1, 1] and place["left_wrist"][0, 1] < place["head"][0, 1]
    assert (place["right_wrist"][:, 1] < place["right_shoulder"][:, 1] - 0.4).all()


def test_features_of_a_walking_person_face_z_and_round_trip(model):
    joints = joints_of_clip(clip_of(*walking(480, 120)), model)
    features = features_from_joints(joints, T2M)
    recovered = joints_from_features(features, T2M)
    assert np.abs(recovered - canonical_joints(joints, T2M)[:-1]).max() < 1e-5
    assert (recovered[:, T2M.joint("left_hip"), 0] > 0).all() and recovered[-1, 0, 2] > 3
    np.testing.assert_allclose(features[:, 2], 0.05, atol=1e-3)  # metres ahead per frame


def test_stride_is_the_published_rule_and_resampling_equals_it_at_whole_ratios(model):
    poses, trans = walking(31, 120)
    clip = clip_of(poses, trans)
    strided = joints_of_clip(clip, model, rule="stride")
    by_hand = joints_of_clip(clip_of(poses[::6], trans[::6], fps=20), model)
    np.testing.assert_array_equal(strided, by_hand)
    np.testing.assert_array_equal(joints_of_clip(clip, model, rule="resample"), strided)
    # 150 / 20 = 7.5: the published rule takes every 7th frame.
    odd = clip_of(poses, trans, fps=150)
    assert joints_of_clip(odd, model, rule="stride").shape == (5, 22, 3)  # 0, 7, .. 28
    assert joints_of_clip(odd, model, rule="resample").shape == (5, 22, 3)  # 0, 7.5, .. 30
    assert not np.allclose(joints_of_clip(odd, model, rule="stride")[1], joints_of_clip(odd, model)[1], atol=1e-3)


def test_resampling_turns_at_constant_speed_and_moves_straight(model):
    # An elbow that turns by 150 degrees between two source frames, at 30 fps; result at 20 fps: frames 0, 1.5, 3.
    poses = upright(4)
    turns = Rotation.from_euler("zx", [[0, 40], [150, 40], [300, 40], [450, 40]], degrees=True)
    turn_joint(poses, "left_elbow", turns.as_rotvec())
    trans = np.array([[0.0, 0, 0], [0, 0, 1], [0, 0, 3], [0, 0, 4]])
    resampled = joints_of_clip(clip_of(poses, trans, fps=30), model)
    middle = upright(3)
    exact = Rotation.from_euler("zx", [[0, 40], [225, 40], [450, 40]], degrees=True)
    turn_joint(middle, "left_elbow", exact.as_rotvec())
    expected = joints_of_clip(clip_of(middle, np.array([[0.0, 0, 0], [0, 0, 2], [0, 0, 4]]), fps=20), model)
    np.testing.assert_allclose(resampled, expected, atol=1e-5)


def test_one_frame_and_slow_recordings(model):
    one = clip_of(upright(1), np.zeros((1, 3)), fps=59.94)
    assert joints_of_clip(one, model).shape == (1, 22, 3)
    slow = clip_of(*walking(11, 10), fps=10)
    assert joints_of_clip(slow, model).shape == (21, 22, 3)
    with pytest.raises(InputError, match="10 frames a second are fewer than 20"):
        joints_of_clip(slow, model, rule="stride")


def test_wrong_model_and_rule_are_named(model):
    poses, trans = walking(3, 120)
    with pytest.raises(InputError, match="the clip is for a smplx body model, the one given is smplh"):
        joints_of_clip(AmassClip(poses, trans, np.zeros(10), "male", 120.0, "smplx"), model)
    with pytest.raises(InputError, match="rule"):
        joints_of_clip(clip_of(poses, trans), model, rule="linear")
