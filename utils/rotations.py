"""Rotations as the motion features need them: quaternions (w, x, y, z), their 6D form, turns about the vertical.

All functions are numpy, take any leading dimensions and broadcast. Angles are radians; a positive turn about +Y
takes +Z towards +X, so an angle of zero faces +Z and pi/2 faces +X.
"""

import numpy as np

_TINY = 1e-12


def normalize(vectors: np.ndarray) -> np.ndarray:
    """(..., N) -> unit length; a zero vector stays zero instead of turning into NaN."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(length, _TINY)


def quaternion_multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(..., 4) x (..., 4) -> (..., 4): the rotation that applies `b` first, then `a`."""
    aw, ax, ay, az = np.moveaxis(a, -1, 0)
    bw, bx, by, bz = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def quaternion_inverse(quaternions: np.ndarray) -> np.ndarray:
    """(..., 4) unit quaternions -> their inverse (the conjugate)."""
    return quaternions * np.array([1.0, -1.0, -1.0, -1.0], dtype=quaternions.dtype)


def quaternion_rotate(quaternions: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Turn (..., 3) vectors by (..., 4) unit quaternions."""
    axis = quaternions[..., 1:]
    twice = 2.0 * np.cross(axis, vectors)
    return vectors + quaternions[..., :1] * twice + np.cross(axis, twice)


def quaternion_between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The shortest rotation that takes unit vectors `source` (..., 3) to unit vectors `target` (..., 3) -> (..., 4).

    Opposite vectors have no shortest rotation (the usual formula gives 0 / 0): they are turned by half a turn about
    an axis at right angles to `source`. A zero target means "no direction known" and gives the identity.
    """
    source, target = np.broadcast_arrays(source, target)
    cosine = np.sum(source * target, axis=-1, keepdims=True)
    known = np.sum(target * target, axis=-1, keepdims=True) > 0.25
    quaternion = np.concatenate([1.0 + cosine, np.cross(source, target)], axis=-1)
    opposite = known & (np.linalg.norm(quaternion, axis=-1, keepdims=True) < 1e-7)
    if opposite.any():
        # The coordinate axis that is least aligned with the source gives a well-conditioned perpendicular.
        helper = np.eye(3)[np.argmin(np.abs(source), axis=-1)]
        half_turn = np.concatenate([np.zeros_like(cosine), normalize(np.cross(source, helper))], axis=-1)
        quaternion = np.where(opposite, half_turn, quaternion)
    quaternion = np.where(known, quaternion, np.array([1.0, 0.0, 0.0, 0.0]))
    return normalize(quaternion)


def quaternion_about_y(angle: np.ndarray) -> np.ndarray:
    """(...) radians -> (..., 4): a turn about the vertical."""
    zero = np.zeros_like(angle)
    return np.stack([np.cos(angle / 2), zero, np.sin(angle / 2), zero], axis=-1)


def quaternion_to_6d(quaternions: np.ndarray) -> np.ndarray:
    """(..., 4) unit quaternions -> (..., 6): first and second column of the rotation matrix (Zhou et al., 2019)."""
    w, x, y, z = np.moveaxis(quaternions, -1, 0)
    return np.stack(
        [
            1 - 2 * (y * y + z * z),
            2 * (x * y + w * z),
            2 * (x * z - w * y),
            2 * (x * y - w * z),
            1 - 2 * (x * x + z * z),
            2 * (y * z + w * x),
        ],
        axis=-1,
    )


def rotate_about_y(vectors: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Turn (..., 3) vectors about the vertical by (...) radians (broadcast over the leading dimensions)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y, z = np.broadcast_arrays(cosine * x + sine * z, y, cosine * z - sine * x)
    return np.stack([x, y, z], axis=-1)


def wrap_angle(angle: np.ndarray) -> np.ndarray:
    """(...) radians -> the same direction in [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
