"""What legs do besides carrying the body along: jumps, kicks, lifted knees."""

import numpy as np

from dataset.actions.body import FORWARD, LEFT, SIDES, UP, Body, lengths
from dataset.actions.events import Event
from dataset.actions.series import Excursion, excursions

# Metres that both ankles leave the ground together: running people have one foot low (up to 0.12), leaping ones 0.2.
_LEAP_M, _LANDED_M = 0.14, 0.05
_ALIKE_M = 0.2  # the feet of a leap are side by side; in a run one is ahead
# Metres of the pelvis from before leaving the ground to after landing that lead somewhere, and how much before.
_TO_SOMEWHERE_M, _AROUND_FLIGHT_S = 0.2, 0.15
_CROUCH_M = 0.05  # how far the pelvis is lower in the crouch before a leap and after it
# Metres that an ankle is lifted in a kick or with the knee, and when it is down again.
_LIFTED_M, _DOWN_M = 0.28, 0.12
# Shares of the leg's length in a kick: from hip to ankle, and away from below the hip. A lifted knee leaves the ankle
# at 0.32 from there at most, a kick takes it to 0.6 and more, in decoded motion to 0.38.
_STRETCHED, _OUT = 0.55, 0.36
_KNEE_UP = 0.42  # share of the thigh's length by which a lifted knee is higher than that of a hanging leg


def jumps(body: Body) -> list[Event]:
    """Jumps on both feet: direction, height in metres."""
    left, right = (body.lifted(side) for side in SIDES)
    ahead = body.between("right_ankle", "left_ankle")[:, FORWARD]
    flights = excursions(np.minimum(left, right), _LEAP_M, _LANDED_M)
    return [_jump(body, flight) for flight in flights if abs(ahead[flight.peak]) <= _ALIKE_M]


def _jump(body: Body, flight: Excursion) -> Event:
    standing = np.median(body.height)
    margin = round(_AROUND_FLIGHT_S * body.fps)
    first, last = max(flight.start - margin, 0), min(flight.end + margin, len(body.height) - 1)
    way = np.broadcast_to(body.joints[last, 0] - body.joints[first, 0], (len(body.height), 3))
    # The crouch before and the one after the flight belong to it.
    upright = np.flatnonzero(body.height > standing - _CROUCH_M)
    return Event(
        "jump",
        body.seconds(max(upright[upright < first], default=0)),
        body.seconds(min(upright[upright > last], default=len(body.height))),
        way=_direction(body.seen(way)[flight.peak]),
        metres=float(body.height[flight.start : flight.end].max() - standing),
    )


def _direction(way: np.ndarray) -> str:
    """The name of a way (3,) as the body sees it."""
    across, along = way[LEFT], way[FORWARD]
    if max(abs(across), abs(along)) < _TO_SOMEWHERE_M:
        return "up"
    if abs(along) >= abs(across):
        return "forward" if along > 0 else "backward"
    return "left" if across > 0 else "right"


def kicks_and_knees(body: Body) -> list[Event]:
    """Kicks (side, to the front or the side) and lifted knees (side)."""
    found = []
    for side in SIDES:
        leg, thigh = (body.between(f"{side}_hip", f"{side}_{end}") for end in ("ankle", "knee"))
        stretched = lengths(leg) / body.legs_m > _STRETCHED
        out = np.where(stretched, np.hypot(leg[:, LEFT], leg[:, FORWARD]) / body.legs_m, 0.0)
        knee_up = 1 + thigh[:, UP] / lengths(thigh)
        for one in excursions(body.lifted(side), _LIFTED_M, _DOWN_M):
            times = body.seconds(one.start), body.seconds(one.end)
            furthest, highest = (one.start + int(values[one.start : one.end].argmax()) for values in (out, knee_up))
            if out[furthest] > _OUT:
                outward = abs(leg[furthest, LEFT]) > abs(leg[furthest, FORWARD])
                if outward or leg[furthest, FORWARD] > 0:
                    found.append(Event("kick", *times, side, "side" if outward else "front"))
            # A heel that is drawn up behind, as in running, lifts no knee.
            elif knee_up[highest] > _KNEE_UP and thigh[highest, FORWARD] > 0:
                found.append(Event("knee", *times, side))
    return found
