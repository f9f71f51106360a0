"""Going somewhere: a path with a soft start and stop, stepped along at a pace."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dataset.toy.body import ROLL, Pose
from dataset.toy.curves import ease, smooth
from dataset.toy.gait import BodyPath, Gait, Step, step_along, step_schedule
from dataset.toy.performer import FPS, Performer, frame_times

_FINE = 0.005  # seconds; paths are integrated on this grid
_GRAVITY = 9.81


@dataclass(frozen=True)
class Pace:
    """Metres per step and the gait that goes with them."""

    step_length: float
    gait: Gait


def _straight(distance: np.ndarray) -> np.ndarray:
    return 0.0 * distance


def travel(
    pace: Pace,
    performer: Performer,
    length: float,
    count: int,
    rng: np.random.Generator,
    direction: float = 0.0,
    bend: Callable[[np.ndarray], np.ndarray] = _straight,
    first: int | None = None,
) -> Pose:
    """`count` steps over `length` metres, from standing to standing.

    Args:
        direction: of travel relative to the heading (pi: backward, pi / 2: to the left).
        bend: heading after s metres.
        first: the foot that steps first; default is the performer's own.
    """
    first = performer.first_side if first is None else first
    start = rng.uniform(0.20, 0.35)
    steps = step_schedule(pace.gait, start, count, first)
    path = _body_path(start, steps[-1].land, pace, length, direction, bend)
    times = frame_times(steps[-1].land + rng.uniform(0.25, 0.40))
    pose = step_along(performer, times, path, steps, pace.gait)
    return replace(pose, height=pose.height + _rise_and_fall(times, steps, pace.gait))


def _body_path(
    start: float,
    end: float,
    pace: Pace,
    length: float,
    direction: float,
    bend: Callable[[np.ndarray], np.ndarray],
) -> BodyPath:
    """The body's x, z, heading over time; it sets off a moment before the first foot and settles with the last."""
    grid = np.arange(0.0, end + 0.5, _FINE)
    ramp = min(0.75, 0.45 * (end - start), 1.3 * pace.gait.step_time)
    speed = ease((grid - start + 0.12) / ramp) * ease((end + 0.08 - grid) / ramp)
    speed *= length / (speed.sum() * _FINE)
    heading = bend(np.cumsum(speed) * _FINE)
    x = np.cumsum(speed * np.sin(heading + direction)) * _FINE
    z = np.cumsum(speed * np.cos(heading + direction)) * _FINE

    def path(times: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(times, grid, column) for column in (x, z, heading)], 1)

    return path


def _rise_and_fall(times: np.ndarray, steps: list[Step], gait: Gait) -> np.ndarray:
    """(n,) pelvis height on the way: lowest over the middle of a stance when there is a flight phase."""
    on_the_way = ease((times - steps[0].lift + 0.1) / 0.4) * ease((steps[-1].land + 0.1 - times) / 0.4)
    if not gait.bounce:
        return gait.float_height * on_the_way
    flight_middle = steps[0].land - 0.5 * (gait.swing_time - gait.step_time)
    phase = 2 * math.pi * (times - flight_middle) / gait.step_time
    return on_the_way * (gait.float_height + gait.bounce * np.cos(phase))


def leaning_in(pose: Pose) -> Pose:
    """Lean of the trunk towards the inside of a curve, as the centripetal force asks for (softened)."""
    speed = np.linalg.norm(np.gradient(pose.root, axis=0), axis=1) * FPS
    turning = np.gradient(pose.heading) * FPS
    lean = smooth(np.clip(0.6 * np.arctan(speed * turning / _GRAVITY), -0.2, 0.2), 3.0)
    pelvis, spine, head = pose.pelvis.copy(), pose.spine.copy(), pose.head.copy()
    pelvis[:, ROLL] += 0.5 * lean
    spine[:, ROLL] += 0.5 * lean
    head[:, ROLL] -= 0.6 * lean
    head[:, 2] += smooth(0.16 * turning, 2.0)
    return replace(pose, pelvis=pelvis, spine=spine, head=head)


def cut_ends(pose: Pose, pace: Pace, rolling: bool) -> Pose:
    """Without the two steps of setting off and the two of stopping, if `rolling`."""
    if not rolling:
        return pose
    margin = round((2.0 * pace.gait.step_time + 0.30) * FPS)
    return pose.picked(np.arange(margin, len(pose) - margin))
