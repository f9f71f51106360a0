"""The ``Frame Time`` of a BVH file, as it is written, tells frames per second.

Frame times have few digits: 0.033333, 0.033 and 0.03 all mean 30 frames a second. Read as they stand, the first would
lose the last frame of a resampled clip, and the last would play it at 33.3.
"""

import re
from decimal import Decimal

from dataset.sources.bvh.hierarchy import shown
from utils.errors import InputError
from utils.motion.resampling import FRAME_RATES

# The rates that cameras and capture systems have; those of NTSC are meant only where the digits leave no whole one.
_USUAL = (10, 12, 12.5, 15, 20, 24, 25, 30, 40, 48, 50, 60, 72, 75, 80, 90, 100, 120, 144, 150, 180, 200, 240, 250,
          300, 360, 480, 500, 1000)  # fmt: skip
_NTSC = (24000 / 1001, 30000 / 1001, 60000 / 1001, 120000 / 1001)
# A rate at most this share off a whole one counts as whole, if the digits of the frame time allow for it.
_WHOLE_RATE_TOLERANCE = 0.005
# Above this change by rounding it is said what a frame time was taken for.
_SAID_FROM = 0.005
# Nobody records people at fewer frames a second than this: 1 in the place of a frame time means something else.
_FEWEST = 5
# Beyond these a number is not taken for milliseconds: 2 would be 500 frames a second.
_FASTEST_IN_MILLISECONDS, _LONGEST_IN_MILLISECONDS = 240, 1000
_NUMBER = re.compile(r"\+?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][-+]?\d{1,3})?", re.ASCII)


def frame_rate(frame_time: str) -> tuple[float, str | None]:
    """(frames per second, what to tell the user about it or None) of a frame time as it is written.

    Raises InputError for what is no time between two frames of a motion, with the flag that helps.
    """
    time = Decimal(frame_time) if _NUMBER.fullmatch(frame_time) else Decimal(0)
    if not time:
        hint = ": write it with a point" if "," in frame_time else ""
        raise InputError(f"the frame time must be seconds above 0, got {shown(frame_time)}{hint}")
    shortest, longest = 1 / Decimal(FRAME_RATES[1]), 1 / Decimal(_FEWEST)
    if shortest <= time <= longest:
        fps, plain = _rate(time), 1 / float(time)
        if abs(fps / plain - 1) < _SAID_FROM:
            return fps, None
        return fps, f"Frame Time {frame_time} would be {plain:.4g} frames a second: taken as {fps:g} (--fps: otherwise)"
    if not longest < time < _LONGEST_IN_MILLISECONDS:
        raise InputError(
            f"the frame time must be seconds, {shortest:g} to {longest:g}, got {shown(frame_time)}: say --fps"
        )
    in_milliseconds = _usual_rate(time / 1000)
    is_usual_rate = any(abs(float(time) - rate) < _WHOLE_RATE_TOLERANCE for rate in (*_USUAL, *_NTSC))
    if in_milliseconds is not None and in_milliseconds <= _FASTEST_IN_MILLISECONDS and not is_usual_rate:
        return in_milliseconds, (
            f"Frame Time {frame_time} cannot be seconds: taken as milliseconds, {in_milliseconds:.5g} frames a second "
            "(--fps: otherwise)"
        )
    meant = {"frames a second": float(time), "milliseconds": 1000 / float(time), "seconds": 1 / float(time)}
    rates = {unit: fps for unit, fps in meant.items() if FRAME_RATES[0] <= fps <= FRAME_RATES[1]}
    say = [f"if it is {unit}, say --fps {fps:.6g}" for unit, fps in rates.items()]
    raise InputError(
        f"the frame time must be seconds, {shortest:g} to {longest:g}, got {shown(frame_time)}: {'; '.join(say)}"
    )


def _rate(time: Decimal) -> float:
    """The rate that seconds mean: a usual one, a whole one close by, or what they say."""
    usual = _usual_rate(time)
    if usual is not None:
        return usual
    fps = 1 / float(time)
    whole = round(fps)
    if whole and abs(fps / whole - 1) < _WHOLE_RATE_TOLERANCE and abs(1 / whole - float(time)) < _last_digit(time):
        return float(whole)
    return fps


def _usual_rate(time: Decimal) -> float | None:
    """The usual rate whose exact frame time is written like this: rounded to these digits, else cut off there."""
    seconds, digit = float(time), _last_digit(time)
    slack = 1e-15 * seconds  # of the numbers themselves
    for rates in (_USUAL, _NTSC):
        rounded = [rate for rate in rates if abs(1 / rate - seconds) <= digit / 2 + slack]
        if rounded:
            return float(min(rounded, key=lambda rate: abs(1 / rate - seconds)))
    cut = [rate for rate in _USUAL if 0 <= 1 / rate - seconds < digit]
    return float(max(cut)) if cut else None


def _last_digit(time: Decimal) -> float:
    """The worth of the last digit that is written."""
    return 10.0 ** int(time.as_tuple().exponent)
