"""A speaker with random weights: the guide makes every reply a motion or a caption. Motions of toy people."""

import numpy as np
import pytest

from dataset.toy.clips import toy_clips
from models.inference.motion_llm import MotionLLM
from models.policy.backbone import load_backbone
from tests.models.languages import plain


@pytest.fixture(scope="session")
def speaker(backbone, motion_tokenizer) -> MotionLLM:
    model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
    return MotionLLM(model, plain(vocabulary, motion_tokenizer))


@pytest.fixture(scope="session")
def toy_joints() -> list[np.ndarray]:
    """Motions (T, 22, 3) in metres."""
    return [clip.joints.astype(np.float64) for clip in toy_clips(12, seed=1)]


@pytest.fixture(scope="session")
def walk(toy_joints) -> np.ndarray:
    """One of somebody who goes somewhere, for three seconds at least."""
    return next(joints for joints in toy_joints if len(joints) >= 60 and np.ptp(joints[:, 0], axis=0).max() > 1)
