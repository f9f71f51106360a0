"""The motion of a BVH file, local transforms over time, is resampled and turned into positions."""

from dataclasses import dataclass, replace

import numpy as np

from utils.errors import InputError
from utils.motion.resampling import resample_linear, sample_times


@dataclass(frozen=True)
class BvhMotion:
    """A skeleton and its local transforms over T frames; lengths in the file's unit.

    Attributes:
        joint_names: J names in file order: a parent comes before its children.
        parents: index of each joint's parent, -1 for a root.
        offsets: (J, 3) OFFSET of each joint, in its parent's frame.
        translations: (T, J, 3) place of each joint in its parent's frame: the OFFSET, or the position channels.
        rotations: (T, J, 4) rotation of each joint in its parent's frame, unit quaternions (w, x, y, z).
        fps: frames per second.
        ends: joints with an End Site, and its OFFSET in the frame of the joint.
    """

    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    translations: np.ndarray
    rotations: np.ndarray
    fps: float
    ends: tuple[tuple[int, tuple[float, float, float]], ...] = ()

    @property
    def place_names(self) -> tuple[str, ...]:
        """Names of what `positions` gives: the joints, then ``<joint> End Site`` for each of the `ends`."""
        return self.joint_names + tuple(f"{self.joint_names[joint]} End Site" for joint, _ in self.ends)


def without_first(motion: BvhMotion, num_frames: int) -> BvhMotion:
    """The motion without its first frames; raises InputError where that leaves none."""
    if not 0 <= num_frames < len(motion.rotations):
        raise InputError(f"cannot leave out {num_frames} of {len(motion.rotations)} frames")
    return replace(motion, translations=motion.translations[num_frames:], rotations=motion.rotations[num_frames:])


def resample(motion: BvhMotion, fps: float) -> BvhMotion:
    """The motion at `fps`: rotations by slerp (the shorter way), translations along straight lines.

    Frame k is at k / fps seconds; nothing is extrapolated (`utils.motion.resampling.sample_times`).
    """
    from scipy.spatial.transform import Rotation, Slerp

    times = sample_times(len(motion.rotations), motion.fps, fps)
    if fps == motion.fps:
        return motion
    rotations = np.tile(motion.rotations[:1], (len(times), 1, 1))
    if len(motion.rotations) > 1:
        frames = np.arange(len(motion.rotations))
        for joint in range(rotations.shape[1]):
            turns = Rotation.from_quat(motion.rotations[:, joint], scalar_first=True)
            rotations[:, joint] = Slerp(frames, turns)(times).as_quat(scalar_first=True)
    translations = resample_linear(motion.translations, motion.fps, fps)
    return replace(motion, translations=translations, rotations=rotations, fps=fps)


def positions(motion: BvhMotion) -> np.ndarray:
    """(T, J + E, 3) place of every joint, then of every end site, in the file's unit and axes (forward kinematics)."""
    from scipy.spatial.transform import Rotation

    places = motion.translations.copy()
    turns: list[Rotation] = []
    for joint, parent in enumerate(motion.parents):
        turn = Rotation.from_quat(motion.rotations[:, joint], scalar_first=True)
        if parent >= 0:
            places[:, joint] = places[:, parent] + turns[parent].apply(motion.translations[:, joint])
            turn = turns[parent] * turn
        turns.append(turn)
    ends = [places[:, joint] + turns[joint].apply(offset) for joint, offset in motion.ends]
    return np.concatenate([places, *(end[:, None] for end in ends)], axis=1)
