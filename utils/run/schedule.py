"""A learning rate follows a schedule: each function here gives a factor of it, and they are multiplied.

They follow the steps that are taken, or the share of the run that is done, by steps or by the clock.
"""

import math
from collections.abc import Iterable


def share_done(steps: float, seconds: float, max_minutes: float | None) -> float:
    """Share of a run that is done, by steps or by time, whichever is ahead; 1 and no more at its end.

    Args:
        steps: share of the steps (or epochs) that are taken.
        seconds: time spent so far, over all resumed parts.
        max_minutes: time budget; None where only the steps count.
    """
    by_time = 0.0 if max_minutes is None else seconds / (60 * max_minutes)
    return min(max(steps, by_time), 1.0)


def warm_up(step: int, steps: int) -> float:
    """A linear rise to 1 over the first `steps` steps; `step` counts from 0."""
    return min(1.0, (step + 1) / steps) if steps else 1.0


def cosine_fall(done: float, floor: float) -> float:
    """Half a cosine from 1 down to `floor`, over the whole run."""
    return max((1 + math.cos(math.pi * done)) / 2, floor)


def linear_fall(done: float, last_share: float, floor: float) -> float:
    """1, then a straight line towards 0 over the last share of the run, not below `floor`."""
    return min(1.0, max((1 - done) / last_share, floor))


def milestone_drops(step: int, milestones: Iterable[int], gamma: float) -> float:
    """A drop by the factor `gamma` at each of the steps `milestones`."""
    return gamma ** sum(step >= milestone for milestone in milestones)
