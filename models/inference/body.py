"""The body that a motion tokenizer knows: motions of other bodies are put on it before they are encoded.

A data set has one skeleton (`dataset.sources`), and a tokenizer trained on it decodes motions of that skeleton. So its
bone lengths can be read off what it decodes, and no file about them has to travel with the model.
"""

import numpy as np

from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.errors import InputError
from utils.motion.bones import bone_vectors
from utils.motion.features import features_from_joints, joints_from_features
from utils.motion.skeleton import Skeleton

# Codes that are decoded to look at the body, in runs as long as real motions.
_RUN_CODES, _MAX_CODES = 16, 512


def body_of(tokenizer: MotionTokenizer) -> np.ndarray:
    """(J, 3) float32 rest-pose bone vectors in the skeleton's unit: the median lengths over its own codebook."""
    skeleton, count = tokenizer.skeleton, min(tokenizer.nb_code, _MAX_CODES)
    runs = [np.full(_RUN_CODES, code) for code in range(count)]
    lengths = [
        np.linalg.norm(bone_vectors(joints_from_features(motion, skeleton), skeleton), axis=-1)
        for motion in tokenizer.decode_batch(runs)
    ]
    return (np.median(np.concatenate(lengths), axis=0)[:, None] * skeleton.directions()).astype(np.float32)


def features_for(tokenizer: MotionTokenizer, joints: np.ndarray) -> np.ndarray:
    """(T, J, 3) joints of any body, in the skeleton's unit at its frame rate -> (T - 1, D) features of its own body.

    Raises:
        InputError: fewer frames than one code and one more.
    """
    needed = tokenizer.config.unit_length + 1
    if len(joints) < needed:
        raise InputError(f"a motion of {len(joints)} frames is too short: at least {needed} are needed for one code")
    return features_from_joints(joints, tokenizer.skeleton, body_of(tokenizer))


def joints_metres(features: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(T, D) features -> (T, J, 3) metres, left at +X."""
    return skeleton.in_metres(joints_from_features(features, skeleton))
