"""A performer jumps, squats, kicks, lifts a knee, sits down and stands up: toy actions of the legs."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from dataset.toy import body
from dataset.toy.curves import bump, ease, envelope, flowing, keyed, pulses
from dataset.toy.gait import roll_over
from dataset.toy.gestures import SPEED_FACTOR, towards
from dataset.toy.performer import Performer, frame_times, standing
from dataset.toy.pose import ABDUCT, ELBOW, FLEX, PITCH, ROLL, YAW, Pose
from dataset.toy.programs import SIDES, Action

_GRAVITY = 9.81
# Direction of a jump in the body's frame (to the left, forward), and its length in metres.
_JUMP_WAY = {"up": (0, 0), "forward": (0, 1), "backward": (0, -1), "left": (1, 0), "right": (-1, 0)}
_JUMP_REACH = {"up": 0.0, "forward": 0.55, "backward": 0.36, "left": 0.40, "right": 0.40}
_ON_TOES = 0.045  # how far the pelvis is above standing when the toes leave the ground
_THIGH_HANDS = (0.42, 0.05, -0.35, 0.95)  # arms of someone who sits
_SEAT = 0.47  # pelvis height in metres


def squat(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """The hips go down and back with the arms in front, and up again, `count` times."""
    period = 1.75 * SPEED_FACTOR[action.speed] ** 1.1 * performer.tempo
    start = rng.uniform(0.15, 0.30)
    times = frame_times(start + action.count * period + rng.uniform(0.2, 0.35))
    down = pulses(times, start, period, action.count, peak=0.5)
    depth = rng.uniform(0.36, 0.46)
    pose = standing(performer, len(times))
    pelvis, spine, head, shift = pose.pelvis.copy(), pose.spine.copy(), pose.head.copy(), pose.shift.copy()
    pelvis[:, PITCH] += 0.45 * down
    spine[:, PITCH] += 0.30 * down
    head[:, PITCH] -= 0.45 * down
    shift[:, 1] -= 0.17 * down
    arms = pose.arms.copy()
    for side in (body.LEFT, body.RIGHT):
        arms[:, side] = towards(arms[:, side], (1.85, 0.08, -0.1, 0.25), down)
    knees = np.tile((rng.uniform(0.15, 0.35) * down)[:, None], (1, 2))
    return replace(
        pose, height=-depth * down, pelvis=pelvis, spine=spine, head=head, shift=shift, arms=arms, knee_out=knees
    )


@dataclass(frozen=True)
class _Leaps:
    """When a body crouches, leaves the ground and lands, and how far down and up it goes (seconds, metres).

    Attributes:
        apex: how high the feet rise in flight.
        flight: how long they are in the air.
        crouch: how far the pelvis sinks before a leap.
        push: from the deepest crouch to the take-off.
        flights: take-off and landing of every leap.
        knots: (time, height, vertical speed) of the pelvis relative to standing.
    """

    apex: float
    flight: float
    crouch: float
    push: float
    flights: tuple[tuple[float, float], ...]
    knots: tuple[tuple[float, float, float], ...]

    @property
    def end(self) -> float:
        """When the body stands again."""
        return self.knots[-1][0]

    def pelvis_height(self, times: np.ndarray) -> np.ndarray:
        """(n,) seconds -> (n,) height of the pelvis relative to standing."""
        from scipy.interpolate import CubicHermiteSpline

        # One more knot, far behind the end, keeps the curve flat there.
        knot_times, heights, slopes = np.array([*self.knots, (self.end + 9.0, 0.0, 0.0)]).T
        return CubicHermiteSpline(knot_times, heights, slopes)(times)


def _plan_leaps(action: Action, performer: Performer, rng: np.random.Generator) -> _Leaps:
    # Free flight: the apex decides the speed at take-off, and that how long the feet are in the air.
    apex = (0.24 if action.way == "up" else 0.16) * rng.uniform(0.9, 1.25)
    speed = math.sqrt(2 * _GRAVITY * apex)
    flight = 2 * speed / _GRAVITY
    # The push must reach that speed on the way from the crouch onto the toes.
    crouch = rng.uniform(0.24, 0.30)
    push = 1.75 * (crouch + _ON_TOES) / speed
    start = rng.uniform(0.15, 0.30)
    knots, flights = [(0.0, 0.0, 0.0), (start, 0.0, 0.0)], []
    clock = start + 0.48 * performer.tempo
    for _ in range(action.count):
        takeoff = clock + push
        landing = takeoff + flight
        knots += [(clock, -crouch, 0.0), (takeoff, _ON_TOES, speed), (landing, _ON_TOES, -speed)]
        flights.append((takeoff, landing))
        clock = landing + 0.85 * push + 0.06
    # The last landing is absorbed, then the body rises.
    knots += [(clock, -0.8 * crouch, 0.0), (clock + 0.60 * performer.tempo, 0.0, 0.0)]
    return _Leaps(apex, flight, crouch, push, tuple(flights), tuple(knots))


def jump(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """The body crouches, leaps on both feet and lands softly, `count` times, each time from the last landing."""
    leaps = _plan_leaps(action, performer, rng)
    times = frame_times(leaps.end + rng.uniform(0.15, 0.35))
    height = leaps.pelvis_height(times)
    step = np.array(_JUMP_WAY[action.way]) * _JUMP_REACH[action.way] * rng.uniform(0.9, 1.15)
    pose = standing(performer, len(times))
    # The feet travel in the air only; the body sets off before them and settles after them.
    moved_body = sum(ease((times - a + 0.16) / (b - a + 0.32)) for a, b in leaps.flights)
    ankles, foot_pitch = _leaping_feet(pose, leaps, step, times)
    # The trunk bends with the crouch, and the head keeps looking ahead.
    crouched = np.clip(-height / leaps.crouch, 0.0, 1.0)
    pelvis, spine, head, arms = pose.pelvis.copy(), pose.spine.copy(), pose.head.copy(), pose.arms.copy()
    pelvis[:, PITCH] += 0.38 * crouched
    spine[:, PITCH] += 0.30 * crouched
    head[:, PITCH] -= 0.35 * crouched
    shift = pose.shift.copy()
    shift[:, 1] -= 0.10 * crouched
    # The arms swing back before a leap and forward with it, further for a jump straight up.
    reach = _arm_swing(leaps, times) * performer.energy
    arms[:, :, FLEX] += (rng.uniform(0.9, 1.4) if action.way == "up" else 0.9) * reach[:, None]
    arms[:, :, ELBOW] += 0.35 * np.abs(reach)[:, None]
    return replace(
        pose,
        root=np.outer(moved_body, step),
        height=height,
        shift=shift,
        pelvis=pelvis,
        spine=spine,
        head=head,
        arms=arms,
        ankles=ankles,
        foot_pitch=np.tile(foot_pitch[:, None], (1, 2)),
    )


def _leaping_feet(pose: Pose, leaps: _Leaps, step: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ankles (n, 2, 3) and pitch (n,) of both feet, which move alike by `step` (to the left, forward) in each leap."""
    pitch_keys, air, tuck = [(0.0, 0.0)], np.zeros(len(times)), np.zeros(len(times))
    for takeoff, landing in leaps.flights:
        # Heels up for the push, toes first in landing, flat a moment later.
        middle = 0.5 * (takeoff + landing)
        pitch_keys += [(takeoff - 0.45 * leaps.push, 0.0), (takeoff, 0.85), (middle, 0.60), (landing, 0.45)]
        pitch_keys += [(landing + 0.10, 0.0)]
        # The parabola of free flight, and the knees drawn up a little on top of it.
        inside = np.clip((times - takeoff) / leaps.flight, 0.0, 1.0)
        air += 4 * leaps.apex * inside * (1 - inside)
        tuck += 0.05 * bump(inside)
    pitch = flowing(times, [*pitch_keys, (times[-1] + 9.0, 0.0)])
    forward, up = roll_over(pitch)
    moved = sum(ease((times - a) / (b - 0.02 - a)) for a, b in leaps.flights)
    ankles = pose.ankles.copy()
    for side in (body.LEFT, body.RIGHT):
        yaw = pose.foot_yaw[:, side]
        ankles[:, side, 0] += step[0] * moved + forward * np.sin(yaw)
        ankles[:, side, 2] += step[1] * moved + forward * np.cos(yaw)
        ankles[:, side, 1] += up + air + tuck
    return ankles, pitch


