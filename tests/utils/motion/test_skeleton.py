"""KIT-ML's unit and sides are those of the files it was published as; joints go to the world and back."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from dataset.facts.motion_facts import motion_facts
from dataset.sources.mirroring import mirror_joints
from utils.motion.features import canonical_joints, features_from_joints, joints_in_metres, joints_of_motion
from utils.motion.skeleton import KIT, T2M

# Offsets of the reference body of the Master Motor Map (mmm.xml, units of 1/1000 of its height): x, y forward, z up,
# from the joint before. Those of the right side have the opposite x.
MMM = {
    "root": (0, 0, 0), "spine1": (0, 0, 80), "spine2": (0, 0, 120), "spine3": (0, 0, 44), "head": (0, 0, 30),
    "left_shoulder": (-110, 0, 0), "left_elbow": (0, 0, -188), "left_wrist": (0, 0, -145), "left_hip": (-52, 0, 0),
    "left_knee": (0, 0, -245), "left_ankle": (0, 0, -246), "left_heel": (0.6, 23.8, -18.7),
    "left_foot": (-8.8, 53.7, -14.4),
}  # fmt: skip


def reference_body(frames=30):
    """(T, 21, 3) the reference body at rest as the published files have it: y and z exchanged."""
    offsets = np.zeros((KIT.num_joints, 3))
    for name, (x, forward, up) in MMM.items():
        offsets[KIT.joint(name)] = (x, up, forward)
        if name.startswith("left_"):
            offsets[KIT.joint(name.replace("left", "right"))] = (-x, up, forward)
    joints = np.zeros((KIT.num_joints, 3))
    for chain in KIT.chains:
        for parent, child in pairwise(chain):
            joints[child] = joints[parent] + offsets[child]
    joints[:, 1] -= joints[:, 1].min()
    return np.repeat(joints[None], frames, axis=0)


def turned(joints, radians):
    """(T, J, 3) turned about +Y by (T,) radians from +Z towards +X."""
    x, y, z = np.moveaxis(joints, -1, 0)
    cosine, sine = np.cos(radians)[:, None], np.sin(radians)[:, None]
    return np.stack([cosine * x + sine * z, y, cosine * z - sine * x], axis=-1)


def test_joints_of_kit_are_in_the_order_of_its_source():
    arms, legs = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle", "heel", "foot")
    expected = [f"{side}_{part}" for parts in (arms, legs) for side in ("left", "right") for part in parts]
    assert list(KIT.joint_names) == ["root", "spine1", "spine2", "spine3", "head", *expected]


def test_kit_is_640_units_a_metre():
    assert KIT.metres_per_unit == 1 / 640 and T2M.metres_per_unit == 1
    body = KIT.in_metres(reference_body())
    legs = np.linalg.norm(body[0, KIT.joint("left_hip")] - body[0, KIT.joint("left_ankle")])
    assert legs == pytest.approx(491 / 640)


def test_the_published_body_of_kit_faces_where_its_toes_are():
    body = reference_body()
    assert (body[:, 11:16, 0] < 0).all() and (body[:, 5:8, 0] < 0).all()  # the left side at -X
    np.testing.assert_allclose(canonical_joints(body, KIT), body, atol=1e-9)  # it faces +Z already
    assert (body[:, KIT.joint("left_foot"), 2] > body[:, KIT.joint("left_ankle"), 2]).all()


def test_in_metres_the_left_of_kit_is_on_the_left():
    body = joints_in_metres(features_from_joints(reference_body(), KIT), KIT)
    names = np.array(KIT.joint_names)
    assert (body[0, np.char.startswith(names, "left"), 0] > 0).all()
    assert (body[0, np.char.startswith(names, "right"), 0] < 0).all()
    assert (body[:, KIT.joint("left_foot"), 2] > body[:, KIT.joint("left_ankle"), 2]).all()  # and faces +Z


@pytest.mark.parametrize("skeleton", [T2M, KIT], ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_joints_go_to_the_world_and_back(skeleton, dtype):
    joints = np.random.default_rng(0).normal(size=(4, skeleton.num_joints, 3)).astype(dtype)
    world = skeleton.in_metres(joints)
    assert world.dtype == dtype
    np.testing.assert_allclose(skeleton.from_metres(world), joints, rtol=1e-6)
    np.testing.assert_allclose(skeleton.in_metres(torch.from_numpy(joints)).numpy(), world, rtol=1e-6)
    np.testing.assert_allclose(skeleton.in_metres(np.ones((1, 3), np.int64)), skeleton.in_metres(np.ones((1, 3))))


def test_a_left_hand_and_a_left_turn_of_kit_are_told_as_such():
    joints = reference_body(60)
    joints[:, 7] = joints[:, 4] + [-60, 300, 0]  # the wrist that the source calls LW
    joints = turned(joints, np.linspace(0, -np.pi / 2, 60))  # to its left, which is at -X
    facts = motion_facts(joints_in_metres(features_from_joints(joints, KIT), KIT), KIT)
    assert facts.left_hand_m > 0.4 and facts.right_hand_m < 0
    assert 60 < facts.turn_deg < 100
    mirrored = features_from_joints(mirror_joints(joints, KIT), KIT)
    other = motion_facts(joints_in_metres(mirrored, KIT), KIT)
    assert other.right_hand_m > 0.4 and other.left_hand_m < 0
    assert other.turn_deg == pytest.approx(-facts.turn_deg, abs=0.1)


def test_contacts_stand_in_their_published_columns():
    joints = reference_body(20)
    joints[:, KIT.joint("left_heel") : KIT.joint("left_foot") + 1, 1] += np.arange(20)[:, None]  # joints 14 and 15
    contacts = features_from_joints(joints, KIT)[:, KIT.contacts_slice]
    assert contacts.min(axis=0).tolist() == [1, 1, 0, 0]  # fid_l 19 20, fid_r 14 15


def test_a_drawn_motion_is_in_metres_with_its_left_on_the_left():
    joints = reference_body()
    for motion in (joints, features_from_joints(joints, KIT)):
        drawn, skeleton = joints_of_motion(motion)
        assert skeleton is KIT
        np.testing.assert_allclose(drawn[0], KIT.in_metres(joints)[0], atol=1e-5)
