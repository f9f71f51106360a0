"""Motion features need these rotations: quaternions (w, x, y, z), their 6D form, turns about the vertical.

All functions take torch tensors of any leading dimensions, broadcast, and can be differentiated. Angles are radians; a
positive turn about +Y takes +Z towards +X, so an angle of zero faces +Z and pi/2 faces +X.
"""

import math

import torch
from torch import Tensor

_TINY = 1e-12


def normalize(vectors: Tensor) -> Tensor:
    """(..., N) -> vectors of unit length; a zero vector stays zero instead of turning into NaN."""
    return vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp_min(_TINY)


def quaternion_multiply(a: Tensor, b: Tensor) -> Tensor:
    """(..., 4) x (..., 4) -> (..., 4): the rotation that applies `b` first, then `a`."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        dim=-1,
    )


def quaternion_inverse(quaternions: Tensor) -> Tensor:
    """(..., 4) unit quaternions -> their inverse (the conjugate)."""
    return quaternions * quaternions.new_tensor([1.0, -1.0, -1.0, -1.0])


def quaternion_rotate(quaternions: Tensor, vectors: Tensor) -> Tensor:
    """Turn (..., 3) vectors by (..., 4) unit quaternions."""
    axis, vectors = torch.broadcast_tensors(quaternions[..., 1:], vectors)
    twice = 2.0 * torch.linalg.cross(axis, vectors)
    return vectors + quaternions[..., :1] * twice + torch.linalg.cross(axis, twice)


def quaternion_between(source: Tensor, target: Tensor) -> Tensor:
    """(..., 4) the shortest rotation that takes unit vectors `source` (..., 3) to unit vectors `target` (..., 3).

    Opposite vectors have no shortest rotation (the usual formula gives 0 / 0), so `source` is turned by half a turn
    about an axis at right angles to it. A zero target means "no direction known" and gives the identity.
    """
    source, target = torch.broadcast_tensors(source, target)
    cosine = (source * target).sum(dim=-1, keepdim=True)
    known = (target * target).sum(dim=-1, keepdim=True) > 0.25
    quaternion = torch.cat([1.0 + cosine, torch.linalg.cross(source, target)], dim=-1)
    # So close to zero the quaternion holds nothing but rounding errors.
    rounding = 8 * torch.finfo(source.dtype).eps
    opposite = known & (torch.linalg.vector_norm(quaternion, dim=-1, keepdim=True) < rounding)
    # The coordinate axis that is least aligned with the source gives a well-conditioned perpendicular.
    helper = torch.nn.functional.one_hot(source.abs().argmin(dim=-1), 3).to(source.dtype)
    half_turn = torch.cat([torch.zeros_like(cosine), normalize(torch.linalg.cross(source, helper))], dim=-1)
    quaternion = torch.where(opposite, half_turn, quaternion)
    quaternion = torch.where(known, quaternion, quaternion.new_tensor([1.0, 0.0, 0.0, 0.0]))
    return normalize(quaternion)


def quaternion_about_y(angle: Tensor) -> Tensor:
    """(...) radians -> (..., 4): a turn about the vertical."""
    zero = torch.zeros_like(angle)
    return torch.stack([torch.cos(angle / 2), zero, torch.sin(angle / 2), zero], dim=-1)


def quaternion_to_6d(quaternions: Tensor) -> Tensor:
    """(..., 4) unit quaternions -> (..., 6): first and second column of the rotation matrix (Zhou et al., 2019)."""
    w, x, y, z = quaternions.unbind(-1)
    return torch.stack(
        [
            1 - 2 * (y * y + z * z),
            2 * (x * y + w * z),
            2 * (x * z - w * y),
            2 * (x * y - w * z),
            1 - 2 * (x * x + z * z),
            2 * (y * z + w * x),
        ],
        dim=-1,
    )


def rotate_about_y(vectors: Tensor, angle: Tensor) -> Tensor:
    """Turn (..., 3) vectors about the vertical by (...) radians (broadcast over the leading dimensions)."""
    x, y, z = vectors.unbind(-1)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    return torch.stack(torch.broadcast_tensors(cosine * x + sine * z, y, cosine * z - sine * x), dim=-1)


def wrap_angle(angle: Tensor) -> Tensor:
    """(...) radians -> the same direction in [-pi, pi)."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi
