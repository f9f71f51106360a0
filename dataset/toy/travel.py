"""A body travels along a path: it sets off and stops softly, on feet that step at a pace."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dataset.toy.curves import ease
from dataset.toy.gait import BodyPath, Gait, Step, step_along, step_schedule
from dataset.toy.performer import FPS, Performer, frame_times
from dataset.toy.pose import ROLL, Pose
from utils.motion.smoothing import smoothed

_FINE = 0.005  # seconds; paths are integrated on this grid
_GRAVITY = 9.81


@dataclass(frozen=True)
class Pace:
    """How long the steps are in metres, and the gait that goes with them."""

    step_length: float
    gait: Gait


def _straight(distance: np.ndarray) -> np.ndarray:
    return 0.0 * distance


@dataclass(frozen=True)
class Route:
    """Where the body goes, and in how many steps.

    Attributes:
        length: metres of the way.
        steps: number of steps on it.
        direction: of travel relative to the heading (pi: backward, pi / 2: to the left).
        bend: heading after s metres.
        first_side: the foot that steps first; None leaves it to the performer.
    """

    length: float
    steps: int
    direction: float = 0.0
    bend: Callable[[np.ndarray], np.ndarray] = _straight
    first_side: int | None = None


def travel(route: Route, pace: Pace, performer: Performer, rng: np.random.Generator) -> Pose:
    """The body goes the route from standing to standing."""
    first_side = performer.first_side if route.first_side is None else route.first_side
    start = rng.uniform(0.20, 0.35)
    steps = step_schedule(pace.gait, start, route.steps, first_side)
    path = _body_path(route, pace, start, steps[-1].land)
    times = frame_times(steps[-1].land + rng.uniform(0.25, 0.40))
    pose = step_along(performer, times, path, steps, pace.gait)
    return replace(pose, height=pose.height + _rise_and_fall(times, steps, pace.gait))


def _body_path(route: Route, pace: Pace, start: float, end: float) -> BodyPath:
    """The body's x, z, heading over time; it sets off a moment before the first foot and settles with the last."""
    # The speed rises, stays and falls, scaled so that the whole way has the length of the route.
    grid = np.arange(0.0, end + 0.5, _FINE)
    ramp = min(0.75, 0.45 * (end - start), 1.3 * pace.gait.step_time)
    speed = ease((grid - start + 0.12) / ramp) * ease((end + 0.08 - grid) / ramp)
    speed *= route.length / (speed.sum() * _FINE)
    heading = route.bend(np.cumsum(speed) * _FINE)
    x = np.cumsum(speed * np.sin(heading + route.direction)) * _FINE
    z = np.cumsum(speed * np.cos(heading + route.direction)) * _FINE

    def path(times: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(times, grid, column) for column in (x, z, heading)], 1)

    return path


def _rise_and_fall(times: np.ndarray, steps: list[Step], gait: Gait) -> np.ndarray:
    """(n,) pelvis height on the way: lowest over the middle of a stance when there is a flight phase."""
    # 0 while standing at either end, 1 on the way.
    on_the_way = ease((times - steps[0].lift + 0.1) / 0.4) * ease((steps[-1].land + 0.1 - times) / 0.4)
    if not gait.bounce:
        return gait.float_height * on_the_way
    flight_middle = steps[0].land - 0.5 * (gait.swing_time - gait.step_time)
    phase = 2 * math.pi * (times - flight_middle) / gait.step_time
    return on_the_way * (gait.float_height + gait.bounce * np.cos(phase))


def leaning_in(pose: Pose) -> Pose:
    """The same motion with the trunk leaning into its curves, as the centripetal force asks for (softened)."""
    speed = np.linalg.norm(np.gradient(pose.root, axis=0), axis=1) * FPS
    turning = np.gradient(pose.heading) * FPS
    lean = smoothed(np.clip(0.6 * np.arctan(speed * turning / _GRAVITY), -0.2, 0.2), 3.0)
    pelvis, spine, head = pose.pelvis.copy(), pose.spine.copy(), pose.head.copy()
    pelvis[:, ROLL] += 0.5 * lean
    spine[:, ROLL] += 0.5 * lean
    head[:, ROLL] -= 0.6 * lean
    head[:, 2] += smoothed(0.16 * turning, 2.0)
    return replace(pose, pelvis=pelvis, spine=spine, head=head)


def cut_ends(pose: Pose, pace: Pace, rolling: bool) -> Pose:
    """The same motion without the two steps of setting off and the two of stopping, if `rolling`."""
    if not rolling:
        return pose
    margin = round((2.0 * pace.gait.step_time + 0.30) * FPS)
    return pose.picked(np.arange(margin, len(pose) - margin))
