"""A performer walks, runs, sidesteps, turns in place and walks in a circle: toy actions on stepping feet."""

import math
from dataclasses import replace

import numpy as np

from dataset.toy.curves import ease
from dataset.toy.gait import Gait, step_along, step_schedule
from dataset.toy.performer import Performer, frame_times
from dataset.toy.pose import ABDUCT, FLEX, TWIST, YAW, Pose
from dataset.toy.programs import SIDES, Action
from dataset.toy.travel import Pace, Route, cut_ends, leaning_in, travel

_WALK = {
    "slow": Pace(0.46, Gait(0.74, 0.54, push=0.60, strike=0.36, clearance=0.09, arm_swing=0.8, stride=0.9)),
    "normal": Pace(0.62, Gait(0.55, 0.43)),
    "quick": Pace(0.74, Gait(0.45, 0.38, push=0.85, strike=0.44, fold=1.0, arm_swing=1.1, elbow=0.35, lean=0.07)),
}
_WALK_BACK = {
    "slow": Pace(0.34, Gait(0.74, 0.52)),
    "normal": Pace(0.42, Gait(0.58, 0.44)),
    "quick": Pace(0.52, Gait(0.45, 0.37)),
}
_RUN = {
    "slow": Pace(0.82, Gait(0.38, 0.46, fold=1.15, clearance=0.16, arm_swing=0.9, elbow=1.25, lean=0.10)),
    "normal": Pace(0.96, Gait(0.36, 0.46, fold=1.35, clearance=0.20, arm_swing=1.0, elbow=1.35, lean=0.15)),
    "quick": Pace(1.16, Gait(0.33, 0.45, fold=1.5, clearance=0.24, arm_swing=1.1, elbow=1.4, lean=0.22)),
}
# Seconds per foot.
_SIDESTEP = {"slow": 0.62, "normal": 0.45, "quick": 0.34}
_TURN = {"slow": 0.60, "normal": 0.44, "quick": 0.34}
# What going backward and running change in a gait.
_BACKWARD = {
    "push": -0.08,
    "strike": -0.36,
    "fold": 0.25,
    "clearance": 0.09,
    "arm_swing": 0.5,
    "lean": -0.02,
    "float_height": -0.03,
    "placing": 0.10,
}
_RUNNING = {"push": 0.95, "strike": 0.22, "trail": 0.10, "sway": 0.010, "bounce": 0.03, "float_height": -0.045}


def walk(action: Action, performer: Performer, rng: np.random.Generator, rolling: bool = False) -> Pose:
    """A walk straight forward or backward, or forward with a turn; `rolling` cuts off the first and last steps."""
    backward = action.way == "backward"
    pace = (_WALK_BACK if backward else _WALK)[action.speed]
    if backward:
        pace = replace(pace, gait=replace(pace.gait, **_BACKWARD))
    pace = _personal(pace, performer, rng)
    if action.degrees:
        return _with_turn(action, pace, performer, rng, rolling)
    count = action.count or _open_steps(pace, rng)
    count += 4 if rolling else 0
    length = pace.step_length * (count - 0.9)
    pose = travel(Route(length, count, math.pi if backward else 0.0), pace, performer, rng)
    return cut_ends(pose, pace, rolling)


