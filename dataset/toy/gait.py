"""A body steps along a path: its feet are planted by a schedule of steps, and trunk and arms follow the feet.

Every foot stands exactly still between landing and lifting; it rolls over the heel when it lands and over the toe
before it lifts. What the rest of the body does in gait (arms against legs, hips with legs, sway over the standing
leg) is computed from the feet, so it holds for walking, turning, sidestepping and circling alike.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dataset.toy import body
from dataset.toy.curves import bump, flowing, glide
from dataset.toy.performer import Performer, standing, standing_feet
from dataset.toy.pose import ABDUCT, ELBOW, FLEX, PITCH, ROLL, YAW, Pose
from utils.motion.smoothing import smoothed

_PEELING = 0.09  # seconds before lifting in which the toe joint already rises, over the tip of the toes

# Where the body is at each of the given times: (n,) seconds -> (n, 3) x, z, heading.
BodyPath = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Gait:
    """How the feet and arms of one way of stepping move (seconds, metres, radians).

    Attributes:
        step_time: from one landing to the next, which is of the other foot.
        swing_time: how long a foot is off the ground.
        clearance: height of the swinging foot.
        push: heel-up angle at which a foot leaves the ground.
        strike: toe-up angle at which it lands (negative: toe first).
        fold: heel-up angle shortly after lifting (the heel kick of running).
        stride: length of a step at which push and strike are full; shorter steps roll less.
        arm_swing: radians of arm per metre that the foot of the same side is in front.
        elbow: extra bend of the elbows.
        lean: of the trunk, forward.
        sway: of the pelvis over the standing foot.
        trail: how much further back than under the hip a foot is at the middle of its stance.
        widen: how much further out than in standing the feet are placed on the way.
        placing: seconds before landing in which a foot only comes down.
        bounce: half the rise and fall of the pelvis that a flight phase adds.
        float_height: height of the pelvis on the way relative to standing.
    """

    step_time: float
    swing_time: float
    clearance: float = 0.10
    push: float = 0.75
    strike: float = 0.40
    fold: float = 0.85
    stride: float = 1.0
    arm_swing: float = 1.0
    elbow: float = 0.10
    lean: float = 0.03
    sway: float = 0.022
    trail: float = 0.03
    widen: float = 0.0
    placing: float = 0.045
    bounce: float = 0.0
    float_height: float = -0.008


@dataclass(frozen=True)
class Step:
    """One foot in the air from `lift` to `land` (seconds)."""

    side: int
    lift: float
    land: float


def step_schedule(gait: Gait, start: float, count: int, first_side: int) -> list[Step]:
    """`count` alternating steps; the first foot lifts at `start`."""
    lifts = [start + index * gait.step_time for index in range(count)]
    return [Step((first_side + i) % 2, lift, lift + gait.swing_time) for i, lift in enumerate(lifts)]


def step_along(performer: Performer, times: np.ndarray, path: BodyPath, steps: list[Step], gait: Gait) -> Pose:
    """The pose (n frames) of a body that follows `path` on the given steps, from standing to standing."""
    rest = standing(performer, len(times))
    where = path(times)
    ankles, yaws, pitches, swings = [], [], [], []
    for side in (body.LEFT, body.RIGHT):
        own = [step for step in steps if step.side == side]
        plants = _plants(performer, path, own, side, gait)
        ankle, yaw, pitch, swing = _foot_track(times, plants, own, gait)
        ankles.append(ankle)
        yaws.append(yaw)
        pitches.append(pitch)
        swings.append(swing)
    pose = replace(
        rest,
        root=where[:, :2],
        heading=where[:, 2],
        ankles=np.stack(ankles, 1),
        foot_yaw=np.stack(yaws, 1),
        foot_pitch=np.stack(pitches, 1),
    )
    return _follow_feet(pose, performer, np.stack(swings, 1), gait)


def _plants(performer: Performer, path: BodyPath, own: list[Step], side: int, gait: Gait) -> np.ndarray:
    """(steps + 1, 3) x, z, yaw of one foot: under the body at the middle of each stance."""
    # The last stance has no end; a minute later the body certainly stands.
    middles = [0.0]
    for step, following in zip(own, [*own[1:], None], strict=True):
        middles.append(0.5 * (step.land + following.lift) if following else step.land + 60.0)
    where = path(np.array(middles))
    x, z, toe_out = standing_feet(performer)[side]
    # Between standing and standing the feet are placed as the gait says, at both ends as a standing body has them.
    moving = np.array([0.0, *(1.0 if i < len(own) - 1 else 0.0 for i in range(len(own)))])
    ahead = z - gait.trail * moving
    x = x + body.SIDE_SIGN[side] * gait.widen * moving
    sine, cosine = np.sin(where[:, 2]), np.cos(where[:, 2])
    return np.stack(
        [where[:, 0] + x * cosine + ahead * sine, where[:, 1] - x * sine + ahead * cosine, where[:, 2] + toe_out], 1
    )


def _foot_track(
    times: np.ndarray, plants: np.ndarray, own: list[Step], gait: Gait
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ankle (n, 3), yaw (n,), pitch (n,), and how much the foot is in the air (n,) in [0, 1]."""
    # On the ground the foot goes from plant to plant; a longer step is higher and rolls more.
    ground = np.tile(plants[0], (len(times), 1))
    height, swing = np.zeros(len(times)), np.zeros(len(times))
    keys = [(-1.0, 0.0)]
    landed = 0.0
    for index, step in enumerate(own):
        change = plants[index + 1] - plants[index]
        u = (times - step.lift) / (step.land - step.lift)
        ground += change * glide((times - step.lift) / (step.land - step.lift - gait.placing))[:, None]
        length = float(np.hypot(change[0], change[1]))
        effort = np.clip(length / gait.stride, 0.25, 1.0)
        rise = (times - step.lift + _PEELING) / (step.land - step.lift + _PEELING)
        height += gait.clearance * (0.6 + 0.4 * effort) * bump(rise, 0.45)
        swing += bump(u)
        keys += _roll_keys(step, landed, effort, gait)
        landed = step.land
    keys += [(landed + 0.12, 0.0), (max(times[-1], landed) + 1.0, 0.0)]
    # The rolling foot carries its ankle forward and up.
    pitch = flowing(times, keys)
    forward, up = roll_over(pitch)
    yaw = ground[:, 2]
    ankle = np.stack(
        [
            ground[:, 0] + forward * np.sin(yaw),
            body.ANKLE_HEIGHT + up + height,
            ground[:, 1] + forward * np.cos(yaw),
        ],
        1,
    )
    return ankle, yaw, pitch, swing


