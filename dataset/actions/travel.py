"""Where a body goes: walks, runs and sidesteps with their steps, turns and circles."""

import numpy as np

from dataset.actions.body import FORWARD, LEFT, SIDES, Body
from dataset.actions.events import Event, in_order
from dataset.actions.series import core, runs, true_runs, turns_of
from utils.motion.smoothing import smoothed

# Metres that are a way ahead or back, and to a side. A bow moves the pelvis by 0.13, sitting down by 0.3 (but no foot);
# the shortest sidestep of the toy people has 0.33.
_ALONG_M, _ACROSS_M = 0.28, 0.24
# A way to the side has at least this share of the way ahead at the same time; a curve drifts sideways by less.
_SIDEWAYS = 0.3
# At either end of a way so many metres, and at most this share of it, are a sway and no part of its time.
_SWAY_M, _SWAY_SHARE = 0.06, 0.1
# Who runs has both ankles up between the steps (walkers 0.04 m, runners 0.07), or is faster than walkers are (1.9).
_RUN_M_S, _ONLY_RUN_M_S, _FLIGHT_M = 1.4, 2.0, 0.055
# A turn that goes round: degrees, and the way gone meanwhile. Walks in full circles are decoded with 305 and more.
_CIRCLE_DEG, _CIRCLE_M = 290.0, 1.5
# A foot that is on its way: metres a second, and metres from one place to the next.
_SWING_M_S, _STEP_M = 0.45, 0.09
_PACE_SMOOTHING_S = 0.1
_STEP_MARGIN_S = 0.35  # the first foot lifts before the pelvis goes, and the last one lands after it


def ways(body: Body) -> list[Event]:
    """Walks, runs and sidesteps: way, steps, the foot that steps first, metres, pace."""
    moved = np.diff(body.joints[:, 0], axis=0, prepend=body.joints[:1, 0])
    gone = np.cumsum(body.seen(moved), axis=0)
    feet = steps(body)
    found = [
        *(_way(body, gone, FORWARD, run, feet) for run in runs(gone[:, FORWARD], _ALONG_M)),
        *(_way(body, gone, LEFT, run, feet) for run in runs(gone[:, LEFT], _ACROSS_M)),
    ]
    return in_order(event for event in found if event is not None)


def _way(body: Body, gone: np.ndarray, column: int, run: tuple[int, int], feet: list) -> Event | None:
    """One way of `gone` (T, 3) along a column, or None where nothing but the trunk moved."""
    metres = gone[run[1], column] - gone[run[0], column]
    tail = min(_SWAY_SHARE, _SWAY_M / abs(metres))
    first, last = core(gone[:, column], *run, tail)
    margin = round(_STEP_MARGIN_S * body.fps)
    mine = [side for start, end, side in feet if end > first - margin and start < last + margin]
    ahead = abs(gone[last, FORWARD] - gone[first, FORWARD])
    if not mine or (column == LEFT and abs(metres) < _SIDEWAYS * ahead):
        return None
    pace = float((1 - 2 * tail) * abs(metres) * body.fps / max(last - first, 1))
    kind = "sidestep" if column == LEFT else "run" if _is_run(body, first, last, pace) else "walk"
    ways_of = SIDES if column == LEFT else ("forward", "backward")
    return Event(
        kind,
        body.seconds(first),
        body.seconds(last),
        side=mine[0],
        way=ways_of[0 if metres > 0 else 1],
        count=len(mine),
        metres=float(abs(metres)),
        pace_m_s=pace,
    )


def _is_run(body: Body, first: int, last: int, pace: float) -> bool:
    up = np.minimum(*(body.lifted(side)[first : last + 1] for side in SIDES))
    return pace >= _ONLY_RUN_M_S or (pace >= _RUN_M_S and np.percentile(up, 95) >= _FLIGHT_M)


def steps(body: Body) -> list[tuple[int, int, str]]:
    """(first frame, frame after the last, side) of every step in which a foot gets to another place, in order."""
    pelvis = smoothed(body.joints[:, 0], _PACE_SMOOTHING_S * body.fps)
    pace = _speed(pelvis, body.fps)
    ahead = body.between("right_ankle", "left_ankle")[:, FORWARD]
    found = []
    for side in SIDES:
        foot = (body.place(f"{side}_ankle") + body.place(f"{side}_foot")) / 2
        # The foot that stands is slower than the body, the one that swings faster, at any pace.
        for start, end in true_runs(_speed(foot, body.fps) > np.maximum(_SWING_M_S, pace)):
            moved = foot[min(end, len(foot) - 1)] - foot[max(start - 1, 0)]
            # A step that the clip's first or last frame cuts counts where the foot passes the other one.
            cut = start == 0 or end == len(foot)
            if np.hypot(moved[0], moved[2]) >= _STEP_M and not (cut and ahead[start] * ahead[end - 1] > 0):
                found.append((start, end, side))
    return sorted(found)


def _speed(places: np.ndarray, fps: float) -> np.ndarray:
    """(T,) metres a second over the floor."""
    return np.linalg.norm(np.gradient(places[:, [0, 2]], axis=0), axis=1) * fps


def turns(body: Body) -> list[Event]:
    """Turns and circles: way, degrees, and the metres gone meanwhile."""
    place = body.joints[:, 0, [0, 2]]
    found = []
    for turn in turns_of(body.heading, body.fps):
        between = place[round(turn.start_s * body.fps) : round(turn.end_s * body.fps) + 1]
        metres = float(np.linalg.norm(np.diff(between, axis=0), axis=1).sum())
        goes_round = abs(turn.degrees) >= _CIRCLE_DEG and metres >= _CIRCLE_M
        way = "left" if turn.degrees > 0 else "right"
        kind = "circle" if goes_round else "turn"
        found.append(Event(kind, turn.start_s, turn.end_s, way=way, degrees=abs(turn.degrees), metres=metres))
    return found
