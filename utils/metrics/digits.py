"""How many digits a number needs beside its interval."""

import math

_NOISE = 1e-6  # what is smaller is shown as 0


def digits_that_show(mean: float, interval: float | None, least: int = 3) -> int:
    """Digits after the point by which two of the mean and one of the interval show; at least `least`.

    An interval must never read 0.000 where it is not, as that of a FID of embeddings of length 1 would.
    """
    digits = least
    for number, shown in ((mean, 2), (interval, 1)):
        if number is not None and _NOISE < abs(number) < 1:
            digits = max(digits, shown - 1 - math.floor(math.log10(abs(number))))
    return digits