def _roll_keys(step: Step, landed: float, effort: float, gait: Gait) -> list[tuple[float, float]]:
    """Keys of the foot's pitch, from its landing before this step to its landing after it."""
    stance, swing = step.lift - landed, step.land - step.lift
    landing = 0.5 + 0.5 * effort
    settle, push_time = min(0.12, 0.3 * stance), min(0.28, 0.55 * stance)
    keys = [(landed + settle, 0.0)] if landed > 0 else []
    return [
        *keys,
        (step.lift - push_time, 0.0),
        (step.lift, gait.push * effort),
        (step.lift + 0.25 * swing, gait.fold * effort),
        (step.lift + 0.80 * swing, -0.8 * gait.strike * landing),
        (step.land, -gait.strike * landing),
    ]


def roll_over(pitch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far (forward, up) the ankle moves when the foot rolls over its toe (heel up) or its heel (toe up)."""
    sine, cosine = np.sin(pitch), np.cos(pitch)
    rise = body.ANKLE_HEIGHT - body.TOE_HEIGHT
    over_toe = (rise * sine - body.TOE_FORWARD * (cosine - 1.0), rise * (cosine - 1.0) + body.TOE_FORWARD * sine)
    over_heel = (
        body.ANKLE_HEIGHT * sine + body.HEEL_BACK * (cosine - 1.0),
        body.ANKLE_HEIGHT * (cosine - 1.0) - body.HEEL_BACK * sine,
    )
    return np.where(pitch > 0, over_toe[0], over_heel[0]), np.where(pitch > 0, over_toe[1], over_heel[1])


def _follow_feet(pose: Pose, performer: Performer, swings: np.ndarray, gait: Gait) -> Pose:
    """The pose with trunk and arms as its feet ask for; `swings` (n, 2) is 1 in the middle of a foot's swing."""
    # Where the feet are in front of the body, which of them is in the air, and whether the body is moving at all.
    facing = np.stack([np.sin(pose.heading), np.cos(pose.heading)], 1)
    ahead = ((pose.ankles[..., [0, 2]] - pose.root[:, None]) * facing[:, None]).sum(-1)
    ahead = smoothed(ahead - ahead[:1].mean(), 1.5)
    swings = smoothed(swings, 1.0)
    airborne = swings[:, body.LEFT] - swings[:, body.RIGHT]
    twist = -0.14 * (ahead[:, body.LEFT] - ahead[:, body.RIGHT])
    moving = np.clip(smoothed(swings.max(1), 5.0) * 1.6, 0.0, 1.0)

    # The pelvis sways over the standing leg and turns with the hips; the shoulders turn against it.
    pelvis, spine, shift = pose.pelvis.copy(), pose.spine.copy(), pose.shift.copy()
    shift[:, 0] -= gait.sway * airborne
    pelvis[:, ROLL] += 0.045 * airborne
    pelvis[:, YAW] += twist
    pelvis[:, PITCH] += 0.4 * gait.lean * moving
    spine[:, ROLL] -= 0.05 * airborne
    spine[:, YAW] -= 2.0 * twist
    spine[:, PITCH] += 0.6 * gait.lean * moving
    head = pose.head.copy()
    head[:, YAW] += twist
    head[:, PITCH] -= 0.5 * gait.lean * moving

    # Each arm swings against the foot of its side.
    arms = pose.arms.copy()
    swing = -gait.arm_swing * performer.energy * ahead
    arms[:, :, FLEX] += swing
    arms[:, :, ELBOW] += (gait.elbow * moving)[:, None] + 0.35 * np.maximum(swing, 0.0)
    arms[:, :, ABDUCT] += 0.03 * moving[:, None]
    return replace(pose, shift=shift, pelvis=pelvis, spine=spine, head=head, arms=arms)
