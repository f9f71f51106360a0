"""A performer has a posture and a temperament, which differ a little from clip to clip."""

from dataclasses import dataclass

import numpy as np

from dataset.toy import body
from dataset.toy.curves import drift
from dataset.toy.pose import ABDUCT, ELBOW, FLEX, PITCH, TWIST, YAW, Pose
from utils.motion.skeleton import T2M

FPS = T2M.fps
ANKLE_BEHIND = 0.03  # the ankles stand this far behind the middle of the body


@dataclass(frozen=True)
class Performer:
    """What stays the same throughout one clip (radians, metres).

    Attributes:
        half_width: half the distance between the feet when standing.
        toe_out: how far each foot points outward.
        stoop: bend of the spine when standing.
        arms: (2, 4) angles of the hanging arms.
        energy: factor of all amplitudes.
        tempo: factor of all durations.
        first_side: the foot that steps first where the program leaves it open.
    """

    half_width: float
    toe_out: float
    stoop: float
    arms: np.ndarray
    energy: float
    tempo: float
    first_side: int


def new_performer(rng: np.random.Generator) -> Performer:
    arms = np.zeros((2, 4))
    arms[:, FLEX] = rng.uniform(-0.02, 0.10) + rng.normal(0.0, 0.02, 2)
    arms[:, ABDUCT] = rng.uniform(0.10, 0.20) + rng.normal(0.0, 0.015, 2)
    arms[:, TWIST] = rng.uniform(-0.45, -0.15) + rng.normal(0.0, 0.04, 2)
    arms[:, ELBOW] = rng.uniform(0.18, 0.42) + rng.normal(0.0, 0.04, 2)
    return Performer(
        half_width=rng.uniform(0.085, 0.115),
        toe_out=rng.uniform(0.06, 0.20),
        stoop=rng.uniform(0.0, 0.08),
        arms=arms,
        energy=rng.uniform(0.92, 1.10),
        tempo=rng.uniform(0.95, 1.06),
        first_side=int(rng.integers(2)),
    )


def frame_times(seconds: float) -> np.ndarray:
    """The times of all frames in [0, seconds), at least one."""
    return np.arange(max(1, round(seconds * FPS))) / FPS


def standing_feet(performer: Performer) -> np.ndarray:
    """(2, 3) x, z, yaw of the ankles of someone who stands at the origin."""
    sign = body.SIDE_SIGN
    return np.stack([sign * performer.half_width, np.full(2, -ANKLE_BEHIND), sign * performer.toe_out], 1)


def standing(performer: Performer, frames: int) -> Pose:
    """`frames` frames of standing at the origin, facing +Z."""
    feet = standing_feet(performer)
    ankles = np.stack([feet[:, 0], np.full(2, body.ANKLE_HEIGHT), feet[:, 1]], 1)
    spine = np.zeros((frames, 3))
    spine[:, PITCH] = performer.stoop
    head = np.zeros((frames, 3))
    head[:, PITCH] = -0.7 * performer.stoop
    return Pose(
        root=np.zeros((frames, 2)),
        heading=np.zeros(frames),
        height=np.zeros(frames),
        shift=np.zeros((frames, 2)),
        pelvis=np.zeros((frames, 3)),
        spine=spine,
        head=head,
        arms=np.tile(performer.arms, (frames, 1, 1)),
        ankles=np.tile(ankles, (frames, 1, 1)),
        foot_yaw=np.tile(feet[:, 2], (frames, 1)),
        foot_pitch=np.zeros((frames, 2)),
        knee_out=np.zeros((frames, 2)),
    )


def alive(pose: Pose, rng: np.random.Generator) -> Pose:
    """The same motion with the slow sway of a living body; the feet stay where they are."""
    times = np.arange(len(pose)) / FPS
    sway = np.stack([drift(times, rng, 0.007), drift(times, rng, 0.006)], 1)
    spine = np.stack([drift(times, rng, size) for size in (0.016, 0.011, 0.020)], 1)
    head = np.stack([drift(times, rng, size) for size in (0.030, 0.020, 0.060)], 1)
    pelvis = np.zeros((len(pose), 3))
    pelvis[:, YAW] = drift(times, rng, 0.015)
    arms = np.stack([np.stack([drift(times, rng, 0.020) for _ in range(4)], 1) for _ in range(2)], 1)
    height = np.abs(drift(times, rng, 0.003))
    return Pose(
        root=pose.root,
        heading=pose.heading,
        height=pose.height - height,
        shift=pose.shift + sway,
        pelvis=pose.pelvis + pelvis,
        spine=pose.spine + spine,
        head=pose.head + head,
        arms=pose.arms + arms,
        ankles=pose.ankles,
        foot_yaw=pose.foot_yaw,
        foot_pitch=pose.foot_pitch,
        knee_out=pose.knee_out,
    )
