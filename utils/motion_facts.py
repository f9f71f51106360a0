"""What a motion does, measured on its joints: travel, turn, hands. Numbers for words to be checked against.

Sign conventions: a left turn, the left side and forward are positive, as seen by the body.
"""

from dataclasses import dataclass

import numpy as np

from utils.skeleton import Skeleton

# A hand's level by the height of its wrist above the head joint, highest first. The words are those of captions of
# real motion (Bandai Namco Research Motiondataset, 2,650 clips described by their measured levels): the limits lie
# between what is called one and the other.
LEVELS = (
    ("above the head", 0.18),
    ("head height", -0.04),
    ("shoulder height", -0.178),
    ("chest height", -0.236),
    ("waist height or lower", -np.inf),
)
# Frames at either end that the heading is averaged over: one frame swings with the step.
_HEADING_FRAMES = 5


@dataclass(frozen=True)
class MotionFacts:
    """Measured facts of one clip.

    Attributes:
        seconds: duration.
        turn_deg: by how much the heading at the end differs from that at the start; several turns add up.
        path_m: length of the pelvis's way over the floor.
        net_m: distance between its first and last place.
        forward_m, left_m: its way as the body sees it at every moment; going back and forth cancels.
        speed_m_s: path over duration.
        left_hand_m, right_hand_m: greatest height of the wrist above the head joint (usually negative).
        pelvis_drop_m: how far the pelvis comes below its first height.
    """

    seconds: float
    turn_deg: float
    path_m: float
    net_m: float
    forward_m: float
    left_m: float
    speed_m_s: float
    left_hand_m: float
    right_hand_m: float
    pelvis_drop_m: float


def motion_facts(joints: np.ndarray, skeleton: Skeleton) -> MotionFacts:
    """joints (T, J, 3) in metres, Y up -> facts. T must be at least 2."""
    heading = headings(joints, skeleton)
    place = joints[:, 0, [0, 2]]
    steps = np.diff(place, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    middle = (heading[1:] + heading[:-1]) / 2
    sine, cosine = np.sin(middle), np.cos(middle)
    seconds = len(joints) / skeleton.fps
    ends = min(_HEADING_FRAMES, len(joints))
    head = joints[:, skeleton.joint("head"), 1]
    left, right = ((joints[:, skeleton.joint(f"{side}_wrist"), 1] - head).max() for side in ("left", "right"))
    height = joints[:, 0, 1]
    return MotionFacts(
        seconds=seconds,
        turn_deg=float(np.rad2deg(heading[-ends:].mean() - heading[:ends].mean())),
        path_m=float(lengths.sum()),
        net_m=float(np.linalg.norm(place[-1] - place[0])),
        forward_m=float((steps[:, 0] * sine + steps[:, 1] * cosine).sum()),
        left_m=float((steps[:, 0] * cosine - steps[:, 1] * sine).sum()),
        speed_m_s=float(lengths.sum() / seconds),
        left_hand_m=float(left),
        right_hand_m=float(right),
        pelvis_drop_m=float(height[0] - height.min()),
    )


def hand_level(height_m: float) -> str:
    """The word for a wrist so far above the head joint; see `LEVELS`."""
    return next(name for name, lowest in LEVELS if height_m >= lowest)


def headings(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """joints (T, J, 3) -> (T,) radians, unwrapped: 0 faces +Z, growing to the left (+X)."""
    right_hip, left_hip, right_shoulder, left_shoulder = skeleton.face_joints
    across = joints[:, left_hip] - joints[:, right_hip] + joints[:, left_shoulder] - joints[:, right_shoulder]
    return np.unwrap(np.arctan2(-across[:, 2], across[:, 0]))
