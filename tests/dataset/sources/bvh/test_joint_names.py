"""Names of a table are found in files behind any one prefix, and what a file does not tell stays open."""

import pytest

from dataset.sources.bvh.joint_names import joints_named

NAMES = ("Hips", "Head", "L Thigh")


@pytest.mark.parametrize(
    "joints",
    [
        ("Hips", "Head", "L Thigh"),
        ("x:Hips", "x:Head", "x:L Thigh"),
        ("x|y:Hips", "x|y:Head", "x|y:L_Thigh"),
        ("Bip01 Hips", "Bip01 Head", "Bip01 L Thigh"),
        ("xHips", "xHead", "xL Thigh"),
        ("HIPS", "head", "l.thigh"),
        (" Hips", "Head ", "L  Thigh"),
        ("a:Hips", "b:Head", "L Thigh"),
    ],
)
def test_the_same_joints_behind_any_prefix(joints):
    assert joints_named(NAMES, joints) == {"Hips": [0], "Head": [1], "L Thigh": [2]}


def test_what_only_ends_alike_is_another_joint():
    # A prefix that no separator ends counts only where all names have it.
    assert joints_named(NAMES, ("xHips", "xHead", "LThigh"))["Hips"] == []
    found = joints_named(NAMES, ("me_Hips", "me_Head", "me_L_Thigh", "hat_Head", "SubHips"))
    assert found == {"Hips": [0], "Head": [1], "L Thigh": [2]}


def test_several_bodies_are_told_and_missing_names_too():
    joints = ("a_Hips", "a_Head", "a_L_Thigh", "b_Hips", "b_Head", "b_L_Thigh")
    assert joints_named(NAMES, joints) == {"Hips": [0, 3], "Head": [1, 4], "L Thigh": [2, 5]}
    assert joints_named(NAMES, ("a_Hips", "a_Head")) == {"Hips": [0], "Head": [1], "L Thigh": []}
    assert joints_named(NAMES, ()) == {"Hips": [], "Head": [], "L Thigh": []}
    assert joints_named((), joints) == {}
