"""Posing: rotations put the joints where they were, are rotations, and twist nothing without need."""

from itertools import pairwise

import numpy as np
import pytest

from tests.rewards.motion_pack import needs_pack
from tests.utils.motion_files.motions import LARGEST, kit, largest_error, real, stretched, toy
from utils.errors import InputError
from utils.motion.bones import bone_vectors
from utils.motion.skeleton import KIT, T2M
from utils.motion_files.posing import STRETCH, children_of, matrices, pose, rest_joints
from utils.motion_files.rigs import RIGS, rig


@pytest.mark.parametrize("name", RIGS)
@pytest.mark.parametrize("motions", [toy, pytest.param(real, marks=needs_pack)])
def test_joints_are_where_they_were(name, motions):
    for joints in motions():
        own = rig(name, T2M)
        posed = pose(joints, own, 20.0)
        assert largest_error(posed.joints(), own.place(joints)) <= max(STRETCH, 1e-9) < LARGEST
        assert posed.fps == 20.0


@needs_pack
def test_real_people_do_not_stretch_their_bones_and_need_rotations_only():
    assert [pose(joints, rig("mixamo", T2M), 20.0).places is None for joints in real()] == [True] * len(real())


def test_stretched_bones_keep_their_places():
    joints = stretched(toy()[0])
    posed = pose(joints, rig("smpl", T2M), 20.0)
    assert posed.places is not None and largest_error(posed.joints(), joints) < 1e-9
    without = pose(joints, rig("smpl", T2M), 20.0)
    object.__setattr__(without, "places", None)
    assert largest_error(without.joints(), joints) > LARGEST  # the test above is one


def test_kit_is_posed_alike():
    joints = kit(toy()[1])
    posed = pose(joints, rig("mixamo", KIT), KIT.fps)
    assert largest_error(posed.joints(), joints) < LARGEST


def test_rotations_are_rotations():
    turns = pose(stretched(toy()[2]), rig("cmu", T2M), 20.0).rotations
    np.testing.assert_allclose(turns @ np.swapaxes(turns, -1, -2), np.broadcast_to(np.eye(3), turns.shape), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(turns), 1.0, atol=1e-9)


def test_a_t_pose_is_the_rest_pose_and_turns_nothing():
    own = rig("mixamo", T2M)
    rest = np.zeros((T2M.num_joints, 3))
    for chain in T2M.chains:
        for parent, joint in pairwise(chain):
            rest[joint] = rest[parent] + 0.2 * own.rest_directions[joint]
    rest[:, 1] += 1.0
    posed = pose(np.repeat(rest[None], 3, axis=0), own, 20.0)
    np.testing.assert_allclose(posed.rotations, np.broadcast_to(np.eye(3), posed.rotations.shape), atol=1e-6)
    expected = rest - rest[0]
    np.testing.assert_allclose(rest_joints(posed), expected - [0, expected[:, 1].min(), 0], atol=1e-6)


def test_an_elbow_bends_by_the_shortest_turn():
    """A forearm that is at right angles to the upper arm: 90 degrees, about an axis at right angles to both."""
    own = rig("mixamo", T2M)
    joints = np.repeat(rest_joints(pose(toy()[0], own, 20.0))[None], 2, axis=0)
    upper, lower = T2M.joint("left_elbow"), T2M.joint("left_wrist")
    joints[1, lower] = joints[1, upper] + [0, 0, 0.25]
    turn = pose(joints, own, 20.0).rotations[1, upper]
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(90, abs=0.1)
    np.testing.assert_allclose(turn @ [0, 1, 0], [0, 1, 0], atol=1e-6)


def test_every_joint_has_its_children():
    children = children_of(T2M)
    assert children[0] == [1, 2, 3] and children[9] == [12, 13, 14] and children[15] == []
    assert sum(map(len, children)) == T2M.num_joints - 1


def test_quaternions_become_matrices():
    half = np.sqrt(0.5)
    np.testing.assert_allclose(matrices(np.array([half, 0, half, 0])) @ [0, 0, 1], [1, 0, 0], atol=1e-12)


def test_bones_keep_their_lengths_where_the_motion_keeps_them():
    joints = toy()[3]
    posed = pose(joints, rig("smpl", T2M), 20.0)
    lengths = np.linalg.norm(bone_vectors(posed.joints(), T2M), axis=-1)
    if posed.places is None:
        assert np.ptp(lengths, axis=0).max() < 1e-9


@pytest.mark.parametrize(
    ("joints", "said"),
    [
        (np.zeros((4, 21, 3)), r"joints must be \(T, 22, 3\), got \(4, 21, 3\)"),
        (np.zeros((0, 22, 3)), r"got \(0, 22, 3\)"),
        (np.zeros((22, 3)), r"got \(22, 3\)"),
    ],
)
def test_other_shapes_are_refused(joints, said):
    with pytest.raises(InputError, match=said):
        pose(joints, rig("mixamo", T2M), 20.0)


def test_the_frame_that_is_not_finite_is_named():
    joints = toy()[0].copy()
    joints[7, 3, 1] = np.nan
    with pytest.raises(InputError, match="frame 7 of the motion"):
        pose(joints, rig("mixamo", T2M), 20.0)


def test_a_body_that_is_one_point_is_posed_without_a_nan():
    posed = pose(np.zeros((3, 22, 3)), rig("mixamo", T2M), 20.0)
    assert np.isfinite(posed.rotations).all() and np.abs(posed.joints()).max() < 1e-12
