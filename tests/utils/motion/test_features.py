"""What each block of the features means, on bodies whose motion is known, and that joints come back exactly."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from utils.errors import InputError
from utils.motion.bones import bone_vectors, offsets_of_frame
from utils.motion.features import canonical_joints, features_from_joints, joints_from_features, joints_of_motion
from utils.motion.inverse_kinematics import FORWARD_SIGMA, retarget, smoothed_heading
from utils.motion.skeleton import KIT, T2M


def rotate_about_y(vectors, angle):
    """(..., 3) turned by (...) radians from +Z towards +X."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    turned = np.cos(angle) * x + np.sin(angle) * z, y, np.cos(angle) * z - np.sin(angle) * x
    return np.stack(np.broadcast_arrays(*turned), axis=-1)


def standing(skeleton, frames, shoulder_width=0.36):
    """(T, J, 3) a body in its rest pose, feet on the floor, facing +Z in the sense of `face_joints`."""
    offsets = 0.2 * skeleton.directions().astype(np.float64)
    joints = np.zeros((skeleton.num_joints, 3))
    for chain in skeleton.chains:
        for parent, child in pairwise(chain):
            joints[child] = joints[parent] + offsets[child]
    right_hip, left_hip, right_shoulder, left_shoulder = skeleton.face_joints
    for right, left, width in ((right_hip, left_hip, 0.2), (right_shoulder, left_shoulder, shoulder_width)):
        joints[left, 0], joints[right, 0] = width / 2, -width / 2
    joints[:, 1] -= joints[:, 1].min()
    return np.repeat(joints[None], frames, axis=0)


