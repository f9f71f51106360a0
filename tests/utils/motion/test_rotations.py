"""Rotations against scipy and by hand, with the cases where the textbook formula divides by zero."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from utils.motion.rotations import (
    quaternion_about_y,
    quaternion_between,
    quaternion_inverse,
    quaternion_multiply,
    quaternion_rotate,
    quaternion_to_6d,
    rotate_about_y,
    wrap_angle,
)


@pytest.fixture
def quaternions():
    return torch.from_numpy(Rotation.random(20, rng=np.random.default_rng(0)).as_quat(scalar_first=True))


def scipy_of(quaternions):
    return Rotation.from_quat(quaternions, scalar_first=True)


def test_products_and_rotations_equal_scipy(quaternions):
    a, b = quaternions[:10], quaternions[10:]
    vectors = torch.from_numpy(np.random.default_rng(1).normal(size=(10, 3)))
    np.testing.assert_allclose(quaternion_rotate(a, vectors), scipy_of(a).apply(vectors), atol=1e-12)
    product = scipy_of(quaternion_multiply(a, b)).as_matrix()
    np.testing.assert_allclose(product, (scipy_of(a) * scipy_of(b)).as_matrix(), atol=1e-12)
    identity = quaternion_multiply(a, quaternion_inverse(a))
    np.testing.assert_allclose(identity, np.tile([1.0, 0, 0, 0], (10, 1)), atol=1e-12)


def test_6d_is_first_two_columns(quaternions):
    matrices = scipy_of(quaternions).as_matrix()
    expected = np.concatenate([matrices[..., 0], matrices[..., 1]], axis=-1)
    np.testing.assert_allclose(quaternion_to_6d(quaternions), expected, atol=1e-12)


def test_between_takes_source_to_target_also_when_opposite():
    rng = np.random.default_rng(2)
    source = torch.from_numpy(rng.normal(size=(50, 3)))
    source /= torch.linalg.vector_norm(source, dim=-1, keepdim=True)
    source[:3] = torch.eye(3)
    target = torch.roll(source, 7, dims=0)
    target[:20] = -source[:20]
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 1e-5)):
        rotation = quaternion_between(source.to(dtype), target.to(dtype))
        np.testing.assert_allclose(quaternion_rotate(rotation, source.to(dtype)), target, atol=tolerance)
        np.testing.assert_allclose(torch.linalg.vector_norm(rotation, dim=-1), 1, atol=tolerance)


def test_between_an_unknown_direction_is_identity():
    np.testing.assert_array_equal(quaternion_between(torch.eye(3)[0], torch.zeros(3)), [1, 0, 0, 0])


def test_turn_about_y_takes_forward_to_left():
    forward, quarter = torch.tensor([0, 2.0, 1], dtype=torch.float64), torch.tensor(np.pi / 2, dtype=torch.float64)
    np.testing.assert_allclose(rotate_about_y(forward, quarter), [1, 2, 0], atol=1e-12)
    angles = torch.linspace(-3, 3, 7, dtype=torch.float64)
    vectors = torch.from_numpy(np.random.default_rng(3).normal(size=(7, 3)))
    expected = quaternion_rotate(quaternion_about_y(angles), vectors)
    np.testing.assert_allclose(rotate_about_y(vectors, angles), expected, atol=1e-12)


def test_wrap_angle():
    angles = torch.tensor([0.1, 2 * np.pi + 0.1, -np.pi - 0.1], dtype=torch.float64)
    np.testing.assert_allclose(wrap_angle(angles), [0.1, 0.1, np.pi - 0.1])
