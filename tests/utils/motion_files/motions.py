"""Motions that files are tested with: toy people, real people where the pack is here, KIT's joints, stretched bones."""

from functools import cache

import numpy as np

from dataset.toy.clips import toy_clips
from tests.prepare.test_kit import kit_joints
from tests.rewards.motion_pack import read_pack
from utils.motion.skeleton import KIT

# Of the pack: an arm goes up, both do, somebody walks and turns, somebody runs.
REAL = ("raise-up-left-hand", "raise-up-both-hands", "walk-turn-left", "run")
LARGEST = 0.01  # metres that a joint may be elsewhere than where it was


@cache
def toy(count=6):
    """(T, 22, 3) metres of some toy people."""
    return tuple(clip.joints.astype(np.float64) for clip in toy_clips(count, seed=11))


@cache
def real():
    """(T, 22, 3) metres of a real clip of each kind of `REAL`."""
    clips = read_pack("test")
    return tuple(next(joints.astype(np.float64) for name, joints in clips.items() if kind in name) for kind in REAL)


def kit(joints):
    """(T, 21, 3) metres, left at +X: what `joints` are with KIT's skeleton."""
    return KIT.in_metres(kit_joints(joints))


def stretched(joints, share=0.15):
    """The same motion, whose bones are up to so much longer and shorter: what a model makes that has learned little."""
    longer = 1 + share * np.sin(np.arange(len(joints)) / 3)
    return joints[:, :1] + (joints - joints[:, :1]) * longer[:, None, None]


def largest_error(joints, others):
    """Metres by which the joint that is farthest off is elsewhere."""
    return float(np.linalg.norm(np.asarray(joints) - np.asarray(others), axis=-1).max())
