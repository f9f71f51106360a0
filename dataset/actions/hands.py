"""What hands do: they are raised, wave, clap, punch."""

import numpy as np

from dataset.actions.body import FORWARD, LEFT, SIDES, UP, Body, lengths
from dataset.actions.events import Event, with_both
from dataset.actions.series import Excursion, excursions, swings

# Metres of the wrist above the head joint: chest height, where a hand is raised, and where it is down again.
UP_M, DOWN_M = -0.236, -0.3
_HELD_S = 0.35  # a hand that is up for a shorter time swings past
# Degrees of the arm from hanging straight down: overhead from here on (toy people raise to 95 or 160).
_OVERHEAD_DEG = 125.0
# Metres to and fro of the wrist beside the elbow that are a wave, and from which its swings are counted. Raised hands
# of real people move by up to 0.02 m, waving ones by 0.1 and more, but small waves only by 0.015 to 0.04.
_WAVE_M, _COUNTED_M = 0.03, 0.06
# A wave is looked for where the hand is above this share of its way up: raising and lowering go to and fro, too.
_RAISED = 0.6
_SHORTEST_FRAMES = 3
# Distance of the wrists in a clap (toy people 0.06 to 0.08 m), the way of each of them to the middle, and how soon.
# Swinging and punching arms come near each other too, but no further than 0.03 m to the middle.
_CLAP_M, _INWARD_M, _CLAP_S = 0.125, 0.045, 0.45
# Hands that part further than this wave to somebody and touch by the way (claps part by 0.55 at most).
_WIDE_M = 0.65
# Height of the hands over the chest joint: lower is no clap (hands on the thighs), higher is one overhead.
_LAP_M, _OVERHEAD_M = -0.3, 0.4
# Share of the arm's length from shoulder to wrist: stretched in a punch, bent before and after it, and for how long.
_PUNCHED, _BENT, _THRUST_S = 0.85, 0.72, 0.8
# A punch goes forward by this share of the arm, and no further down than this share of its reach.
_AHEAD, _LOW = 0.5, 0.6


def raises(body: Body) -> list[Event]:
    """Raised hands: side, where to, metres above the head joint."""
    found = {}
    for side in SIDES:
        above, arm = _above_head(body, side), body.between(f"{side}_shoulder", f"{side}_wrist")
        held = [one for one in excursions(above, UP_M, DOWN_M) if one.end - one.start >= _HELD_S * body.fps]
        found[side] = [
            Event(
                "raise",
                body.seconds(one.start),
                body.seconds(one.end),
                side,
                _where(arm[one.start : one.end]),
                metres=float(above[one.peak]),
            )
            for one in held
        ]
    return with_both(found["left"], found["right"], _together)


def _above_head(body: Body, side: str) -> np.ndarray:
    """(T,) metres of the wrist above the head joint."""
    return (body.place(f"{side}_wrist") - body.place("head"))[:, 1]


def _where(arm: np.ndarray) -> str:
    """Where the arm (n, 3) points when it is highest."""
    elevation = np.rad2deg(np.arccos(np.clip(-arm[:, UP] / lengths(arm), -1, 1)))
    if elevation.max() >= _OVERHEAD_DEG:
        return "overhead"
    across, along = np.abs(arm[elevation.argmax(), [LEFT, FORWARD]])
    return "side" if across > along else "front"


def _together(one: Event, other: Event) -> bool:
    """Whether two hands do the same at the same time."""
    return one.overlap_s(other) > 0.5 * min(one.end_s - one.start_s, other.end_s - other.start_s)


def waves(body: Body) -> list[Event]:
    """Waves: side, and swings to and fro."""
    found = {}
    for side in SIDES:
        forearm, above = body.between(f"{side}_elbow", f"{side}_wrist"), _above_head(body, side)
        tops = [_top(above, one) for one in excursions(above, UP_M, DOWN_M)]
        found[side] = [
            Event("wave", body.seconds(start), body.seconds(end), side, count=swings(across, _COUNTED_M))
            for start, end in tops
            if end - start >= _SHORTEST_FRAMES and swings(across := _to_and_fro(forearm[start:end]), _WAVE_M)
        ]
    return with_both(found["left"], found["right"], _together)


def _top(above: np.ndarray, one: Excursion) -> tuple[int, int]:
    """[start, end) of the part of an excursion in which the hand is well up."""
    high = one.start + np.flatnonzero(above[one.start : one.end] > UP_M + _RAISED * (above[one.peak] - UP_M))
    return (int(high[0]), int(high[-1]) + 1) if len(high) else (one.start, one.start)


def _to_and_fro(forearm: np.ndarray) -> np.ndarray:
    """(n,) metres along the level line on which the forearm (n, 3) moves most."""
    moved = forearm[:, [LEFT, FORWARD]] - forearm[:, [LEFT, FORWARD]].mean(axis=0)
    return moved @ np.linalg.svd(moved, full_matrices=False)[2][0]


def claps(body: Body) -> list[Event]:
    """Claps: before the chest (front) or overhead."""
    chest = body.place("spine3")
    left, right = (body.seen(body.place(f"{side}_wrist") - chest) for side in SIDES)
    apart, above = np.linalg.norm(left - right, axis=1), (left + right)[:, UP] / 2
    touching = _wrists_apart(body)
    found = []
    for frame in np.flatnonzero((apart[1:-1] <= apart[:-2]) & (apart[1:-1] < apart[2:])) + 1:
        if touching[max(frame - 1, 0) : frame + 2].min() >= _CLAP_M or above[frame] < _LAP_M:
            continue
        # Both hands come from their own side and go back to it.
        before, after = _widest(apart, frame, -1, body.fps), _widest(apart, frame, 1, body.fps)
        inward = [hand[other, LEFT] - hand[frame, LEFT] for hand in (left, -right) for other in (before, after)]
        if min(inward) >= _INWARD_M and max(apart[before], apart[after]) < _WIDE_M:
            way = "overhead" if above[frame] > _OVERHEAD_M else "front"
            found.append(Event("clap", body.seconds(before), body.seconds(after), "both", way))
    return found


def _wrists_apart(body: Body) -> np.ndarray:
    """(T,) metres between the wrists, not smoothed: hands touch for a moment only."""
    left, right = (body.raw[:, body.skeleton.joint(f"{side}_wrist")] for side in SIDES)
    return np.linalg.norm(left - right, axis=1)


def _widest(apart: np.ndarray, frame: int, step: int, fps: float) -> int:
    """The frame within `_CLAP_S` before or after `frame` at which the hands are furthest apart."""
    frames = np.arange(frame, frame + step * round(_CLAP_S * fps), step)
    frames = frames[(frames >= 0) & (frames < len(apart))]
    return int(frames[apart[frames].argmax()])


def punches(body: Body) -> list[Event]:
    """Punches: side."""
    found = []
    for side in SIDES:
        arm = body.between(f"{side}_shoulder", f"{side}_wrist")
        reach = lengths(arm)
        for one in excursions(reach / body.arms_m, _PUNCHED, _BENT):
            level = -arm[one.peak, UP] < _LOW * reach[one.peak] and arm[one.peak, FORWARD] > _AHEAD * body.arms_m
            whole = one.start > 0 and one.end < len(reach)
            if level and whole and one.end - one.start < _THRUST_S * body.fps:
                found.append(Event("punch", body.seconds(one.start), body.seconds(one.end), side))
    return found
