"""What a motion does is measured on its joints: travel, turns, steps, hands, height. Words are checked by it.

Sign conventions: a left turn, the left side and forward are positive, as seen by the body.
"""

from dataclasses import dataclass

import numpy as np

from dataset.actions.body import Body, headings
from dataset.actions.events import Event
from dataset.actions.measured import measured
from dataset.actions.series import Turn, count_steps, spans_of, turns_of
from utils.motion.skeleton import Skeleton
from utils.motion.smoothing import smoothed

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
# A hand is up from chest height on (metres of the wrist above the head joint).
HAND_UP_M = LEVELS[-2][1]
# The heading at either end is a mean over so many frames: that of a single frame swings with the step.
_HEADING_FRAMES = 5
# Slower movement of the pelvis is sway; even a slow step to the side is faster.
_TRAVEL_M_S = 0.2
_SPEED_SMOOTHING_S = 0.2


@dataclass(frozen=True)
class MotionFacts:
    """Measured facts of one clip.

    Attributes:
        seconds: duration.
        turn_deg: by how much the heading at the end differs from that at the start; several turns add up.
        path_m: length of the pelvis's way over the floor.
        net_m: distance between its first and last place.
        forward_m, left_m: its way as the body sees it at every moment; going back and forth cancels.
        left_hand_m, right_hand_m: greatest height of the wrist above the head joint (usually negative).
        pace_m_s: speed while it travels, which is where it is above `_TRAVEL_M_S`; 0 where it never is.
        travel_s: for how long it travels.
        pelvis_drop_m: how far the pelvis comes below its first height.
        pelvis_rise_m: how far it comes above that.
        pelvis_end_m: how far above it the clip ends; negative below.
        bend_deg: by how much the trunk comes to lean further forward than in the first frame.
        lean_left_deg, lean_right_deg: by how much the trunk comes to lean further to a side than it mostly does.
        hands_apart_m: least distance of the wrists.
        left_foot_m, right_foot_m: by how much the ankle comes above its lowest height.
        turns: every turn of at least `dataset.actions.series.TURN_DEG`, in order.
        steps: how often one foot comes before the other; None where it is not measured.
        left_hand_up_s, right_hand_up_s: (start, end) in seconds of every time that the wrist is at chest height or
            above.
        actions: what happens, in order of its start (`dataset.actions.events`).
    """

    seconds: float
    turn_deg: float
    path_m: float
    net_m: float
    forward_m: float
    left_m: float
    left_hand_m: float
    right_hand_m: float
    pelvis_drop_m: float
    pelvis_rise_m: float = 0.0
    pelvis_end_m: float = 0.0
    bend_deg: float = 0.0
    lean_left_deg: float = 0.0
    lean_right_deg: float = 0.0
    hands_apart_m: float = 0.0
    pace_m_s: float = 0.0
    travel_s: float = 0.0
    left_foot_m: float = 0.0
    right_foot_m: float = 0.0
    turns: tuple[Turn, ...] = ()
    steps: int | None = None
    left_hand_up_s: tuple[tuple[float, float], ...] = ()
    right_hand_up_s: tuple[tuple[float, float], ...] = ()
    actions: tuple[Event, ...] = ()


def motion_facts(joints: np.ndarray, skeleton: Skeleton) -> MotionFacts:
    """joints (T, J, 3) in metres (`Skeleton.in_metres`) -> facts. T must be at least 2."""
    # Travel on the floor, frame by frame, and how much of it goes to where the body faces.
    heading = headings(joints, skeleton)
    place = joints[:, 0, [0, 2]]
    steps = np.diff(place, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    middle = (heading[1:] + heading[:-1]) / 2
    sine, cosine = np.sin(middle), np.cos(middle)
    ends = min(_HEADING_FRAMES, len(joints))
    # Heights of the wrists above the head joint, and the feet.
    head = joints[:, skeleton.joint("head"), 1]
    wrists = [joints[:, skeleton.joint(f"{side}_wrist")] for side in ("left", "right")]
    left, right = (wrist[:, 1] - head for wrist in wrists)
    left_ankle, right_ankle = (joints[:, skeleton.joint(f"{side}_ankle")] for side in ("left", "right"))
    # Travel in time: the pace is that of the moments in which the body really goes somewhere.
    speeds = smoothed(lengths * skeleton.fps, _SPEED_SMOOTHING_S * skeleton.fps)
    travels = speeds > _TRAVEL_M_S
    lean = _lean(joints, heading, skeleton)
    height = joints[:, 0, 1]
    body = Body(joints, skeleton)
    aside = body.lean_deg
    return MotionFacts(
        seconds=len(joints) / skeleton.fps,
        turn_deg=float(np.rad2deg(heading[-ends:].mean() - heading[:ends].mean())),
        path_m=float(lengths.sum()),
        net_m=float(np.linalg.norm(place[-1] - place[0])),
        forward_m=float((steps[:, 0] * sine + steps[:, 1] * cosine).sum()),
        left_m=float((steps[:, 0] * cosine - steps[:, 1] * sine).sum()),
        left_hand_m=float(left.max()),
        right_hand_m=float(right.max()),
        pelvis_drop_m=float(height[0] - height.min()),
        pelvis_rise_m=float(height.max() - height[0]),
        pelvis_end_m=float(height[-1] - height[0]),
        pace_m_s=float(speeds[travels].mean()) if travels.any() else 0.0,
        travel_s=float(travels.sum() / skeleton.fps),
        left_foot_m=float(np.ptp(left_ankle[:, 1])),
        right_foot_m=float(np.ptp(right_ankle[:, 1])),
        bend_deg=float(np.rad2deg(lean.max() - lean[0])),
        lean_left_deg=float((aside - np.median(aside)).max()),
        lean_right_deg=float((np.median(aside) - aside).max()),
        hands_apart_m=float(np.linalg.norm(np.subtract(*wrists), axis=1).min()),
        turns=turns_of(heading, skeleton.fps),
        steps=count_steps(_ahead(left_ankle - right_ankle, heading)),
        left_hand_up_s=spans_of(left >= HAND_UP_M, skeleton.fps),
        right_hand_up_s=spans_of(right >= HAND_UP_M, skeleton.fps),
        actions=measured(body),
    )


def hand_level(height_m: float) -> str:
    """The name in `LEVELS` of the height of a wrist above the head joint."""
    return next(name for name, lowest in LEVELS if height_m >= lowest)


def _ahead(vectors: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """(T,) how far vectors (T, 3) point to where the body faces."""
    return vectors[:, 0] * np.sin(heading) + vectors[:, 2] * np.cos(heading)


def _lean(joints: np.ndarray, heading: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(T,) radians by which the trunk, from the pelvis to where the head begins, is bent forward."""
    trunk = joints[:, skeleton.parents[skeleton.joint("head")]] - joints[:, 0]
    return np.arctan2(_ahead(trunk, heading), trunk[:, 1])