def moving(skeleton, frames=90, seed=0, turn=0.0, start=0.0):
    """A body with smooth random limbs that walks while it turns by `turn` radians a frame."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / 12
    shape = (1, skeleton.num_joints, 3)
    sway = 0.03 * np.sin(time * rng.uniform(0.5, 2, shape) + rng.uniform(0, 6, shape))
    joints = rotate_about_y(standing(skeleton, frames) + sway, start + turn * np.arange(frames)[:, None])
    steps = rotate_about_y(np.array([0.0, 0.0, 0.04]), start + turn * np.arange(frames))
    return joints + np.cumsum(steps, axis=0)[:, None] + np.array([3.0, 0.7, -2.0])


@pytest.mark.parametrize("skeleton", [T2M, KIT], ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize("turn", [0.0, 0.03, -0.15, 0.35])
@pytest.mark.parametrize("start", [0.0, np.pi, -np.pi / 2])
def test_round_trip_is_exact(skeleton, turn, start):
    # -0.15 and 0.35 rad a frame go through 180 degrees several times; start = pi faces exactly -Z.
    joints = moving(skeleton, turn=turn, start=start)
    features = features_from_joints(joints, skeleton)
    assert features.shape == (89, skeleton.feature_dim) and features.dtype == np.float32
    assert np.isfinite(features).all()
    expected = canonical_joints(joints, skeleton)[:-1]
    assert np.abs(joints_from_features(features, skeleton) - expected).max() < 1e-5


def test_heading_of_exactly_minus_z_gives_no_nan():
    joints = standing(T2M, 30) * np.array([-1.0, 1.0, -1.0])
    features = features_from_joints(joints, T2M)
    np.testing.assert_allclose(features, features_from_joints(standing(T2M, 30), T2M), atol=1e-6)


def test_turn_keeps_its_value_through_every_180_degrees():
    joints = rotate_about_y(standing(T2M, 300), 0.1 * np.arange(300)[:, None])
    turn = features_from_joints(joints, T2M)[100:200, 0]
    # A left turn is negative, half the change of heading per frame.
    np.testing.assert_allclose(turn, -0.05, atol=1e-6)


def test_features_do_not_depend_on_place_or_heading():
    joints = moving(T2M, turn=0.02)
    elsewhere = rotate_about_y(joints, np.array(2.5)) + np.array([5.0, -3.0, 1.0])
    np.testing.assert_allclose(features_from_joints(elsewhere, T2M), features_from_joints(joints, T2M), atol=2e-5)


def test_columns_of_a_body_that_slides_straight_ahead():
    joints = standing(T2M, 50)
    joints[..., 2] += 0.03 * np.arange(50)[:, None]
    features = features_from_joints(joints, T2M)
    np.testing.assert_allclose(features[:, :3], np.tile([0, 0, 0.03], (49, 1)), atol=1e-6)
    np.testing.assert_allclose(features[:, 3], joints[0, 0, 1], atol=1e-6)
    positions = features[:, T2M.positions_slice].reshape(49, 21, 3)
    expected = joints[0, 1:] - joints[0, 0] * np.array([1, 0, 1])
    np.testing.assert_allclose(positions, np.broadcast_to(expected, positions.shape), atol=1e-6)
    velocities = features[:, T2M.velocities_slice].reshape(49, 22, 3)
    np.testing.assert_allclose(velocities, np.broadcast_to([0, 0, 0.03], velocities.shape), atol=1e-6)
    assert (features[:, T2M.contacts_slice] == 1).all()  # 0.03^2 < 0.002


def test_contact_threshold_is_on_squared_displacement_in_published_order():
    joints = standing(T2M, 50)
    frames = np.arange(50)
    joints[:, T2M.joint("left_foot"), 1] += 0.044 * (frames % 2)  # 0.044^2 = 0.00194: still a contact
    joints[:, T2M.joint("right_ankle"), 0] += 0.046 * (frames % 2)  # 0.046^2 = 0.00212: not any more
    contacts = features_from_joints(joints, T2M)[:, T2M.contacts_slice]
    np.testing.assert_array_equal(contacts, np.tile([1, 1, 0, 1], (49, 1)))


def test_rotations_are_relative_to_the_rest_pose():
    joints = standing(T2M, 5)
    shoulder, elbow, wrist = (T2M.joint(f"left_{name}") for name in ("shoulder", "elbow", "wrist"))
    joints[:, elbow] = joints[:, shoulder] - [0, 0.2, 0]
    joints[:, wrist] = joints[:, elbow] + [0, 0, 0.2]  # forward, where the rest pose has the forearm hang down
    rotations = features_from_joints(joints, T2M)[:, T2M.rotations_slice].reshape(4, 21, 6)
    np.testing.assert_allclose(rotations[:, T2M.joint("spine1") - 1], [[1, 0, 0, 0, 1, 0]] * 4, atol=1e-6)
    # -90 degrees about x: x stays x, y becomes -z.
    np.testing.assert_allclose(rotations[:, wrist - 1], [[1, 0, 0, 0, 0, -1]] * 4, atol=1e-6)


def test_a_limb_straight_against_its_rest_direction_is_finite():
    joints = standing(T2M, 5)
    joints[:, T2M.joint("left_wrist")] = joints[:, T2M.joint("left_elbow")] + [0, 0.25, 0]
    assert np.isfinite(features_from_joints(joints, T2M)).all()


def test_heading_of_narrow_shoulders_does_not_point_backwards():
    joints = rotate_about_y(standing(T2M, 200, shoulder_width=0.1), 0.01 * np.arange(200)[:, None])
    heading = smoothed_heading(torch.from_numpy(joints), T2M)
    np.testing.assert_allclose(heading[85:115], 0.01 * np.arange(85, 115), atol=1e-6)


def test_heading_is_smoothed_as_scipy_does_it():
    joints = moving(T2M, frames=250, turn=0.03)
    right_hip, left_hip, right_shoulder, left_shoulder = T2M.face_joints
    across = (joints[:, right_shoulder] - joints[:, left_shoulder]) - (joints[:, right_hip] - joints[:, left_hip])
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    forward = gaussian_filter1d(np.stack([across[:, 2], -across[:, 0]], axis=-1), FORWARD_SIGMA, axis=0, mode="nearest")
    heading = smoothed_heading(torch.from_numpy(joints), T2M)
    assert heading[0] == 0
    np.testing.assert_allclose(heading[1:], np.arctan2(*forward[1:].T), atol=1e-12)


@pytest.mark.parametrize("skeleton", [T2M, KIT], ids=lambda skeleton: skeleton.name)
def test_a_padded_batch_is_extracted_as_one_by_one(skeleton):
    lengths = [60, 90, 2]
    motions = [moving(skeleton, frames, seed, turn=0.1, start=seed) for seed, frames in enumerate(lengths)]
    target = offsets_of_frame(1.2 * motions[1][0], skeleton)
    batch = torch.full((3, 1, 90, skeleton.num_joints, 3), torch.nan, dtype=torch.float64)
    for row, motion in zip(batch, motions, strict=True):
        row[0, : len(motion)] = torch.from_numpy(motion)
    features = features_from_joints(batch, skeleton, target, torch.tensor(lengths)[:, None])
    assert features.shape == (3, 1, 89, skeleton.feature_dim) and features.dtype == torch.float64
    for row, motion in zip(features[:, 0], motions, strict=True):
        alone = features_from_joints(motion, skeleton, target)
        np.testing.assert_allclose(row[: len(motion) - 1], alone, atol=1e-6)
        assert (row[len(motion) - 1 :] == 0).all()


def test_extraction_in_float32_is_close_to_float64():
    joints = moving(T2M, turn=0.05)
    exact = features_from_joints(joints, T2M)
    single = features_from_joints(torch.from_numpy(joints).float(), T2M)
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, exact, atol=2e-4)


def test_extraction_gradients_equal_finite_differences():
    joints = torch.from_numpy(moving(T2M, frames=6, turn=0.05)).requires_grad_()
    weights = torch.from_numpy(np.random.default_rng(0).normal(size=(5, T2M.contacts_slice.start)))

    def score(motion):
        return (features_from_joints(motion, T2M)[..., : T2M.contacts_slice.start] * weights).sum()

    assert torch.autograd.gradcheck(score, joints, eps=1e-6, atol=1e-5)


def test_extraction_gradients_of_degenerate_bodies_are_finite():
    joints = torch.zeros(1, 5, 22, 3, requires_grad=True)  # no direction anywhere: no heading, no bones
    features_from_joints(joints, T2M).square().sum().backward()
    assert torch.isfinite(joints.grad).all()


def test_torch_equals_numpy_in_batches_and_under_padding():
    motions = np.stack([features_from_joints(moving(T2M, seed=seed, turn=0.05), T2M) for seed in range(3)])
    alone = np.stack([joints_from_features(motion, T2M) for motion in motions])
    np.testing.assert_array_equal(joints_from_features(motions, T2M), alone)
    batch = torch.from_numpy(motions).reshape(3, 1, 89, 263)
    recovered = joints_from_features(batch, T2M)
    assert recovered.shape == (3, 1, 89, 22, 3) and recovered.dtype == torch.float32
    np.testing.assert_allclose(recovered[:, 0].numpy(), alone, atol=2e-5)
    padded = torch.nn.functional.pad(batch, (0, 0, 0, 11), value=9.0)
    torch.testing.assert_close(joints_from_features(padded, T2M)[..., :89, :, :], recovered)


def test_gradients_reach_every_column_that_recovery_reads():
    features = torch.from_numpy(features_from_joints(moving(T2M, turn=0.05), T2M)).requires_grad_()
    joints_from_features(features, T2M).square().sum().backward()
    assert torch.isfinite(features.grad).all()
    assert (features.grad[:-1, :67] != 0).any(dim=0).all() and (features.grad[:, 67:] == 0).all()


def test_retargeting_keeps_directions_and_takes_lengths_of_the_target():
    joints = moving(T2M, turn=0.02)
    target = offsets_of_frame(1.3 * standing(T2M, 1)[0], T2M)
    result = retarget(torch.from_numpy(joints), T2M, target).numpy()
    lengths = np.linalg.norm(bone_vectors(result, T2M), axis=-1)
    np.testing.assert_allclose(lengths, np.tile(np.linalg.norm(target, axis=-1), (90, 1)), atol=1e-9)
    before, after = bone_vectors(joints, T2M)[:, 1:], bone_vectors(result, T2M)[:, 1:]
    cosine = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
    np.testing.assert_allclose(cosine, 1, atol=1e-9)
    legs = np.linalg.norm(bone_vectors(joints[0], T2M)[[5, 8]], axis=-1).sum()
    scale = np.linalg.norm(target[[5, 8]], axis=-1).sum() / legs
    np.testing.assert_allclose(result[:, 0], joints[:, 0] * scale, atol=1e-9)


def test_joints_of_motion_knows_both_skeletons():
    for skeleton in (T2M, KIT):
        joints = moving(skeleton, frames=10) / skeleton.metres_per_unit
        assert joints_of_motion(joints)[1] is skeleton
        recovered, found = joints_of_motion(features_from_joints(joints, skeleton))
        assert found is skeleton and recovered.shape == (9, skeleton.num_joints, 3)
    with pytest.raises(InputError, match="262"):
        joints_of_motion(np.zeros((5, 262)))


def test_joints_of_motion_does_not_draw_what_is_not_finite():
    joints = moving(T2M, frames=10)
    for value in (np.nan, np.inf):
        for motion in (joints.copy(), features_from_joints(joints, T2M)):
            motion[[4, 6], 1] = value
            with pytest.raises(InputError, match=rf"2 of {len(motion)} frames are not finite .*, the first is 4"):
                joints_of_motion(motion)


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (np.zeros((10, 21, 3)), r"\(T, 22, 3\)"),
        (np.zeros((1, 22, 3)), "2 frames"),
        (np.full((10, 22, 3), np.nan), "NaN"),
    ],
)
def test_bad_joints_are_named(joints, message):
    with pytest.raises(InputError, match=message):
        features_from_joints(joints, T2M)


def test_bad_features_and_targets_are_named():
    with pytest.raises(InputError, match="263"):
        joints_from_features(np.zeros((5, 251)), T2M)
    with pytest.raises(InputError, match="target offsets"):
        features_from_joints(standing(T2M, 5), T2M, np.zeros((21, 3)))
    with pytest.raises(InputError, match="length 0"):
        features_from_joints(np.zeros((5, 22, 3)), T2M, T2M.directions())
    with pytest.raises(InputError, match="lengths"):
        features_from_joints(torch.zeros(2, 5, 22, 3), T2M, lengths=torch.tensor([5, 6]))
