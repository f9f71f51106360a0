"""BVH joints become ours: every shipped table on a body of real size, units, axes, tables of a user."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from dataset.sources.bvh import joint_mapping
from dataset.sources.bvh.joint_mapping import (
    SHIPPED_UP,
    BvhOverrides,
    JointMapping,
    detect_mapping,
    load_mapping,
    read_bvh_joints,
    shipped_mappings,
)
from dataset.sources.posture import check_sides
from dataset.sources.units import parse_unit, to_metres_y_up
from tests.dataset.sources.bvh.synthetic_bvh import BODY, SHIPPED_METRES, body, bvh_text
from utils.errors import InputError
from utils.motion.bones import bone_vectors
from utils.motion.features import features_from_joints
from utils.motion.skeleton import KIT, T2M


def write_body(tmp_path, name, metres_per_unit=None, **options):
    path = tmp_path / f"{name}.bvh"
    path.write_text(bvh_text(body(name), metres_per_unit or SHIPPED_METRES[name], **options))
    return path


def test_these_tables_are_shipped():
    assert shipped_mappings() == tuple(sorted(SHIPPED_METRES))
    for name, metres in SHIPPED_METRES.items():
        mapping = load_mapping(name)
        assert (mapping.name, mapping.skeleton, mapping.metres_per_unit, mapping.up) == (name, T2M, metres, SHIPPED_UP)


@pytest.mark.parametrize("name", SHIPPED_METRES)
def test_shipped_tables_are_detected_and_map_a_person(tmp_path, name):
    path = write_body(tmp_path, name)
    assert detect_mapping(tuple(body(name)), T2M).name == name
    joints = read_bvh_joints(path, None, T2M)
    assert joints.shape == (2, 22, 3) and joints.dtype == np.float64
    np.testing.assert_allclose(joints[1] - joints[0], np.tile([SHIPPED_METRES[name], 0, 0], (22, 1)), atol=1e-8)
    place = {joint: joints[0, T2M.joint(joint)] for joint in T2M.joint_names}
    expected = {
        "pelvis": "Hips",
        "left_hip": "UpLeg",
        "left_knee": "Leg",
        "left_ankle": "Foot",
        "left_foot": "Toe",
        "left_shoulder": "Arm",
        "left_elbow": "ForeArm",
        "left_wrist": "Hand",
        "head": "Head",
    }
    for ours, bone in expected.items():
        np.testing.assert_allclose(place[ours], BODY[bone], atol=1e-8, err_msg=ours)
    for left in (joint for joint in T2M.joint_names if joint.startswith("left_")):
        np.testing.assert_allclose(place[left.replace("left", "right")], place[left] * [-1, 1, 1], atol=1e-8)
    assert (np.diff([place[j][1] for j in ("pelvis", "spine1", "spine2", "spine3", "neck", "head")]) > 0.05).all()
    assert 0 < place["left_collar"][0] < place["left_shoulder"][0]
    # No bone of length 0, which retargeting could not scale.
    assert np.linalg.norm(bone_vectors(joints, T2M)[:, 1:], axis=-1).min() > 0.02
    assert np.isfinite(features_from_joints(joints, T2M)).all()


def test_cmu_bones_of_length_zero_are_replaced(tmp_path):
    joints = read_bvh_joints(write_body(tmp_path, "cmu"), None, T2M)[0]
    half = (np.array(BODY["Spine1"]) + BODY["Arm"]) / 2
    np.testing.assert_allclose(joints[T2M.joint("left_collar")], half, atol=1e-8)
    np.testing.assert_allclose(joints[T2M.joint("spine1")], [0, 1.01, 0], atol=1e-8)
    np.testing.assert_allclose(joints[T2M.joint("neck")], BODY["Neck1"], atol=1e-8)


PREFIXES = (
    "mixamorig:",
    "mixamorig",
    "Armature|",
    "Armature|mixamorig:",
    "rig.",
    ".",
    "_",
    "Character1_",
    "Bip01 ",
    "a:b:",
)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", ["mixamo", "daz_genesis9", "biped"])
def test_names_behind_a_prefix_fit(tmp_path, name, prefix):
    plain = read_bvh_joints(write_body(tmp_path, name), None, T2M)
    prefixed = write_body(tmp_path, name, prefix=prefix)
    np.testing.assert_array_equal(read_bvh_joints(prefixed, None, T2M), plain)
    assert detect_mapping(tuple(f"{prefix}{joint}" for joint in body(name)), T2M).name == name


@pytest.mark.parametrize(
    "spell",
    [
        lambda joint: joint.replace("_", " "),  # Bip01 L Thigh
        lambda joint: joint.replace("_", "."),
        lambda joint: joint.upper(),
        lambda joint: f"Bip001 {joint.replace('_', ' ')}",
    ],
)
def test_separators_and_capitals_are_as_they_come(spell):
    for name in ("biped", "bandai_namco", "daz_genesis9"):
        joints = tuple(body(name))
        spelled = tuple(map(spell, joints))
        mapping = detect_mapping(spelled, T2M)
        assert mapping.name == name
        column = _leg_column(joints)
        np.testing.assert_array_equal(mapping.apply(column, spelled), mapping.apply(column, joints))


def test_an_exact_name_wins_and_several_bodies_are_ambiguous():
    one, two = tuple(body("mixamo")), (*body("mixamo"), *(f"other:{joint}" for joint in body("mixamo")))
    expected = load_mapping("mixamo").apply(_leg_column(one), one)
    np.testing.assert_array_equal(load_mapping("mixamo").apply(_leg_column(two), two), expected)
    doubled = tuple(f"{who}:{joint}" for who in "ab" for joint in body("mixamo"))
    with pytest.raises(InputError, match=r"ambiguous.*a:.*b:"):
        load_mapping("mixamo").apply(_leg_column(doubled), doubled)
    # Each joint in a namespace of its own, and props that end like a joint.
    own = tuple(f"n{index % 3}:{joint}" for index, joint in enumerate(body("mixamo")))
    np.testing.assert_array_equal(load_mapping("mixamo").apply(_leg_column(own), own), expected)
    props = (*(f"me_{joint}" for joint in body("mixamo")), "cloth_Head", "sword_LeftHand")
    np.testing.assert_array_equal(load_mapping("mixamo").apply(_leg_column(props), props), expected)
    lacking = tuple(f"Bip01 {joint}" for joint in body("mixamo") if joint not in ("Neck", "LeftFoot"))
    assert load_mapping("mixamo").missing(lacking) == ["LeftFoot", "Neck"]


def _leg_column(names):
    """(1, J, 3) of places in centimetres that depend on the order: joint j stands 40 cm further than joint j - 1."""
    return np.arange(len(names), dtype=np.float64)[None, :, None] * [0, 40, 0]


def test_of_several_fitting_tables_the_one_that_uses_most_joints_wins():
    both = tuple(body("bandai_namco") | body("lafan1"))
    assert not load_mapping("bandai_namco").missing(both) and not load_mapping("lafan1").missing(both)
    assert detect_mapping(both, T2M).name == "lafan1"  # 22 joints; the other has 21


def test_a_file_that_no_table_fits(tmp_path):
    joints = {name.replace("Hips", "Becken"): (parent, place) for name, (parent, place) in body("lafan1").items()}
    with pytest.raises(
        InputError, match=r"bandai_namco, biped, cmu, .*lafan1, mixamo, rokoko.*Becken.*LeftToe.*Write your own"
    ):
        detect_mapping(tuple(joints), T2M)
    with pytest.raises(InputError, match=r"for kit \(none\)"):
        read_bvh_joints(write_body(tmp_path, "mixamo"), None, KIT)
    with pytest.raises(InputError, match=r"lafan1\.bvh: joint mapping 'cmu' needs .*LeftToeBase, LowerBack.*has Hips,"):
        read_bvh_joints(write_body(tmp_path, "lafan1"), load_mapping("cmu"), T2M)
    with pytest.raises(InputError, match="makes t2m, not kit"):
        read_bvh_joints(write_body(tmp_path, "lafan1"), load_mapping("lafan1"), KIT)


@pytest.mark.parametrize("up", ["x", "y", "z", "-x", "-y", "-z"])
def test_every_up_axis_becomes_y_without_a_mirror_image(tmp_path, up):
    axis = np.zeros(3)
    axis["xyz".index(up[-1])] = -1.0 if up.startswith("-") else 1.0
    np.testing.assert_array_equal(to_metres_y_up(axis, 1.0, up), [0, 1, 0])
    turn = to_metres_y_up(np.eye(3), 1.0, up).T
    assert np.linalg.det(turn) == pytest.approx(1)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3))
    path = write_body(tmp_path, "lafan1", turn=np.linalg.inv(turn))
    expected = read_bvh_joints(write_body(tmp_path, "mixamo"), None, T2M)[0]
    np.testing.assert_allclose(read_bvh_joints(path, None, T2M, BvhOverrides(up=up))[0], expected, atol=1e-7)


def test_z_up_by_hand():
    np.testing.assert_allclose(to_metres_y_up(np.array([[1.0, 2.0, 3.0]]), 0.1, "z"), [[0.1, 0.3, -0.2]])


@pytest.mark.parametrize(("metres", "name"), [(1.0, "m"), (0.001, "mm"), (0.0254, "inch"), (0.056444, "cmu")])
def test_a_wrong_unit_is_found_by_the_legs(tmp_path, metres, name):
    path = write_body(tmp_path, "lafan1", metres_per_unit=metres)
    wrong = 0.01 if metres in (1.0, 0.001) else 1.0
    with pytest.raises(
        InputError, match=rf"lafan1\.bvh: the legs are .*they would be 0.80 m with {metres:g} \({name}\)"
    ):
        read_bvh_joints(path, None, T2M, BvhOverrides(metres_per_unit=wrong))
    legs = bone_vectors(read_bvh_joints(path, None, T2M, BvhOverrides(metres_per_unit=metres)), T2M)[
        :, list(T2M.leg_joints)
    ]
    np.testing.assert_allclose(
        np.linalg.norm(legs, axis=-1).sum(-1),
        np.sqrt(0.4**2 + 0.01**2 + 0.01**2) + np.sqrt(0.4**2 + 0.01**2),
        atol=1e-6,
    )
    with pytest.raises(InputError, match="metres_per_unit"):
        read_bvh_joints(path, None, T2M, BvhOverrides(metres_per_unit=0.0))


def test_units_as_text():
    assert [parse_unit(text) for text in ("m", "cm", "inch", "0.5")] == [1, 0.01, 0.0254, 0.5]
    for text in ("furlong", "-1", "nan", ""):
        with pytest.raises(InputError, match="unit: expected"):
            parse_unit(text)


def test_frames_left_out_at_the_start(tmp_path):
    path = write_body(tmp_path, "cmu")
    np.testing.assert_array_equal(
        read_bvh_joints(path, None, T2M, BvhOverrides(skip_frames=1)), read_bvh_joints(path, None, T2M)[1:]
    )
    with pytest.raises(InputError, match=r"cmu\.bvh: cannot leave out 2 of 2 frames"):
        read_bvh_joints(path, None, T2M, BvhOverrides(skip_frames=2))


def test_a_users_table_for_kit(tmp_path):
    rig = {ours: f"b{index}" for index, ours in enumerate(KIT.joint_names)} | {"spine2": ["b1", "b3"]}
    table = {"name": "rig", "skeleton": "kit", "metres_per_unit": 1, "up": "z", "joints": rig}
    path = tmp_path / "rig.yaml"
    path.write_text(yaml.safe_dump(table))
    mapping = load_mapping(path)
    assert isinstance(mapping, JointMapping) and mapping.skeleton is KIT
    names = tuple(f"b{index}" for index in reversed(range(21)))
    places = np.random.default_rng(0).normal(size=(4, 21, 3)) / 5
    joints = mapping.apply(places, names)
    x, y, z = np.moveaxis(places[:, ::-1], -1, 0)
    expected = np.stack([x, z, -y], axis=-1)
    expected[:, 2] = (expected[:, 1] + expected[:, 3]) / 2
    np.testing.assert_allclose(joints, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"up": "up"}, r"up: expected one of y, -y, z.*'up'"),
        ({"up": ["y"]}, "up: expected"),
        ({"metres_per_unit": -1}, "metres_per_unit: expected.*-1"),
        ({"metres_per_unit": "cm"}, "metres_per_unit: expected.*'cm'"),
        ({"metres_per_unit": True}, "metres_per_unit"),
        ({"skeleton": "smpl"}, "unknown data set name 'smpl'"),
        ({"units": "cm"}, "expected the keys name, skeleton.*units"),
        ({"joints": None}, "joints: expected"),
        ({"joints": {"pelvis": "Hips"}}, "joints: left_hip, right_hip,.*missing"),
        ({"joints": {"tail": "Tail"}}, "joints: t2m has no tail; it has pelvis"),
    ],
)
def test_a_bad_table_is_named_with_its_key(tmp_path, change, message):
    table = {"name": "x", "skeleton": "t2m", "metres_per_unit": 0.01, "up": "y"}
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(table | {"joints": dict.fromkeys(T2M.joint_names, "Hips")} | change))
    with pytest.raises(InputError, match=rf"bad\.yaml: {message}"):
        load_mapping(path)
    path.write_text(yaml.safe_dump(table | {"joints": {joint: [] for joint in T2M.joint_names}}))
    with pytest.raises(InputError, match=r"joints: pelvis: expected the name .* got \[\]"):
        load_mapping(path)


def test_a_joint_that_is_listed_twice_is_refused(tmp_path):
    rig = {joint: f"b{index}" for index, joint in enumerate(T2M.joint_names)}
    table = {"name": "x", "skeleton": "t2m", "metres_per_unit": 1, "up": "y", "joints": rig}
    path = tmp_path / "twice.yaml"
    path.write_text(yaml.safe_dump(table).replace("  pelvis: b0", "  pelvis: b0\n  pelvis: b3"))
    with pytest.raises(InputError, match=r"twice\.yaml: not a YAML file \('pelvis' is listed twice in .*line 1\d"):
        load_mapping(path)
    path.write_text(yaml.safe_dump(table | {"joints": rig | {"left_hip": "b0"}}))
    with pytest.raises(InputError, match=r"twice\.yaml: joints: pelvis and left_hip are both b0, a bone of length 0"):
        load_mapping(path)
    # 1e-2 is text to YAML and a number to its author.
    path.write_text(yaml.safe_dump(table).replace("metres_per_unit: 1", "metres_per_unit: 1e-2"))
    assert load_mapping(path).metres_per_unit == 0.01


def test_left_and_right_exchanged_in_a_table_is_refused_where_it_is_read(tmp_path):
    table = yaml.safe_load((Path(joint_mapping.__file__).parent / "joint_mappings/mixamo.yaml").read_text())
    flip = {"Left": "Right", "Right": "Left"}
    table["joints"] = {
        ours: re.sub("^(Left|Right)", lambda side: flip[side.group()], theirs)
        for ours, theirs in table["joints"].items()
    }
    (tmp_path / "flipped.yaml").write_text(yaml.safe_dump(table))
    flipped = read_bvh_joints(write_body(tmp_path, "mixamo"), load_mapping(tmp_path / "flipped.yaml"), T2M)
    with pytest.raises(InputError, match=r"left is not on the left.*the joint table"):
        check_sides(flipped, T2M)
    check_sides(read_bvh_joints(write_body(tmp_path, "mixamo"), None, T2M), T2M)


def test_a_table_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"unknown joint mapping 'mixam': expected bandai_namco, biped, cmu"):
        load_mapping("mixam")
    with pytest.raises(InputError, match=r"absent\.yaml: no such file"):
        load_mapping(tmp_path / "absent.yaml")
    (tmp_path / "broken.yaml").write_text("joints: [")
    with pytest.raises(InputError, match=r"broken\.yaml: not a YAML file"):
        load_mapping(tmp_path / "broken.yaml")
    for text in ("[" * 5000, "joints: " + "1" * 5000, "? [a]\n: b"):
        (tmp_path / "broken.yaml").write_text(text)
        with pytest.raises(InputError, match=r"broken\.yaml: not a YAML file") as error:
            load_mapping(tmp_path / "broken.yaml")
        assert len(str(error.value)) < 400
    (tmp_path / "latin.yaml").write_bytes("name: caf\u00e9".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.yaml:1: not UTF-8 text"):
        load_mapping(tmp_path / "latin.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(InputError, match=r"list\.yaml: expected the keys .* got list"):
        load_mapping(tmp_path / "list.yaml")