def run(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """A run, in full stride from the first to the last frame."""
    pace = _RUN[action.speed]
    pace = _personal(replace(pace, gait=replace(pace.gait, **_RUNNING)), performer, rng)
    if action.degrees:
        pose = _with_turn(action, pace, performer, rng, rolling=True)
    else:
        count = round(rng.uniform(2.5, 3.4) / pace.gait.step_time) + 5
        pose = travel(Route(pace.step_length * (count - 0.9), count), pace, performer, rng)
        pose = cut_ends(pose, pace, rolling=True)
    arms = pose.arms.copy()
    arms[..., ABDUCT] += 0.10
    arms[..., TWIST] -= 0.25
    arms[..., FLEX] -= 0.05
    return replace(pose, arms=arms)


def circle(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """A walk once around a circle; one to the left is counter-clockwise from above."""
    pace = _personal(_WALK[action.speed], performer, rng)
    radius = {"slow": 0.43, "normal": 0.66, "quick": 0.92}[action.speed] * rng.uniform(0.94, 1.08)
    pace = replace(pace, step_length=pace.step_length * 0.92)
    length = 2 * math.pi * radius
    angle = _sign(action.way) * 2 * math.pi
    count = round(length / pace.step_length) + 1
    pose = travel(Route(length, count, bend=lambda s: angle * s / length), pace, performer, rng)
    return leaning_in(pose)


def sidestep(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """The near foot steps out to the side and the far foot follows, `count` times."""
    foot_time = _SIDESTEP[action.speed] * performer.tempo
    gait = Gait(
        foot_time,
        0.8 * foot_time,
        clearance=0.10,
        push=0.35,
        strike=0.0,
        fold=0.35,
        stride=0.5,
        trail=0.0,
        widen=0.075,
        placing=0.16 * foot_time,
    )
    pace = Pace(rng.uniform(0.17, 0.20), gait)
    side = SIDES.index(action.way)
    count = 2 * action.count
    length = pace.step_length * count
    route = Route(length, count, direction=_sign(action.way) * math.pi / 2, first_side=side)
    return travel(route, pace, performer, rng)


def turn(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """A turn on the spot in small steps; the foot of the inner side goes first."""
    foot_time = _TURN[action.speed] * performer.tempo
    gait = Gait(foot_time, 0.82 * foot_time, clearance=0.09, push=0.5, strike=0.1, fold=0.5, stride=0.5, trail=0.0)
    count = {90: 3, 180: 5}[action.degrees]
    start = rng.uniform(0.20, 0.40)
    steps = step_schedule(gait, start, count, SIDES.index(action.way))
    angle = _sign(action.way) * math.radians(action.degrees + rng.uniform(-5, 5))
    begin, end = start - 0.10, steps[-1].land - 0.05

    def path(times: np.ndarray) -> np.ndarray:
        return np.stack([0 * times, 0 * times, angle * ease((times - begin) / (end - begin))], 1)

    times = frame_times(steps[-1].land + rng.uniform(0.25, 0.45))
    pose = step_along(performer, times, path, steps, gait)
    head = pose.head.copy()
    lead = path(times + 0.25)[:, 2] - path(times)[:, 2]  # the eyes go first
    head[:, YAW] += 0.7 * lead
    return replace(pose, head=head)


def _sign(way: str) -> float:
    """+1 to the left, -1 to the right: the sign of the heading change."""
    return {"left": 1.0, "right": -1.0}[way]


def _personal(pace: Pace, performer: Performer, rng: np.random.Generator) -> Pace:
    """The pace as this performer has it in this clip."""
    gait = replace(
        pace.gait,
        step_time=pace.gait.step_time * performer.tempo,
        swing_time=pace.gait.swing_time * performer.tempo,
        clearance=pace.gait.clearance * rng.uniform(0.92, 1.15),
        arm_swing=pace.gait.arm_swing * rng.uniform(0.8, 1.2),
        lean=pace.gait.lean + rng.uniform(-0.02, 0.03),
        sway=pace.gait.sway * rng.uniform(0.8, 1.3),
    )
    return Pace(pace.step_length * rng.uniform(0.95, 1.05), gait)


def _open_steps(pace: Pace, rng: np.random.Generator) -> int:
    """A random number of steps that take between 2.6 and 4.2 seconds."""
    return max(3, round(rng.uniform(2.6, 4.2) / pace.gait.step_time))


def _with_turn(action: Action, pace: Pace, performer: Performer, rng: np.random.Generator, rolling: bool) -> Pose:
    """A walk or run straight on, around an arc to the left or right, and straight on again."""
    angle = _sign(action.way) * math.radians(action.degrees + rng.uniform(-6, 6))
    stretch = 1.5 if action.kind == "run" else 1.0
    arc = {90: 1.15, 180: 1.75}[action.degrees] * stretch * (0.75 if action.speed == "slow" else 1.0)
    straight = {"slow": 0.7, "normal": 1.0, "quick": 1.1}[action.speed] * stretch
    before = pace.step_length * (straight * rng.uniform(1.5, 2.3) + (2.0 if rolling else 0.4))
    after = pace.step_length * (straight * rng.uniform(1.4, 2.1) + (2.0 if rolling else 0.4))
    length = before + arc + after
    count = round(length / pace.step_length + 0.6)
    route = Route(length, count, bend=lambda s: angle * ease((s - before) / arc))
    pose = travel(route, pace, performer, rng)
    return cut_ends(leaning_in(pose), pace, rolling)
