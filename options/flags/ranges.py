"""The numbers that a flag may have; each flag declares its own, and `options.flags.parsing` holds to it."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """The numbers that a flag may have.

    Attributes:
        least, most: the ends, which belong to it.
        above, below: ends that do not.
    """

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def problem(self, value: float) -> str | None:
        """What is wrong with a value, to follow the name of its flag; None: nothing."""
        if value < self.least or value <= self.above:
            return f"{self._low()}, not {value}"
        if value > self.most or value >= self.below:
            return f"{self._high()}, not {value}"
        return None

    def _low(self) -> str:
        if self.above == 0:
            return "must be positive"
        if self.least == 0:
            return "must not be negative"
        return f"must be at least {self.least:.15g}" if self.least > -math.inf else f"must be above {self.above:.15g}"

    def _high(self) -> str:
        return f"must be at most {self.most:.15g}" if self.most < math.inf else f"must be below {self.below:.15g}"


LARGEST = 1_000_000_000  # more steps, clips or units than any machine has
POSITIVE = Range(above=0)
NOT_NEGATIVE = Range(least=0)
COUNT = Range(above=0, most=LARGEST)  # of what there must be one
COUNT_OR_NONE = Range(least=0, most=LARGEST)
SHARE = Range(least=0, most=1)
SEED = Range(least=0, below=1 << 32)  # what numpy takes
