"""A performer on planted feet waves, raises an arm, punches, claps, bows and leans: toy actions of arms and trunk."""

from dataclasses import replace

import numpy as np

from dataset.toy.body import SIDE_SIGN
from dataset.toy.curves import envelope, pulses
from dataset.toy.performer import Performer, frame_times, standing
from dataset.toy.pose import PITCH, ROLL, YAW, Pose
from dataset.toy.programs import SIDES, Action

SPEED_FACTOR = {"slow": 1.55, "normal": 1.0, "quick": 0.68}  # of all durations

# Arm angles: raised to the front, raised to the side, twisted outward, elbow bent.
_WAVING = (0.10, 1.30, 1.40, 1.68)
_RAISED = {"front": (1.50, 0.06, -0.05, 0.12), "side": (0.06, 1.48, 0.10, 0.12), "overhead": (2.75, -0.04, 0.00, 0.18)}
_GUARD = (0.62, 0.24, -0.55, 2.15)
_PUNCHED = (1.48, -0.08, -0.30, 0.14)
_CLAP_OPEN = {"front": (0.78, 0.30, 0.15, 1.38), "overhead": (2.58, -0.34, -0.35, 0.50)}
_CLAP_SHUT = {"front": (0.80, 0.08, -0.63, 1.42), "overhead": (2.62, 0.10, -0.42, 0.62)}


def limbs(side: str) -> list[int]:
    """The indices of the sides that a program names: left, right or both."""
    return [0, 1] if side == "both" else [SIDES.index(side)]


