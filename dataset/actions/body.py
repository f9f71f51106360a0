"""Joints become what the measuring of actions looks at: places, and what is where as the body sees it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from utils.motion.skeleton import Skeleton
from utils.motion.smoothing import smoothed

SIDES = ("left", "right")
# Columns of what is measured as the body sees it.
LEFT, UP, FORWARD = 0, 1, 2
_SMOOTHING_S = 0.08  # takes the jitter of a decoded motion and leaves a punch its speed


@dataclass(frozen=True, eq=False)
class Body:
    """One clip.

    Attributes:
        raw: (T, J, 3) joints in metres (`Skeleton.in_metres`).
    """

    raw: np.ndarray
    skeleton: Skeleton

    @property
    def fps(self) -> float:
        return self.skeleton.fps

    @cached_property
    def joints(self) -> np.ndarray:
        """(T, J, 3) metres, lightly smoothed."""
        return smoothed(self.raw.astype(np.float64), _SMOOTHING_S * self.fps)

    @cached_property
    def heading(self) -> np.ndarray:
        """(T,) radians, unwrapped: 0 faces +Z, growing to the left."""
        return headings(self.joints, self.skeleton)

    @property
    def height(self) -> np.ndarray:
        """(T,) metres of the pelvis."""
        return self.joints[:, 0, 1]

    def seconds(self, frame: int) -> float:
        """The time of a frame."""
        return float(frame / self.fps)

    def place(self, name: str) -> np.ndarray:
        """(T, 3) metres of a joint in the world."""
        return self.joints[:, self.skeleton.joint(name)]

    def seen(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors (T, 3) of the world as the body sees them: to its left, up, forward."""
        sine, cosine = np.sin(self.heading), np.cos(self.heading)
        left = vectors[:, 0] * cosine - vectors[:, 2] * sine
        forward = vectors[:, 0] * sine + vectors[:, 2] * cosine
        return np.stack([left, vectors[:, 1], forward], axis=1)

    def between(self, start: str, end: str) -> np.ndarray:
        """(T, 3) the way from one joint to another as the body sees it."""
        return self.seen(self.place(end) - self.place(start))

    @cached_property
    def trunk(self) -> np.ndarray:
        """(T, 3) from the pelvis to the middle of the shoulders, as the body sees it."""
        return self.seen((self.place("left_shoulder") + self.place("right_shoulder")) / 2 - self.joints[:, 0])

    @property
    def bend_deg(self) -> np.ndarray:
        """(T,) by how much the trunk leans forward; negative backward."""
        return np.rad2deg(np.arctan2(self.trunk[:, FORWARD], self.trunk[:, UP]))

    @property
    def lean_deg(self) -> np.ndarray:
        """(T,) by how much the trunk leans to the left; negative to the right."""
        return np.rad2deg(np.arctan2(self.trunk[:, LEFT], np.hypot(self.trunk[:, UP], self.trunk[:, FORWARD])))

    @cached_property
    def legs_m(self) -> float:
        """Length of a stretched leg from hip to ankle."""
        return self._length("left_hip", "left_knee") + self._length("left_knee", "left_ankle")

    @cached_property
    def arms_m(self) -> float:
        """Length of a stretched arm from shoulder to wrist."""
        return self._length("left_shoulder", "left_elbow") + self._length("left_elbow", "left_wrist")

    def lifted(self, side: str) -> np.ndarray:
        """(T,) metres by which the ankle is above where it stands."""
        height = self.place(f"{side}_ankle")[:, 1]
        return height - np.percentile(height, 5)

    def _length(self, start: str, end: str) -> float:
        return float(np.median(lengths(self.place(end) - self.place(start))))


def lengths(vectors: np.ndarray) -> np.ndarray:
    """(T, 3) -> (T,), never 0: a body may have joints in one place."""
    return np.maximum(np.linalg.norm(vectors, axis=1), 1e-6)


def headings(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """joints (T, J, 3) in metres -> (T,) radians, unwrapped: 0 faces +Z, growing to the left (+X)."""
    left, right = (
        joints[:, skeleton.joint(f"{side}_hip")] + joints[:, skeleton.joint(f"{side}_shoulder")] for side in SIDES
    )
    across = left - right
    return np.unwrap(np.arctan2(-across[:, 2], across[:, 0]))
