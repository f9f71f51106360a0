"""Rigs: every joint has the name that other programs know, and stands in a T-pose."""

import numpy as np
import pytest

from dataset.sources.bvh.joint_mapping import detect_mapping
from utils.errors import InputError
from utils.motion.skeleton import KIT, T2M
from utils.motion_files.rigs import RIGS, rig

WRIST = {"mixamo": "mixamorig:LeftHand", "cmu": "LeftHand", "smpl": "L_Wrist"}
PELVIS = {"mixamo": "mixamorig:Hips", "cmu": "Hips", "smpl": "Pelvis"}


@pytest.mark.parametrize("name", RIGS)
@pytest.mark.parametrize("skeleton", [T2M, KIT], ids=["t2m", "kit"])
def test_every_joint_has_a_name_of_its_own(name, skeleton):
    names = rig(name, skeleton).joint_names
    assert len(set(names)) == skeleton.num_joints
    assert names[0] == PELVIS[name] and names[skeleton.joint("left_wrist")] == WRIST[name]
    swapped = [part.replace("Left", "Right").replace("L_", "R_") for part in names]
    for joint in skeleton.joint_names:
        if joint.startswith("left_"):
            other = skeleton.joint(joint.replace("left", "right"))
            assert swapped[skeleton.joint(joint)] == names[other]


@pytest.mark.parametrize("name", RIGS)
def test_our_reader_knows_the_names(name):
    assert detect_mapping(rig(name, T2M).joint_names, T2M).name == name


@pytest.mark.parametrize("skeleton", [T2M, KIT], ids=["t2m", "kit"])
def test_at_rest_the_arms_are_out_and_left_is_at_plus_x(skeleton):
    rest = dict(zip(skeleton.joint_names, rig("mixamo", skeleton).rest_directions.tolist(), strict=True))
    assert rest["left_wrist"] == [1, 0, 0] and rest["right_wrist"] == [-1, 0, 0]
    assert rest["left_knee"] == [0, -1, 0] and rest["left_foot"] == [0, 0, 1] and rest["head"] == [0, 1, 0]
    assert np.array_equal(rig("mixamo", skeleton).rest_directions[0], [0, 0, 0])


def test_an_unknown_rig_is_named():
    with pytest.raises(InputError, match="unknown rig 'unity': expected mixamo, cmu, smpl"):
        rig("unity", T2M)
