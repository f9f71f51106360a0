"""What `physical` measures, frame by frame, on a padded batch of joints (torch). No thresholds here.

Shapes: joints (B, T, J, 3) metres, Y up, floor at y = 0; `valid` (B, T) True for real frames (padding comes last).
Every function returns a `Track`: one value per clip and frame (or frame difference) and where it is valid.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional

from utils.motion.skeleton import Skeleton

# Seconds within which the support of a moving body comes to rest (a running step takes about 0.35 s), and
# within which a body comes down to the floor again (a high jump is airborne for 0.6 s).
SUPPORT_WINDOW_S = 0.35
AIRBORNE_WINDOW_S = 1.0
# A joint counts as support up to this height: ankles of a standing person rest at 0.05 to 0.09 m.
SUPPORT_HEIGHT_M = 0.08
# Height above it counts as so much horizontal speed, so that a raised joint is no support however still it is.
HEIGHT_TO_SPEED_PER_S = 10.0
# Speed added to the denominator of roughness: below it the jitter of motion capture would dominate.
ROUGHNESS_FLOOR_M_S = 0.4
# The bend of a knee has no sign where the foot points along the shin.
MIN_FOOT_SINE = 0.35
EPSILON = 1e-8


@dataclass(frozen=True)
class Track:
    """values (B, N) and valid (B, N): N = T, or less by the order of the difference."""

    values: torch.Tensor
    valid: torch.Tensor


def bone_deviation(joints: torch.Tensor, valid: torch.Tensor, skeleton: Skeleton) -> Track:
    """Mean over bones of |length / median length in the clip - 1|."""
    parents = torch.tensor(skeleton.parents[1:], device=joints.device)
    lengths = torch.linalg.vector_norm(joints[:, :, 1:] - joints[:, :, parents], dim=-1)
    known = lengths.masked_fill(~valid[..., None], torch.nan)
    median = known.nanmedian(dim=1, keepdim=True).values.clamp_min(EPSILON)
    return Track((lengths / median - 1).abs().mean(dim=-1), valid)


def knee_flexion(joints: torch.Tensor, skeleton: Skeleton) -> torch.Tensor:
    """(B, T, 2) degrees in (-180, 180], left and right: 0 straight, negative bent the wrong way, 0 where unknown.

    The side that the knee may bend to is told by the foot: it points to the front of the shin.
    """
    angles = []
    for side in ("left", "right"):
        thigh = _direction(joints, skeleton, f"{side}_hip", f"{side}_knee")
        shin = _direction(joints, skeleton, f"{side}_knee", f"{side}_ankle")
        foot = _direction(joints, skeleton, f"{side}_ankle", f"{side}_foot")
        front = foot - (foot * shin).sum(-1, keepdim=True) * shin
        size = torch.linalg.vector_norm(front, dim=-1)
        forward = (thigh * front).sum(-1) / size.clamp_min(EPSILON)
        angle = torch.rad2deg(torch.atan2(forward, (thigh * shin).sum(-1)))
        angles.append(torch.where(size > MIN_FOOT_SINE, angle, torch.zeros_like(angle)))
    return torch.stack(angles, dim=-1)


def bend(joints: torch.Tensor, skeleton: Skeleton, names: tuple[str, ...]) -> torch.Tensor:
    """(B, T, len(names)) degrees between the bone into a joint and the bone out of it: 0 straight, 180 folded."""
    children = {parent: child for child, parent in reversed(list(enumerate(skeleton.parents)))}
    angles = []
    for joint in map(skeleton.joint, names):
        before = functional.normalize(joints[:, :, joint] - joints[:, :, skeleton.parents[joint]], dim=-1)
        after = functional.normalize(joints[:, :, children[joint]] - joints[:, :, joint], dim=-1)
        angles.append(torch.rad2deg(torch.arccos((before * after).sum(-1).clamp(-1, 1))))
    return torch.stack(angles, dim=-1)


def joint_speed(joints: torch.Tensor, valid: torch.Tensor, fps: float) -> Track:
    """Speed of the fastest joint, m/s."""
    return Track(_difference(joints, fps, 1).amax(dim=-1), _valid_differences(valid, 1))


def joint_acceleration(joints: torch.Tensor, valid: torch.Tensor, fps: float) -> Track:
    """Acceleration of the joint with the greatest, m/s^2."""
    return Track(_difference(joints, fps, 2).amax(dim=-1), _valid_differences(valid, 2))


def roughness(joints: torch.Tensor, valid: torch.Tensor, fps: float) -> Track:
    """Jerk per frame^2 over speed, both averaged over joints (speed also over 5 frames): 0 smooth, about 2 noise.

    Unlike jerk itself it finds jitter in a slow motion and forgives a fast one.
    """
    jerk = _difference(joints, fps, 3).mean(dim=-1) / fps**2
    speed = _difference(joints, fps, 1).mean(dim=-1)
    known = _valid_differences(valid, 1).to(speed.dtype)
    total = functional.avg_pool1d(speed * known, 5, stride=1, padding=2)
    share = functional.avg_pool1d(known, 5, stride=1, padding=2).clamp_min(EPSILON)
    return Track(jerk / (ROUGHNESS_FLOOR_M_S + (total / share)[:, 1:-1]), _valid_differences(valid, 3))


def support_speed(joints: torch.Tensor, valid: torch.Tensor, fps: float) -> Track:
    """Horizontal speed (m/s) of what carries the body: the slowest low joint, in its stillest moment nearby.

    Any joint can carry (feet, knees, hands), so crawling is judged like walking. In a real step some low joint
    comes to rest within `SUPPORT_WINDOW_S`; where nothing does, the body slides.
    """
    moved = torch.linalg.vector_norm((joints[:, 1:] - joints[:, :-1])[..., [0, 2]], dim=-1) * fps
    height = torch.minimum(joints[:, 1:, :, 1], joints[:, :-1, :, 1])
    raised = (height - SUPPORT_HEIGHT_M).clamp_min(0) * HEIGHT_TO_SPEED_PER_S
    slowest = torch.sqrt(moved**2 + raised**2).amin(dim=-1)
    known = _valid_differences(valid, 1)
    touching = known & (height.amin(dim=-1) <= SUPPORT_HEIGHT_M)
    return Track(_window_minimum(slowest, known, SUPPORT_WINDOW_S, fps), touching)


def depth(joints: torch.Tensor, valid: torch.Tensor) -> Track:
    """How far the lowest joint is below the floor, m."""
    return Track((-joints[..., 1].amin(dim=-1)).clamp_min(0), valid)


def lift(joints: torch.Tensor, valid: torch.Tensor, fps: float) -> Track:
    """How far above the floor the body stays, m: the lowest point that any joint reaches within `AIRBORNE_WINDOW_S`."""
    lowest = joints[..., 1].amin(dim=-1)
    return Track(_window_minimum(lowest, valid, AIRBORNE_WINDOW_S, fps).clamp_min(0), valid)


def _direction(joints: torch.Tensor, skeleton: Skeleton, start: str, stop: str) -> torch.Tensor:
    return functional.normalize(joints[:, :, skeleton.joint(stop)] - joints[:, :, skeleton.joint(start)], dim=-1)


def _difference(joints: torch.Tensor, fps: float, order: int) -> torch.Tensor:
    """(B, T - order, J) size of the time derivative of that order, in m/s^order."""
    return torch.linalg.vector_norm(torch.diff(joints, n=order, dim=1), dim=-1) * fps**order


def _valid_differences(valid: torch.Tensor, order: int) -> torch.Tensor:
    """A difference is valid where its last frame is: padding comes last."""
    return valid[:, order:]


def _window_minimum(values: torch.Tensor, valid: torch.Tensor, seconds: float, fps: float) -> torch.Tensor:
    """(B, N) smallest valid value within `seconds` around each frame; windows are cut at the ends of the clip."""
    half = max(1, round(seconds * fps / 2))
    negative = (-values).masked_fill(~valid, -torch.inf)
    return -functional.max_pool1d(negative, 2 * half + 1, stride=1, padding=half)
