"""What the trunk does, and the height of the pelvis: squats, sitting down, standing up, bows, leans."""

import numpy as np

from dataset.actions.body import FORWARD, SIDES, Body
from dataset.actions.events import Event
from dataset.actions.series import excursions
from utils.motion.smoothing import smoothed

# Leg lengths by which the pelvis sinks in a squat or onto a seat, and when it is up again. Walks and kicks lower it by
# 0.05, the crouch before a leap by 0.35 (it belongs to the jump), the lowest running by 0.15.
_LOW, _RISEN = 0.24, 0.12
_STANDING = 0.95  # leg lengths of the pelvis above an ankle when standing, at least: a clip may begin and end low
_BOTTOM = 0.8  # share of the depth from which on it is reached
# A body whose weight lies so far behind its ankles (leg lengths) would fall without a seat: toy people sit at -0.33 and
# squat at 0.03.
_ON_A_SEAT = -0.15
# Degrees of a bow, where it ends, and from where on it is a deep one (toy people bow by 22 to 29 and by 54 to 63).
_BOW_DEG, _UPRIGHT_DEG, DEEP_DEG = 18.0, 9.0, 42.0
_BOW_SMOOTHING_S = 0.1
# Degrees of a lean to a side, and where it ends: toy people lean by 14 to 25, walks and kicks by up to 9.
_LEAN_DEG, _LEANS_BACK_DEG = 12.0, 7.0


def squats_and_seats(body: Body) -> list[Event]:
    """Squats (depth in metres), sitting down and standing up."""
    # The pelvis above the lower ankle: leaping does not change it.
    above = body.height - np.minimum(*(body.place(f"{side}_ankle")[:, 1] for side in SIDES))
    sunk = max(np.percentile(above, 95) / body.legs_m, _STANDING) - above / body.legs_m
    behind = _weight(body) / body.legs_m
    found = []
    for low in excursions(sunk, _LOW, _RISEN):
        bottom = low.start + np.flatnonzero(sunk[low.start : low.end] > _BOTTOM * sunk[low.peak])
        down, up = body.seconds(bottom[0]), body.seconds(bottom[-1])
        start, end = body.seconds(low.start), body.seconds(low.end)
        begins_low, ends_low = sunk[0] >= _LOW and low.start == 0, sunk[-1] >= _LOW and low.end == len(sunk)
        seated = np.median(behind[bottom]) < _ON_A_SEAT
        if seated and not begins_low:
            found.append(Event("sit", start, down))
        if (seated or begins_low) and not ends_low:
            found.append(Event("stand", up, end))
        if not (seated or begins_low):
            found.append(Event("squat", start, end, metres=float(sunk[low.peak] * body.legs_m)))
    return found


def _weight(body: Body) -> np.ndarray:
    """(T,) how far the middle of pelvis, chest and head is before the ankles."""
    parts = [body.joints[:, 0], body.place("spine3"), body.place("head")]
    feet = (body.place("left_ankle") + body.place("right_ankle")) / 2
    return body.seen(np.mean(parts, axis=0) - feet)[:, FORWARD]


def bows(body: Body) -> list[Event]:
    """Bows: slight or deep, degrees."""
    bent = smoothed(body.bend_deg - np.percentile(body.bend_deg, 20), _BOW_SMOOTHING_S * body.fps)
    return [
        Event(
            "bow",
            body.seconds(one.start),
            body.seconds(one.end),
            way="deep" if bent[one.peak] >= DEEP_DEG else "slight",
            degrees=float(bent[one.peak]),
        )
        for one in excursions(bent, _BOW_DEG, _UPRIGHT_DEG)
    ]


def leans(body: Body) -> list[Event]:
    """Leans to a side: way, degrees."""
    upright = body.lean_deg[np.abs(body.lean_deg) < _LEANS_BACK_DEG]
    lean = body.lean_deg - (np.median(upright) if len(upright) else 0.0)
    return [
        Event("lean", body.seconds(one.start), body.seconds(one.end), way=way, degrees=float(values[one.peak]))
        for way, values in (("left", lean), ("right", -lean))
        for one in excursions(values, _LEAN_DEG, _LEANS_BACK_DEG)
    ]
