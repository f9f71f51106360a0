"""`physical`: could a body move like this? Judged on joints in metres, never on normalised features.

Seven terms, each in [0, 1] and 0 for real motion, are weighted and summed; the score is minus that sum, at least -1.
The weights of the joint, velocity and acceleration groups are the published ones, those of contact with the ground
are ours. A motion can stand still and score 0: this reward says "not impossible", the others say "what was asked for".
"""

from collections.abc import Sequence

import numpy as np
import torch

from models.language.rollout import Rollout
from rewards import physical_quantities as quantities
from rewards.base import Reward
from rewards.physical_quantities import Track
from utils.motion.features import joints_in_metres
from utils.motion.skeleton import Skeleton

# Published: joint 0.6, velocity 0.25, acceleration 0.15. `bones` and `angles` share the joint group: the worse counts.
JOINT_WEIGHT = 0.6
VELOCITY_WEIGHT = 0.25
ACCELERATION_WEIGHT = 0.15
SKATING_WEIGHT = 0.5
PENETRATION_WEIGHT = 0.5
FLOATING_WEIGHT = 0.5
WORST = -1.0

# Thresholds, from real motion: the 2,128 training clips of the Bandai Namco Research Motiondataset 1 and 2 at 20 fps
# (tests/benchmarks/physical_thresholds.py prints the percentiles). Limits are the 99.9th percentile of frames, with
# HEADROOM since three actors in 26 actions understate what bodies do: HumanML3D's own sample clip reaches 1.24 times
# the percentile of speed and 1.7 times that of acceleration.
HEADROOM = 1.5
SPEED_LIMIT_M_S = HEADROOM * 8.1
ACCELERATION_LIMIT_M_S2 = HEADROOM * 75.0
ROUGHNESS_LIMIT = HEADROOM * 0.57
SUPPORT_SPEED_LIMIT_M_S = HEADROOM * 0.12
# The pack has 0.013; one low frame sets the floor of a HumanML3D clip, and its samples stay up to 0.023 above it.
LIFT_LIMIT_M = 0.03
# Real bones keep their length (0.0005 is rounding of the pack) and real feet stay above the floor.
BONE_TOLERANCE = 0.01
DEPTH_TOLERANCE_M = 0.01
# Joint limits in degrees: the widest seen (knee 0 to 123, elbow 145, trunk 91), widened by 15 to 27.
KNEE_RANGE_DEG = (-20.0, 150.0)
ELBOW_BEND_DEG = 160.0
TRUNK_BEND_DEG = 110.0

# How far beyond its threshold a quantity costs the full term.
BONE_RAMP = 0.2
ANGLE_RAMP_DEG = 30.0
SUPPORT_SPEED_RAMP_M_S = 0.5
DEPTH_RAMP_M = 0.1
LIFT_RAMP_M = 0.2

# From this share of its ramp on a limit counts as broken where it must be said of a single frame.
BROKEN = 0.2

# A body whose legs (thigh + shin) are shorter or longer than this is scaled to a leg of average length (a data set in a
# unit of its own); HumanML3D's skeleton has 0.82 m, KIT-ML's 0.77 m.
LEG_RANGE_M = (0.5, 1.2)
AVERAGE_LEG_M = 0.8
# In the unit of the features; squares of such lengths are still exact enough in float32.
BEYOND_ANY_BODY = 1e6
MAX_CLIPS = 256  # judged at once; bounds memory, not results
MIN_FRAMES = 4  # for a third difference

TERMS = ("bones", "angles", "velocity", "acceleration", "skating", "penetration", "floating")


