"""Posture tracks become the 22 joints: by forward kinematics for trunk and arms, inverse kinematics for the legs.

The feet are given and the knees follow, so a foot that is planted in the tracks is planted in the joints.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from dataset.toy import body
from dataset.toy.curves import smooth_above
from utils.motion.skeleton import T2M

# Columns of `Pose.arms`.
FLEX, ABDUCT, TWIST, ELBOW = range(4)
# Columns of `Pose.pelvis`, `Pose.spine` and `Pose.head`.
PITCH, ROLL, YAW = range(3)

_STRETCH_LIMIT = 0.990  # a standing leg is never quite straight
_SHRUG = 0.22  # how much of an arm's elevation the collar bone takes over


@dataclass(frozen=True)
class Pose:
    """Posture of n frames. Angles in radians, positions in metres; sides are in the order left, right.

    Attributes:
        root: (n, 2) x, z of the body on the ground.
        heading: (n,) where the body faces; 0 is +Z, positive is a turn to the left.
        height: (n,) pelvis height relative to standing.
        shift: (n, 2) pelvis relative to `root`: to the left, forward.
        pelvis, spine, head: (n, 3) pitch (forward), roll (to the left), yaw (to the left), each relative to the
            segment below; `spine` is the total over its three joints.
        arms: (n, 2, 4) raise to the front, raise to the side, twist outward, elbow bend.
        ankles: (n, 2, 3) world positions of the ankles.
        foot_yaw: (n, 2) world direction of the feet.
        foot_pitch: (n, 2) positive: heel up.
        knee_out: (n, 2) how far the knee points outward of the foot.
    """

    root: np.ndarray
    heading: np.ndarray
    height: np.ndarray
    shift: np.ndarray
    pelvis: np.ndarray
    spine: np.ndarray
    head: np.ndarray
    arms: np.ndarray
    ankles: np.ndarray
    foot_yaw: np.ndarray
    foot_pitch: np.ndarray
    knee_out: np.ndarray

    def __len__(self) -> int:
        return len(self.heading)

    def picked(self, frames: np.ndarray) -> "Pose":
        """The given frames, in the given order."""
        return Pose(**{field.name: getattr(self, field.name)[frames] for field in fields(self)})

    def placed(self, x: float, z: float, heading: float) -> "Pose":
        """The same motion, started from another place and heading."""
        turn = rotation_y(np.array(heading))
        root = np.stack([self.root[:, 0], np.zeros(len(self)), self.root[:, 1]], 1) @ turn.T
        return replace(
            self,
            root=root[:, [0, 2]] + [x, z],
            heading=self.heading + heading,
            ankles=self.ankles @ turn.T + [x, 0.0, z],
            foot_yaw=self.foot_yaw + heading,
        )


def joined(poses: list[Pose]) -> Pose:
    """The poses one after the other."""
    return Pose(**{field.name: np.concatenate([getattr(p, field.name) for p in poses]) for field in fields(Pose)})


def _rotation(angle: np.ndarray, first: int, second: int) -> np.ndarray:
    """(...,) -> (..., 3, 3) rotation that carries axis `first` towards axis `second`."""
    matrix = np.broadcast_to(np.eye(3), (*np.shape(angle), 3, 3)).copy()
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix[..., first, first] = matrix[..., second, second] = cosine
    matrix[..., second, first], matrix[..., first, second] = sine, -sine
    return matrix


def rotation_x(angle: np.ndarray) -> np.ndarray:
    """Pitch: carries +Y (up) towards +Z (forward)."""
    return _rotation(angle, 1, 2)


def rotation_y(angle: np.ndarray) -> np.ndarray:
    """Yaw: carries +Z (forward) towards +X (left)."""
    return _rotation(angle, 2, 0)


def rotation_z(angle: np.ndarray) -> np.ndarray:
    """Carries +X (left) towards +Y (up)."""
    return _rotation(angle, 0, 1)


def _posture(angles: np.ndarray) -> np.ndarray:
    """(n, 3) pitch, roll, yaw -> (n, 3, 3) rotation."""
    return rotation_y(angles[:, YAW]) @ rotation_x(angles[:, PITCH]) @ rotation_z(-angles[:, ROLL])


def _turn(rotation: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotation applied to a vector (3,) or (..., 3)."""
    return (rotation @ np.asarray(vector, dtype=float)[..., None])[..., 0]


