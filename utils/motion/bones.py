"""Bones are the vectors between joints: from a parent to its child."""

import numpy as np

from utils.motion.skeleton import ArrayOrTensor, Skeleton


def bone_vectors(joints: ArrayOrTensor, skeleton: Skeleton) -> ArrayOrTensor:
    """(..., J, 3) positions -> (..., J, 3) vector from parent to joint; zero for the root. Numpy or torch."""
    return joints - joints[..., [max(parent, 0) for parent in skeleton.parents], :]


def offsets_of_frame(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(J, 3) positions of one frame -> (J, 3) float32 rest-pose bone vectors with this frame's bone lengths."""
    lengths = np.linalg.norm(bone_vectors(np.asarray(joints, np.float64), skeleton), axis=-1, keepdims=True)
    return (lengths * skeleton.directions()).astype(np.float32)