class PhysicalPlausibility(Reward):
    """Minus the weighted sum of the terms, in [-1, 0]; -1 for a reply without a (finite) motion."""

    name = "physical"
    tasks = ("t2m",)

    def score_applicable(self, rollouts: Sequence[Rollout]) -> list[float]:
        return [-total for total in self.penalty([rollout.motion for rollout in rollouts])]

    def terms(self, rollouts: Sequence[Rollout]) -> dict[str, list[float | None]]:
        """Every term by itself (unweighted, 0 good to 1 bad), None for rollouts without a motion of their own."""
        usable = [
            index for index, rollout in enumerate(rollouts) if rollout.task in self.tasks and _is_usable(rollout.motion)
        ]
        columns: dict[str, list[float | None]] = {name: [None] * len(rollouts) for name in TERMS}
        if usable:
            for name, values in self._measure([rollouts[index].motion for index in usable]).items():
                for index, value in zip(usable, values.tolist(), strict=True):
                    columns[name][index] = value
        return columns

    def penalty(self, motions: Sequence[np.ndarray | None]) -> list[float]:
        """Weighted sum of the terms of each motion ((T, D) denormalised features), in [0, 1]; 1 without one."""
        usable = [index for index, motion in enumerate(motions) if _is_usable(motion)]
        totals = [-WORST] * len(motions)
        if usable:
            measured = weighted_penalty(self._measure([motions[index] for index in usable]))
            for index, total in zip(usable, measured.tolist(), strict=True):
                totals[index] = total
        return totals

    def broken_from(self, motions: Sequence[np.ndarray | None]) -> list[int | None]:
        """The frame from which on each motion breaks a limit of `limits_broken`; None where it keeps them all."""
        found: list[int | None] = [None] * len(motions)
        usable = [index for index, motion in enumerate(motions) if _is_usable(motion)]
        for start in range(0, len(usable), MAX_CLIPS):
            group = usable[start : start + MAX_CLIPS]
            joints, valid = padded_joints([motions[i] for i in group], self.context.skeleton, self.context.device)
            broken = limits_broken(joints, valid, self.context.skeleton).cpu()
            for index, frames in zip(group, broken, strict=True):
                found[index] = int(frames.float().argmax()) if frames.any() else None
        return found

    def _measure(self, motions: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        parts = []
        for start in range(0, len(motions), MAX_CLIPS):
            group = motions[start : start + MAX_CLIPS]
            joints, valid = padded_joints(group, self.context.skeleton, self.context.device)
            parts.append(physical_terms(joints, valid, self.context.skeleton))
        return {name: torch.cat([part[name] for part in parts]) for name in TERMS}


def padded_joints(motions: Sequence[np.ndarray], skeleton: Skeleton, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """(T_i, D) features -> joints (B, T, J, 3) metres, valid (B, T). Padding repeats the last frame."""
    frames = max(MIN_FRAMES, *(len(motion) for motion in motions))
    padded = np.stack([np.pad(motion, ((0, frames - len(motion)), (0, 0)), mode="edge") for motion in motions])
    lengths = torch.tensor([len(motion) for motion in motions], device=device)
    joints = joints_in_metres(torch.from_numpy(padded).to(device, torch.float32), skeleton)
    return joints, torch.arange(frames, device=device) < lengths[:, None]


def physical_terms(joints: torch.Tensor, valid: torch.Tensor, skeleton: Skeleton) -> dict[str, torch.Tensor]:
    """joints (B, T, J, 3), valid (B, T) -> each of `TERMS` as (B,), in [0, 1]."""
    fps = skeleton.fps
    joints = joints * _human_scale(joints, valid, skeleton)
    bones = quantities.bone_deviation(joints, valid, skeleton)
    support = quantities.support_speed(joints, valid, fps)
    acceleration = quantities.joint_acceleration(joints, valid, fps)
    rough = quantities.roughness(joints, valid, fps)
    return {
        "bones": _cost(bones, BONE_TOLERANCE, BONE_RAMP),
        "angles": _cost(Track(_angle_excess(joints, skeleton), valid), 0.0, ANGLE_RAMP_DEG),
        "velocity": _cost_of_ratio(quantities.joint_speed(joints, valid, fps), SPEED_LIMIT_M_S),
        "acceleration": torch.maximum(
            _cost_of_ratio(acceleration, ACCELERATION_LIMIT_M_S2), _cost_of_ratio(rough, ROUGHNESS_LIMIT)
        ),
        "skating": _cost(support, SUPPORT_SPEED_LIMIT_M_S, SUPPORT_SPEED_RAMP_M_S),
        "penetration": _cost(quantities.depth(joints, valid), DEPTH_TOLERANCE_M, DEPTH_RAMP_M),
        "floating": _cost(quantities.lift(joints, valid, fps), LIFT_LIMIT_M, LIFT_RAMP_M),
    }


def limits_broken(joints: torch.Tensor, valid: torch.Tensor, skeleton: Skeleton) -> torch.Tensor:
    """(B, T) frames in which a foot slides, a joint is below the floor, the body floats, or the motion jerks so much
    that the frame alone would cost `BROKEN` of the term. Shapes as `physical_terms`.
    """
    joints = joints * _human_scale(joints, valid, skeleton)
    tracks = (
        (quantities.support_speed(joints, valid, skeleton.fps), SUPPORT_SPEED_LIMIT_M_S, SUPPORT_SPEED_RAMP_M_S),
        (quantities.depth(joints, valid), DEPTH_TOLERANCE_M, DEPTH_RAMP_M),
        (quantities.lift(joints, valid, skeleton.fps), LIFT_LIMIT_M, LIFT_RAMP_M),
        (quantities.joint_acceleration(joints, valid, skeleton.fps), *[ACCELERATION_LIMIT_M_S2] * 2),
        (quantities.roughness(joints, valid, skeleton.fps), *[ROUGHNESS_LIMIT] * 2),
    )
    broken = torch.zeros_like(valid)
    for track, tolerance, ramp in tracks:
        # A difference stands at the frame that it begins with.
        broken[:, : track.values.shape[1]] |= (track.values > tolerance + BROKEN * ramp) & track.valid
    return broken


def weighted_penalty(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    """(B,) weighted sum of the terms, at most 1."""
    return (
        JOINT_WEIGHT * torch.maximum(terms["bones"], terms["angles"])
        + VELOCITY_WEIGHT * terms["velocity"]
        + ACCELERATION_WEIGHT * terms["acceleration"]
        + SKATING_WEIGHT * terms["skating"]
        + PENETRATION_WEIGHT * terms["penetration"]
        + FLOATING_WEIGHT * terms["floating"]
    ).clamp_max(1.0)


def _is_usable(motion: np.ndarray | None) -> bool:
    """Whether there is a motion, and nothing in it is beyond any body: NaN and 1e30 m would pass for a still one."""
    return motion is not None and len(motion) > 0 and bool((np.abs(motion) < BEYOND_ANY_BODY).all())


def _human_scale(joints: torch.Tensor, valid: torch.Tensor, skeleton: Skeleton) -> torch.Tensor:
    """(B, 1, 1, 1) factor that gives each clip legs of human length; 1 where they have it already."""
    legs = sum(
        torch.linalg.vector_norm(joints[:, :, skeleton.joint(a)] - joints[:, :, skeleton.joint(b)], dim=-1)
        for a, b in (("left_hip", "left_knee"), ("left_knee", "left_ankle"))
    )
    leg = legs.masked_fill(~valid, torch.nan).nanmedian(dim=1).values
    human = (leg >= LEG_RANGE_M[0]) & (leg <= LEG_RANGE_M[1])
    factor = torch.where(human, torch.ones_like(leg), AVERAGE_LEG_M / leg.clamp_min(quantities.EPSILON))
    return factor[:, None, None, None]


def _angle_excess(joints: torch.Tensor, skeleton: Skeleton) -> torch.Tensor:
    """(B, T) degrees by which the worst joint is beyond its limit."""
    trunk = tuple(name for name in ("spine1", "spine2", "spine3", "neck") if name in skeleton.joint_names)
    knees = quantities.knee_flexion(joints, skeleton)
    excess = [
        KNEE_RANGE_DEG[0] - knees,
        knees - KNEE_RANGE_DEG[1],
        quantities.bend(joints, skeleton, ("left_elbow", "right_elbow")) - ELBOW_BEND_DEG,
        quantities.bend(joints, skeleton, trunk) - TRUNK_BEND_DEG,
    ]
    return torch.cat(excess, dim=-1).amax(dim=-1).clamp_min(0)


def _cost_of_ratio(track: Track, limit: float) -> torch.Tensor:
    """Nothing up to the limit, everything from twice the limit on."""
    return _cost(track, limit, limit)


def _cost(track: Track, tolerance: float, ramp: float) -> torch.Tensor:
    """(B,) in [0, 1]: excess over the tolerance, half by how much of the clip it fills and half by its worst frame."""
    excess = ((track.values - tolerance) / ramp).clamp(0, 1) * track.valid
    count = track.valid.sum(dim=1).clamp_min(1)
    return (excess.sum(dim=1) / count + excess.amax(dim=1)) / 2
