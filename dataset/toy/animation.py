"""A program becomes joints: its actions are performed one after the other, from the origin and facing +Z."""

from collections.abc import Callable

import numpy as np

from dataset.toy.gestures import bow, clap, lean, punch, raise_arm, wave
from dataset.toy.leg_actions import jump, kick, lift_knee, sit, squat
from dataset.toy.locomotion import circle, run, sidestep, turn, walk
from dataset.toy.performer import Performer, alive, new_performer
from dataset.toy.pose import Pose, joined, joints_from_pose
from dataset.toy.programs import Action, Program

MIN_FRAMES = 45  # joint frames: 44 frames of features, a few more than the least that data sets keep (40)
CODE_FRAMES = 4  # feature frames that one motion token stands for; clips have a multiple of them

_ANIMATE: dict[str, Callable[[Action, Performer, np.random.Generator], Pose]] = {
    "walk": walk,
    "run": run,
    "sidestep": sidestep,
    "turn": turn,
    "circle": circle,
    "jump": jump,
    "squat": squat,
    "wave": wave,
    "raise": raise_arm,
    "kick": kick,
    "punch": punch,
    "knee": lift_knee,
    "clap": clap,
    "bow": bow,
    "lean": lean,
    "sit": sit,
    "stand": sit,
    "sit_stand": sit,
}


def animate(program: Program, rng: np.random.Generator) -> np.ndarray:
    """(T, 22, 3) float32 joints in metres at 20 fps; T is a multiple of 4 plus 1.

    Everything that the program leaves open (posture, amplitude, timing, sway) is drawn from `rng`.
    """
    performer = new_performer(rng)
    parts: list[Pose] = []
    x = z = heading = 0.0
    for action in program.actions:
        # Each action begins where the one before ended.
        part = _animate(action, performer, rng, alone=len(program.actions) == 1).placed(x, z, heading)
        (x, z), heading = part.root[-1], part.heading[-1]
        parts.append(part)
    pose = _whole_codes(joined(parts), rng)
    joints = joints_from_pose(alive(pose, rng))
    return joints.astype(np.float32)


def _animate(action: Action, performer: Performer, rng: np.random.Generator, alone: bool) -> Pose:
    """The performance of one action, from the origin and facing +Z."""
    if action.kind == "walk":
        # A clip that is nothing but a walk of no given number of steps may begin in full stride.
        rolling = alone and not action.count and bool(rng.random() < 0.5)
        pose = walk(action, performer, rng, rolling)
    else:
        pose = _ANIMATE[action.kind](action, performer, rng)
    (x, z), heading = pose.root[0], pose.heading[0]
    return pose.placed(-x, -z, 0.0).placed(0.0, 0.0, -heading)


def _whole_codes(pose: Pose, rng: np.random.Generator) -> Pose:
    """The motion with a length of 4 k + 1 frames, k codes of features: its ends are held, or in mid-gait cut off."""
    frames = len(pose)
    if _moving(pose, -1):
        return pose.picked(np.arange(frames - (frames - 1) % CODE_FRAMES))
    missing = max(MIN_FRAMES - frames, 0)
    missing += -(frames + missing - 1) % CODE_FRAMES
    before = 0 if _moving(pose, 0) else int(rng.integers(missing + 1))
    order = np.concatenate([np.zeros(before, int), np.arange(frames), np.full(missing - before, frames - 1)])
    return pose.picked(order)


def _moving(pose: Pose, frame: int) -> bool:
    """Whether the body is under way at the first (0) or the last (-1) frame."""
    neighbour = 1 if frame == 0 else -2
    return float(np.linalg.norm(pose.root[frame] - pose.root[neighbour])) > 0.005
