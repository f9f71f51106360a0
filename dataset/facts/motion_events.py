"""Time series of a motion become events: turns, steps, the times that a hand is up.

`dataset.facts.motion_facts` measures the series.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d

# A change of heading that counts as a turn of its own, and the smoothing that takes the swing of the steps out of it.
TURN_DEG = 40.0
_SMOOTHING_S = 0.2
# A turn lasts from the first to the last of its degrees but for this share at either end.
_TAIL = 0.1
# How far a foot has to come before the other one to count as a step.
_STEP_M = 0.1


@dataclass(frozen=True)
class Turn:
    """A change of heading in one direction: `degrees` (left is positive) between two moments in seconds."""

    degrees: float
    start_s: float
    end_s: float


def turns_of(heading: np.ndarray, fps: float) -> tuple[Turn, ...]:
    """The turns of at least `TURN_DEG`, in order.

    Args:
        heading: (T,) unwrapped radians, growing to the left.
    """
    degrees = gaussian_filter1d(np.rad2deg(heading), _SMOOTHING_S * fps, mode="nearest")
    found = []
    for first, last in pairwise(_turning_points(degrees)):
        turned = degrees[last] - degrees[first]
        if abs(turned) >= TURN_DEG:
            # A turn fades in and out: its times are those between which all but a tail of it is done.
            share = (degrees[first : last + 1] - degrees[first]) / turned
            start = first + int(np.flatnonzero(share <= _TAIL)[-1])
            end = first + int(np.flatnonzero(share >= 1 - _TAIL)[0])
            found.append(Turn(float(turned), start / fps, end / fps))
    return tuple(found)


def _turning_points(values: np.ndarray) -> list[int]:
    """The first frame, every frame where `values` turns back by at least `TURN_DEG`, and the last."""
    return sorted({0, *_reversals(values), len(values) - 1})


def _reversals(values: np.ndarray) -> Iterator[int]:
    """Every frame where `values` begins to go back by at least `TURN_DEG`."""
    highest = lowest = direction = 0
    for frame, value in enumerate(values):
        highest = frame if value > values[highest] else highest
        lowest = frame if value < values[lowest] else lowest
        if direction >= 0 and values[highest] - value >= TURN_DEG:
            yield highest
            direction, lowest = -1, frame
        elif direction <= 0 and value - values[lowest] >= TURN_DEG:
            yield lowest
            direction, highest = 1, frame
        # Going on in the same direction, only the newest extreme can be where it turns back.
        if direction < 0:
            highest = lowest
        elif direction > 0:
            lowest = highest


def count_steps(ahead: np.ndarray) -> int:
    """The number of steps: how often the other foot comes to the front.

    Args:
        ahead: (T,) metres by which the left foot is ahead of the right one.
    """
    sides = np.sign(ahead)[np.abs(ahead) > _STEP_M]
    return int((sides[1:] != sides[:-1]).sum())


def spans_of(mask: np.ndarray, fps: float) -> tuple[tuple[float, float], ...]:
    """(start, end) in seconds of every run of True in `mask` (T,)."""
    # A run begins where the mask rises and ends where it falls.
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return tuple((start / fps, end / fps) for start, end in edges.reshape(-1, 2).tolist())


def joined(
    spans: Sequence[tuple[float, float]], longest_pause_s: float, shortest_s: float
) -> list[tuple[float, float]]:
    """The spans, joined over pauses of at most `longest_pause_s`, without those then shorter than `shortest_s`."""
    runs: list[tuple[float, float]] = []
    for start, end in spans:
        if runs and start - runs[-1][1] <= longest_pause_s:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return [(start, end) for start, end in runs if end - start >= shortest_s]
