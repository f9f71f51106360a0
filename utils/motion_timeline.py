"""When a motion does what: spells of travelling, turns one by one, spells with a raised hand, the lowest moment.

`utils.motion_facts` tells what a clip amounts to as a whole; this tells its parts in order. Signs are those of it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from utils.motion_facts import LEVELS, headings
from utils.skeleton import Skeleton

# A wrist less than this below the head joint (negative: below) is raised: the lower limit of chest height.
_RAISED_M = dict(LEVELS)["chest height"]
_TRAVEL_M_S = 0.2
_TURN_DEG_S, _SMALLEST_TURN_DEG = 20.0, 40.0
# Seconds: what is shorter is noise or a pause within one action; the sway of a step is smoothed away.
_SHORTEST_S, _PAUSE_S, _SMOOTHING_S = 0.2, 0.3, 0.15


@dataclass(frozen=True)
class Spell:
    """Seconds from the beginning of the clip."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Turn(Spell):
    """A turn in one direction; degrees, left is positive."""

    degrees: float


@dataclass(frozen=True)
class Timeline:
    """The parts of one clip, each list in the order of time.

    Attributes:
        travels: the pelvis moves over the floor.
        turns: of at least 40 degrees.
        left_raised, right_raised: the wrist is at chest height or above.
        lowest_s: when the pelvis is lowest.
    """

    travels: list[Spell]
    turns: list[Turn]
    left_raised: list[Spell]
    right_raised: list[Spell]
    lowest_s: float


def motion_timeline(joints: np.ndarray, skeleton: Skeleton) -> Timeline:
    """joints (T, J, 3) in metres, Y up -> timeline. T must be at least 2."""
    fps = skeleton.fps
    smoothed = gaussian_filter1d(joints[:, 0, [0, 2]], _SMOOTHING_S * fps, axis=0, mode="nearest")
    speed = np.linalg.norm(np.gradient(smoothed, axis=0), axis=1) * fps
    head = joints[:, skeleton.joint("head"), 1]
    left, right = (joints[:, skeleton.joint(f"{side}_wrist"), 1] - head > _RAISED_M for side in ("left", "right"))
    return Timeline(
        travels=_spells(speed > _TRAVEL_M_S, fps),
        turns=_turns(joints, skeleton),
        left_raised=_spells(left, fps),
        right_raised=_spells(right, fps),
        lowest_s=float(joints[:, 0, 1].argmin() / fps),
    )


def _turns(joints: np.ndarray, skeleton: Skeleton) -> list[Turn]:
    fps = skeleton.fps
    angle = np.rad2deg(gaussian_filter1d(headings(joints, skeleton), _SMOOTHING_S * fps, mode="nearest"))
    rate = np.gradient(angle) * fps
    found = []
    for direction in (1, -1):
        for spell in _spells(direction * rate > _TURN_DEG_S, fps):
            start, end = (min(round(moment * fps), len(angle) - 1) for moment in (spell.start_s, spell.end_s))
            degrees = float(angle[end] - angle[start])
            if abs(degrees) >= _SMALLEST_TURN_DEG:
                found.append(Turn(spell.start_s, spell.end_s, degrees))
    return sorted(found, key=lambda turn: turn.start_s)


def _spells(happens: np.ndarray, fps: float) -> list[Spell]:
    """(T,) bool -> the runs of True, joined over pauses; short ones are dropped."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], happens, [False]]).astype(int)))
    runs: list[list[float]] = []
    for start, end in edges.reshape(-1, 2) / fps:
        if runs and start - runs[-1][1] <= _PAUSE_S:
            runs[-1][1] = end
        else:
            runs.append([start, end])
    return [Spell(float(start), float(end)) for start, end in runs if end - start >= _SHORTEST_S]
