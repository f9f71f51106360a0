"""Time series of a motion become events: runs in one direction, excursions from rest, turns, steps, spans of time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from utils.motion.smoothing import smoothed

# A change of heading that counts as a turn of its own, and the smoothing that takes the swing of the steps out of it.
TURN_DEG = 40.0
_SMOOTHING_S = 0.2
# A run lasts from the first to the last of its change but for this share at either end: it fades in and out.
_TAIL = 0.1
# How far a foot has to come before the other one to count as a step.
_STEP_M = 0.1


@dataclass(frozen=True)
class Turn:
    """A change of heading in one direction: `degrees` (left is positive) between two moments in seconds."""

    degrees: float
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Excursion:
    """Frames in which a value leaves its rest: [start, end), with the frame of its extreme."""

    start: int
    end: int
    peak: int


def turns_of(heading: np.ndarray, fps: float) -> tuple[Turn, ...]:
    """The turns of at least `TURN_DEG`, in order.

    Args:
        heading: (T,) unwrapped radians, growing to the left.
    """
    degrees = smoothed(np.rad2deg(heading), _SMOOTHING_S * fps)
    found = []
    for first, last in runs(degrees, TURN_DEG):
        start, end = core(degrees, first, last)
        found.append(Turn(float(degrees[last] - degrees[first]), start / fps, end / fps))
    return tuple(found)


def runs(values: np.ndarray, least: float) -> list[tuple[int, int]]:
    """(first, last) frames between which values (T,) go one way by at least `least`, in order."""
    points = sorted({0, *_reversals(values, least), len(values) - 1})
    return [(a, b) for a, b in pairwise(points) if abs(values[b] - values[a]) >= least]


def core(values: np.ndarray, first: int, last: int, tail: float = _TAIL) -> tuple[int, int]:
    """The frames of a run between which all of its change is done but for the share `tail` at either end."""
    share = (values[first : last + 1] - values[first]) / (values[last] - values[first])
    return first + int(np.flatnonzero(share <= tail)[-1]), first + int(np.flatnonzero(share >= 1 - tail)[0])


def swings(values: np.ndarray, least: float) -> int:
    """How often values (T,) go to and fro by at least `least`; going there and back once is none."""
    turning = sum(0 < frame < len(values) - 1 for frame in _reversals(values, least))
    return (turning + 1) // 2 if turning > 1 else 0


def excursions(values: np.ndarray, reached: float, back: float) -> list[Excursion]:
    """Every run of values (T,) above `back` in which `reached` is reached, in order."""
    found = [Excursion(start, end, start + int(values[start:end].argmax())) for start, end in true_runs(values > back)]
    return [item for item in found if values[item.peak] >= reached]


def true_runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """[start, end) in frames of every run of True in `mask` (T,)."""
    # A run begins where the mask rises and ends where it falls.
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(start, end) for start, end in edges.reshape(-1, 2).tolist()]


def spans_of(mask: np.ndarray, fps: float) -> tuple[tuple[float, float], ...]:
    """(start, end) in seconds of every run of True in `mask` (T,)."""
    return tuple((start / fps, end / fps) for start, end in true_runs(mask))


def _reversals(values: np.ndarray, least: float) -> Iterator[int]:
    """Every frame where `values` begins to go back by at least `least`; the first may be frame 0."""
    highest = lowest = direction = 0
    for frame, value in enumerate(values):
        highest = frame if value > values[highest] else highest
        lowest = frame if value < values[lowest] else lowest
        if direction >= 0 and values[highest] - value >= least:
            yield highest
            direction, lowest = -1, frame
        elif direction <= 0 and value - values[lowest] >= least:
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


def joined(
    spans: Sequence[tuple[float, float]], longest_pause_s: float, shortest_s: float
) -> list[tuple[float, float]]:
    """The spans, joined over pauses of at most `longest_pause_s`, without those then shorter than `shortest_s`."""
    found: list[tuple[float, float]] = []
    for start, end in spans:
        if found and start - found[-1][1] <= longest_pause_s:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return [(start, end) for start, end in found if end - start >= shortest_s]