def towards(tracks: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The tracks (n, k), moved towards a target (k,) or (n, k) by a weight (n,) in [0, 1]."""
    return tracks + weight[:, None] * (np.asarray(target) - tracks)


def _varied(angles: tuple[float, ...], rng: np.random.Generator, size: float = 0.07) -> np.ndarray:
    """Arm angles that differ a little from clip to clip; the elbow half as much."""
    return np.array(angles) + rng.normal(0.0, size, len(angles)).clip(-2 * size, 2 * size) * [1, 1, 1, 0.5]


def wave(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """The hand goes up beside the head, the forearm swings out and in `count` times, the hand goes down."""
    factor = SPEED_FACTOR[action.speed] * performer.tempo
    raise_time, period = 0.62 * factor**0.7, 0.56 * factor
    start = rng.uniform(0.15, 0.35)
    first = start + 0.75 * raise_time
    end = first + action.count * period + 0.95 * raise_time
    times = frame_times(end + rng.uniform(0.2, 0.4))
    up = envelope(times, start, end, raise_time)
    phase = np.clip((times - first) / period, 0.0, action.count)
    swing = np.sin(2 * np.pi * phase) * envelope(times, first - 0.1, first + action.count * period + 0.1, 0.2)
    size = rng.uniform(0.36, 0.50) * performer.energy
    pose = standing(performer, len(times))
    arms, spine = pose.arms.copy(), pose.spine.copy()
    target = _varied(_WAVING, rng)
    for side in limbs(action.side):
        goal = target + np.outer(swing, [0.0, -0.10, 0.10, -1.0]) * size
        arms[:, side] = towards(arms[:, side], goal, up)
        spine[:, ROLL] -= 0.05 * SIDE_SIGN[side] * up
    return replace(pose, arms=arms, spine=spine)


def raise_arm(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """The arm goes up, stays a moment and goes down, `count` times."""
    factor = SPEED_FACTOR[action.speed] * performer.tempo
    move = {"front": 0.72, "side": 0.78, "overhead": 0.95}[action.way] * factor
    hold = rng.uniform(0.30, 0.50)
    period = 2 * move + hold + 0.10
    start = rng.uniform(0.15, 0.35)
    times = frame_times(start + action.count * period + rng.uniform(0.15, 0.35))
    up = np.zeros(len(times))
    for index in range(action.count):
        begin = start + index * period
        up += envelope(times, begin, begin + 2 * move + hold, move)
    pose = standing(performer, len(times))
    arms, spine, head = pose.arms.copy(), pose.spine.copy(), pose.head.copy()
    target = _varied(_RAISED[action.way], rng)
    for side in limbs(action.side):
        arms[:, side] = towards(arms[:, side], target, up)
        spine[:, ROLL] -= {"front": 0.01, "side": 0.05, "overhead": 0.03}[action.way] * SIDE_SIGN[side] * up
    spine[:, PITCH] -= 0.05 * up
    if action.way == "overhead":
        head[:, PITCH] -= rng.uniform(0.0, 0.25) * up
    return replace(pose, arms=arms, spine=spine, head=head)


def punch(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """The fists come up, one punches straight `count` times with a turn of the trunk, the arms go down."""
    factor = SPEED_FACTOR[action.speed] * performer.tempo
    guard_time, period = 0.50 * factor**0.6, 0.80 * factor
    start = rng.uniform(0.10, 0.25)
    first = start + guard_time
    last = first + action.count * period
    times = frame_times(last + guard_time + 0.1 + rng.uniform(0.15, 0.3))
    guard = envelope(times, start, last + guard_time + 0.1, guard_time)
    hit = pulses(times, first, period, action.count, peak=0.42)
    side = SIDES.index(action.side)
    pose = standing(performer, len(times))
    arms, spine, pelvis = pose.arms.copy(), pose.spine.copy(), pose.pelvis.copy()
    shift = pose.shift.copy()
    for other in (0, 1):
        arms[:, other] = towards(arms[:, other], _varied(_GUARD, rng, 0.05), guard)
    arms[:, side] = towards(arms[:, side], _varied(_PUNCHED, rng, 0.04), hit)
    turn = -SIDE_SIGN[side] * rng.uniform(0.40, 0.55) * performer.energy
    spine[:, YAW] += turn * hit - 0.25 * turn * guard
    pelvis[:, YAW] += 0.35 * turn * hit
    spine[:, PITCH] += 0.08 * guard + 0.06 * hit
    shift[:, 1] += 0.045 * hit
    head = pose.head.copy()
    head[:, YAW] -= turn * hit - 0.25 * turn * guard
    return replace(pose, arms=arms, spine=spine, pelvis=pelvis, shift=shift, head=head, height=-0.035 * guard)


def clap(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """The hands meet `count` times, before the chest or over the head."""
    factor = SPEED_FACTOR[action.speed] * performer.tempo
    overhead = action.way == "overhead"
    raise_time = (0.85 if overhead else 0.60) * factor**0.6
    period = (0.66 if overhead else 0.54) * factor
    start = rng.uniform(0.15, 0.30)
    first = start + 0.9 * raise_time
    last = first + action.count * period
    times = frame_times(last + 0.95 * raise_time + rng.uniform(0.2, 0.4))
    up = envelope(times, start, last + 0.95 * raise_time, raise_time)
    shut = pulses(times, first, period, action.count, peak=0.5)
    pose = standing(performer, len(times))
    arms, head = pose.arms.copy(), pose.head.copy()
    apart, together = _varied(_CLAP_OPEN[action.way], rng, 0.05), np.array(_CLAP_SHUT[action.way])
    for side in (0, 1):
        arms[:, side] = towards(arms[:, side], towards(np.tile(apart, (len(times), 1)), together, shut), up)
    head[:, PITCH] += (-0.15 if overhead else 0.08) * up
    return replace(pose, arms=arms, head=head)


def bow(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """The trunk bends forward from the hips and comes up again, `count` times; the arms hang."""
    factor = SPEED_FACTOR[action.speed] * performer.tempo
    deep = action.way == "deep"
    move, hold = (1.0 if deep else 0.75) * factor, rng.uniform(0.20, 0.45) * factor
    period = 2 * move + hold + 0.15
    start = rng.uniform(0.15, 0.30)
    times = frame_times(start + action.count * period + rng.uniform(0.15, 0.35))
    down = np.zeros(len(times))
    for index in range(action.count):
        begin = start + index * period
        down += envelope(times, begin, begin + 2 * move + hold, move)
    angle = (rng.uniform(1.15, 1.40) if deep else rng.uniform(0.48, 0.62)) * down
    pose = standing(performer, len(times))
    pelvis, spine, head = pose.pelvis.copy(), pose.spine.copy(), pose.head.copy()
    arms, shift = pose.arms.copy(), pose.shift.copy()
    pelvis[:, PITCH] += 0.50 * angle
    spine[:, PITCH] += 0.50 * angle
    head[:, PITCH] += 0.15 * angle
    arms[:, :, 0] += rng.uniform(0.45, 0.85) * angle[:, None]
    shift[:, 1] -= 0.13 * np.sin(angle)
    return replace(pose, pelvis=pelvis, spine=spine, head=head, arms=arms, shift=shift)


def lean(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """The trunk bends to one side and comes upright again, `count` times."""
    move, hold = 0.75 * performer.tempo, rng.uniform(0.15, 0.35)
    period = 2 * move + hold + 0.15
    start = rng.uniform(0.15, 0.30)
    times = frame_times(start + action.count * period + rng.uniform(0.15, 0.35))
    over = np.zeros(len(times))
    for index in range(action.count):
        begin = start + index * period
        over += envelope(times, begin, begin + 2 * move + hold, move)
    sign = SIDE_SIGN[SIDES.index(action.way)]
    size = rng.uniform(0.50, 0.65) * sign * over
    pose = standing(performer, len(times))
    spine, head, shift, arms = pose.spine.copy(), pose.head.copy(), pose.shift.copy(), pose.arms.copy()
    pelvis = pose.pelvis.copy()
    spine[:, ROLL] += size
    pelvis[:, ROLL] += 0.15 * size
    head[:, ROLL] += 0.3 * size
    shift[:, 0] -= 0.07 * size
    near = SIDES.index(action.way)
    arms[:, near, 1] += 0.30 * np.abs(size)
    return replace(pose, spine=spine, head=head, shift=shift, arms=arms, pelvis=pelvis)