def _arm_swing(leaps: _Leaps, times: np.ndarray) -> np.ndarray:
    """(n,) from -1 (arms behind the body) to 1 (arms in front)."""
    keys = [(0.0, 0.0)]
    for takeoff, landing in leaps.flights:
        keys += [(takeoff - leaps.push - 0.05, -0.55), (takeoff + 0.12, 1.0), (landing + 0.05, 0.45)]
    last_landing = leaps.flights[-1][1]
    return flowing(times, [*keys, (last_landing + 0.35, -0.15), (times[-1] + 1.0, 0.0)])


def kick(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """The weight moves onto one leg while the other kicks to the front or the side and returns, `count` times."""
    high = rng.uniform(0.92, 1.08)
    # Keys of the ankle: (share of the time, outward, forward, up, heel up).
    if action.way == "front":
        path = [(0.0, 0, 0, 0, 0), (0.12, 0, 0, 0.02, 0.25), (0.36, 0, 0.12, 0.36, 0.55)]
        path += [(0.54, 0, 0.73 * high, 0.69 * high, -0.75), (0.70, 0, 0.18, 0.34, 0.25)]
    else:
        path = [(0.0, 0, 0, 0, 0), (0.12, 0, 0, 0.02, 0.25), (0.36, 0.14, 0.05, 0.24, 0.35)]
        path += [(0.54, 0.52 * high, 0.04, 0.43 * high, 0.05), (0.70, 0.16, 0.05, 0.24, 0.30)]
    path += [(0.90, 0, 0, 0.035, 0.12), (0.98, 0, 0, 0, 0), (1.0, 0, 0, 0, 0)]
    lift = 1.45 * SPEED_FACTOR[action.speed] ** 0.9 * performer.tempo
    lean_back = -0.22 if action.way == "front" else -0.06
    return _on_one_leg(action, performer, rng, np.array(path), lift, lean_back)


def lift_knee(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """One knee comes up to the hip and goes down, `count` times."""
    high = rng.uniform(0.90, 1.12)
    path = [(0.0, 0, 0, 0, 0), (0.14, 0, 0, 0.02, 0.25), (0.48, 0, 0.20, 0.40 * high, 0.35)]
    path += [(0.58, 0, 0.20, 0.40 * high, 0.30), (0.90, 0, 0, 0.035, 0.10), (0.98, 0, 0, 0, 0), (1.0, 0, 0, 0, 0)]
    return _on_one_leg(action, performer, rng, np.array(path), 1.25 * performer.tempo, 0.02)


def _on_one_leg(
    action: Action, performer: Performer, rng: np.random.Generator, path: np.ndarray, lift: float, lean_back: float
) -> Pose:
    """One foot follows `path` (k, 5) in `lift` seconds, `count` times, while the other leg carries the body.

    A row of `path`: share of the time, then outward, forward, up and heel up of the ankle.
    """
    # Shift the weight, lift the foot `count` times, come back to both feet.
    shift_time, pause = 0.42, 0.08
    start = rng.uniform(0.10, 0.25)
    first = start + 0.75 * shift_time
    last = first + action.count * (lift + pause)
    times = frame_times(last + 0.7 * shift_time + rng.uniform(0.15, 0.30))
    # The lifted foot: where its ankle is, and how much it is up.
    side = SIDES.index(action.side)
    sign = body.SIDE_SIGN[side]
    tracks, raised = np.zeros((4, len(times))), np.zeros(len(times))
    for index in range(action.count):
        local = (times - first - index * (lift + pause)) / lift
        tracks += np.stack([flowing(local, path[:, [0, column]]) for column in (1, 2, 3, 4)])
        raised += bump(local, 0.52)
    pose = standing(performer, len(times))
    pitch = pose.foot_pitch.copy()
    pitch[:, side] = tracks[3]
    forward, up = roll_over(np.maximum(pitch[:, side], 0.0))
    ankles = pose.ankles.copy()
    ankles[:, side, 0] += sign * tracks[0]
    ankles[:, side, 1] += tracks[2] + up
    ankles[:, side, 2] += tracks[1] + forward
    # The pelvis moves over the standing foot, and the trunk balances the lifted leg.
    leaning = envelope(times, start, last + 0.7 * shift_time, shift_time)
    shift, pelvis, spine, arms = pose.shift.copy(), pose.pelvis.copy(), pose.spine.copy(), pose.arms.copy()
    shift[:, 0] -= sign * (performer.half_width - 0.015) * leaning
    out = tracks[0] / 0.5
    pelvis[:, ROLL] -= sign * (0.04 * raised + 0.20 * out)
    spine[:, ROLL] += sign * (0.04 * raised - 0.05 * out)
    pelvis[:, PITCH] += 0.6 * lean_back * raised
    spine[:, PITCH] += 0.5 * lean_back * raised
    pelvis[:, YAW] -= sign * 0.12 * np.clip(tracks[1], 0, 1) * raised
    height = -0.02 * leaning - 0.015 * raised
    # The arms come up for balance and swing against the leg.
    guard = rng.uniform(0.5, 1.0)
    arms[:, :, ABDUCT] += 0.22 * guard * leaning[:, None] + 0.20 * raised[:, None]
    arms[:, :, ELBOW] += 0.75 * guard * leaning[:, None]
    arms[:, side, FLEX] -= 0.35 * raised
    arms[:, 1 - side, FLEX] += 0.40 * raised
    return replace(
        pose, height=height, shift=shift, pelvis=pelvis, spine=spine, arms=arms, ankles=ankles, foot_pitch=pitch
    )


def sit(action: Action, performer: Performer, rng: np.random.Generator) -> Pose:
    """The body goes down onto a seat that is not shown (sit), up from it (stand), or both (sit_stand)."""
    move = 1.45 * SPEED_FACTOR[action.speed] * performer.tempo
    rest = rng.uniform(0.6, 1.0)
    start = rng.uniform(0.20, 0.40)
    # How far seated over time: 0 standing, 1 on the seat.
    if action.kind == "sit":
        keys = [(start, 0.0), (start + move, 1.0)]
    elif action.kind == "stand":
        keys = [(start + 0.2, 1.0), (start + 0.2 + move, 0.0)]
    else:
        keys = [(start, 0.0), (start + move, 1.0), (start + move + rest, 1.0), (start + 2 * move + rest, 0.0)]
    tail = rest if action.kind == "sit" else rng.uniform(0.25, 0.45)
    times = frame_times(keys[-1][0] + tail)
    seated = keyed(times, keys)
    # On the way down and up the trunk leans forward to keep the weight over the feet.
    lean = np.zeros(len(times))
    for (a, low), (b, high) in pairwise(keys):
        if low != high:
            lean += bump((times - a) / (b - a), 0.60 if high > low else 0.40)
    pose = standing(performer, len(times))
    pelvis, spine, head, shift = pose.pelvis.copy(), pose.spine.copy(), pose.head.copy(), pose.shift.copy()
    pelvis[:, PITCH] += 0.45 * lean - 0.08 * seated
    spine[:, PITCH] += 0.30 * lean + 0.10 * seated
    head[:, PITCH] -= 0.40 * lean
    shift[:, 1] -= 0.30 * seated
    # The hands end up on the thighs.
    arms = pose.arms.copy()
    hands = np.array(_THIGH_HANDS) + rng.normal(0.0, 0.04, 4)
    for side in (body.LEFT, body.RIGHT):
        arms[:, side] = towards(arms[:, side], hands, seated)
        arms[:, side, FLEX] += 0.35 * lean
    seat = _SEAT + rng.uniform(-0.02, 0.03)
    knees = np.tile((0.10 * seated)[:, None], (1, 2))
    return replace(
        pose,
        height=(seat - body.STANDING_HEIGHT) * seated,
        pelvis=pelvis,
        spine=spine,
        head=head,
        shift=shift,
        arms=arms,
        knee_out=knees,
    )
