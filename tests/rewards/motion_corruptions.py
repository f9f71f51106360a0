"""Ways in which a motion can be physically wrong, each made from a real one; used by the order tests."""

import numpy as np

from utils.motion.features import features_from_joints
from utils.motion.skeleton import Skeleton


def noise(joints: np.ndarray, rng: np.random.Generator, skeleton: Skeleton, metres: float = 0.01) -> np.ndarray:
    return features_from_joints(joints + rng.normal(0, metres, joints.shape), skeleton)


def shuffle(joints: np.ndarray, rng: np.random.Generator, skeleton: Skeleton) -> np.ndarray:
    return features_from_joints(joints[rng.permutation(len(joints))], skeleton)


def slide(joints: np.ndarray, rng: np.random.Generator, skeleton: Skeleton, speed: float = 0.8) -> np.ndarray:
    """The whole body drifts over the floor in one direction, m/s."""
    step = _random_direction(rng) * speed / skeleton.fps
    return features_from_joints(joints + np.arange(len(joints))[:, None, None] * step, skeleton)


def teleport(joints: np.ndarray, rng: np.random.Generator, skeleton: Skeleton, metres: float = 1.0) -> np.ndarray:
    moved = joints.copy()
    moved[rng.integers(len(joints) // 4, 3 * len(joints) // 4) :] += _random_direction(rng) * metres
    return features_from_joints(moved, skeleton)


def stretch(joints: np.ndarray, rng: np.random.Generator, skeleton: Skeleton, share: float = 0.1) -> np.ndarray:
    """All bones grow and shrink in turn, by `share` at most, twice over the clip."""
    phase = np.linspace(0, 4 * np.pi, len(joints)) + rng.uniform(0, 2 * np.pi)
    scale = (1 + share * np.sin(phase))[:, None, None]
    return features_from_joints(joints[:, :1] + (joints - joints[:, :1]) * scale, skeleton)


def raise_by(joints: np.ndarray, skeleton: Skeleton, metres: float) -> np.ndarray:
    """The body floats (or, with a negative height, sinks). On features, since their floor is the lowest point."""
    features = features_from_joints(joints, skeleton)
    features[:, skeleton.root_slice.stop - 1] += metres
    features[:, skeleton.positions_slice][:, 1::3] += metres
    return features


def floating(joints: np.ndarray, rng: np.random.Generator, skeleton: Skeleton) -> np.ndarray:
    return raise_by(joints, skeleton, 0.2)


def penetrating(joints: np.ndarray, rng: np.random.Generator, skeleton: Skeleton) -> np.ndarray:
    return raise_by(joints, skeleton, -0.1)


CORRUPTIONS = {
    "noise": noise,
    "shuffle": shuffle,
    "slide": slide,
    "teleport": teleport,
    "stretch": stretch,
    "floating": floating,
    "penetrating": penetrating,
}
# The term that must see each of them.
SEEN_BY = {
    "noise": "acceleration",
    "shuffle": "acceleration",
    "slide": "skating",
    "teleport": "velocity",
    "stretch": "bones",
    "floating": "floating",
    "penetrating": "penetration",
}


def _random_direction(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), 0.0, np.sin(angle)])