def toes_from_ankles(ankles: np.ndarray, yaw: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """(..., 3), (...,), (...,) -> (..., 3): the toe joint at the end of the stiff foot."""
    foot = np.array([0.0, body.TOE_HEIGHT - body.ANKLE_HEIGHT, body.TOE_FORWARD])
    return ankles + _turn(rotation_y(yaw) @ rotation_x(pitch), foot)


def joints_from_pose(pose: Pose) -> np.ndarray:
    """(n, 22, 3) float64 joints in metres, in the order of `utils.motion.skeleton.T2M`.

    Where a planted foot would be out of reach the pelvis comes down (smoothly), as a walker's does.
    """
    # Trunk first: the pelvis must be low enough for both feet.
    pelvis, hips, frame = _pelvis_and_hips(pose)
    lowering = smooth_above(_overreach(hips, pose.ankles), 1.2)
    pelvis = pelvis - np.stack([np.zeros(len(pose)), lowering, np.zeros(len(pose))], 1)
    hips = hips - (lowering[:, None] * [0.0, 1.0, 0.0])[:, None]

    joints = np.zeros((len(pose), T2M.num_joints, 3))
    place = {name: index for index, name in enumerate(T2M.joint_names)}
    joints[:, place["pelvis"]] = pelvis
    chest = _spine(joints, place, pose, pelvis, frame)
    # Then each leg from its two ends, and each arm from its angles.
    for side, name in enumerate(("left", "right")):
        ankle = _reachable(hips[:, side], pose.ankles[:, side])
        joints[:, place[f"{name}_hip"]] = hips[:, side]
        joints[:, place[f"{name}_knee"]] = _knee(hips[:, side], ankle, _knee_axis(pose, side))
        joints[:, place[f"{name}_ankle"]] = ankle
        joints[:, place[f"{name}_foot"]] = toes_from_ankles(ankle, pose.foot_yaw[:, side], pose.foot_pitch[:, side])
        points = _arm(joints[:, place["spine3"]], chest, pose.arms[:, side], side)
        for part, point in zip(("collar", "shoulder", "elbow", "wrist"), points, strict=True):
            joints[:, place[f"{name}_{part}"]] = point
    return joints


def _pelvis_and_hips(pose: Pose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pelvis (n, 3), hips (n, 2, 3) and the pelvis frame (n, 3, 3) before the reach of the legs is looked at."""
    facing = rotation_y(pose.heading)
    shift = _turn(facing, np.stack([pose.shift[:, 0], np.zeros(len(pose)), pose.shift[:, 1]], 1))
    pelvis = np.stack([pose.root[:, 0], body.STANDING_HEIGHT + pose.height, pose.root[:, 1]], 1) + shift
    frame = facing @ _posture(pose.pelvis)
    hips = np.stack([pelvis + _turn(frame, body.HIPS[side]) for side in (body.LEFT, body.RIGHT)], 1)
    return pelvis, hips, frame


def _overreach(hips: np.ndarray, ankles: np.ndarray) -> np.ndarray:
    """(n,) how far the pelvis must come down so that both ankles are in reach."""
    flat = np.linalg.norm((hips - ankles)[..., [0, 2]], axis=-1)
    highest = ankles[..., 1] + np.sqrt(np.maximum((_STRETCH_LIMIT * body.LEG_LENGTH) ** 2 - flat**2, 0.0))
    return np.maximum(hips[..., 1] - highest, 0.0).max(1)


def _reachable(hip: np.ndarray, ankle: np.ndarray) -> np.ndarray:
    """(n, 3) the ankle, pulled in where the leg is too short: the smoothed pelvis can be a millimetre too high."""
    bone = ankle - hip
    length = np.linalg.norm(bone, axis=-1, keepdims=True)
    return hip + bone * np.minimum(1.0, 0.9999 * body.LEG_LENGTH / length)


def _knee_axis(pose: Pose, side: int) -> np.ndarray:
    """(n, 3) the hinge of the knee: to the left of where foot and body point on average."""
    toe_out = (pose.foot_yaw[:, side] - pose.heading + np.pi) % (2 * np.pi) - np.pi
    yaw = pose.heading + 0.5 * pose.pelvis[:, YAW] + 0.6 * toe_out + body.SIDE_SIGN[side] * pose.knee_out[:, side]
    return _turn(rotation_y(yaw), np.array([1.0, 0.0, 0.0]))


def _knee(hip: np.ndarray, ankle: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """(n, 3) the knee of a leg of fixed bone lengths, bent forward about `axis`."""
    # Hip, knee and ankle are a triangle of known sides: how far along the leg the knee is, and how far in front.
    bone = ankle - hip
    length = np.linalg.norm(bone, axis=-1, keepdims=True)
    along = bone / length
    forward = np.cross(along, axis)
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
    part = (length**2 + body.THIGH**2 - body.SHIN**2) / (2 * length)
    return hip + along * part + forward * np.sqrt(np.maximum(body.THIGH**2 - part**2, 0.0))


def _spine(joints: np.ndarray, place: dict[str, int], pose: Pose, pelvis: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Write the spine, neck and head into `joints`, and return the frame of the chest (n, 3, 3)."""
    bend = _posture(pose.spine / 3)
    point = pelvis
    for name in ("spine1", "spine2", "spine3"):
        point = point + _turn(frame, body.SPINE_OFFSETS[name])
        joints[:, place[name]] = point
        frame = frame @ bend
    neck = point + _turn(frame, body.SPINE_OFFSETS["neck"])
    joints[:, place["neck"]] = neck
    joints[:, place["head"]] = neck + _turn(frame @ _posture(pose.head), body.SPINE_OFFSETS["head"])
    return frame


def _arm(spine3: np.ndarray, chest: np.ndarray, angles: np.ndarray, side: int) -> tuple[np.ndarray, ...]:
    """Collar, shoulder, elbow and wrist (n, 3) of one side from its four angles (n, 4)."""
    sign = body.SIDE_SIGN[side]
    upper = rotation_z(sign * angles[:, ABDUCT]) @ rotation_x(-angles[:, FLEX]) @ rotation_y(sign * angles[:, TWIST])
    elevation = 0.5 * (1.0 + upper[:, 1, 1] * -1.0)  # 0 hanging, 1 straight up: the arm points along -Y of `upper`
    collar = spine3 + _turn(chest, body.COLLARS[side])
    shrug = chest @ rotation_z(sign * _SHRUG * np.pi * elevation)
    shoulder = collar + _turn(shrug, body.SHOULDERS[side])
    frame = chest @ upper
    elbow = shoulder + _turn(frame, np.array([0.0, -body.UPPER_ARM, 0.0]))
    wrist = elbow + _turn(frame @ rotation_x(-angles[:, ELBOW]), np.array([0.0, -body.FOREARM, 0.0]))
    return collar, shoulder, elbow, wrist
