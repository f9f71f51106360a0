"""Two systems on the same clips: is the difference of their scores larger than chance?

Pairing takes out what makes clips easy or hard for both, so that smaller differences show than by comparing means
with intervals of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from utils.errors import InputError
from utils.metrics.digits import digits_that_show
from utils.metrics.quantiles import student_t_quantile

CONFIDENCE = 0.95


@dataclass(frozen=True)
class PairedDifference:
    """How system A differs from system B.

    Attributes:
        mean: of a - b over the pairs, None without pairs.
        interval: half-width of its 95 % interval, None for fewer than two pairs.
        n: pairs with a score on both sides.
        wins, losses, ties: pairs with a above, below, equal to b (which is better depends on the metric).
        left_out: pairs with a score on one side at most.
    """

    mean: float | None
    interval: float | None
    n: int
    wins: int
    losses: int
    ties: int
    left_out: int

    @property
    def clear(self) -> bool:
        """The interval does not hold 0."""
        return self.interval is not None and abs(self.mean) > self.interval

    def number(self, digits: int = 3) -> str:
        """Such as `+0.012 +- 0.004`; `-` without pairs. Small ones get the digits that they need."""
        if self.mean is None:
            return "-"
        if self.interval is None:
            return f"{self.mean:+.{digits}f}"
        # Of the mean only what its interval lets one see.
        digits = digits_that_show(0.0, self.interval, digits)
        return f"{self.mean:+.{digits}f} +- {self.interval:.{digits}f}"

    def text(self, digits: int = 3) -> str:
        """The number and its pairs, such as `+0.012 +- 0.004 (n 380: 210 above, 150 below, 20 equal; 6 left out)`."""
        number = self.number(digits)
        counts = f"n {self.n}: {self.wins} above, {self.losses} below, {self.ties} equal"
        return f"{number} ({counts}{f'; {self.left_out} left out' if self.left_out else ''})"


class PairedScores(NamedTuple):
    """Scores of the N clips of either system, those of the first system first.

    Attributes:
        a, b: (N,) float64, NaN where a system has no score for a clip: `paired_difference` counts those as left out.
    """

    a: np.ndarray
    b: np.ndarray


def paired_difference(
    a: np.ndarray | Sequence[float | None], b: np.ndarray | Sequence[float | None]
) -> PairedDifference:
    """Mean difference a - b of N paired scores with its interval; None, NaN or infinite on a side: left out.

    The interval is Student's, t(n - 1) sd / sqrt(n) of the differences: exact for normal ones, right for large n by
    the central limit theorem, and without the seed that a bootstrap needs.
    """
    first, second = (np.asarray(scores, dtype=np.float64) for scores in (a, b))
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"scores of shapes {first.shape} and {second.shape} are not pairs")
    both = np.isfinite(first) & np.isfinite(second)
    first, second = first[both], second[both]
    difference, n = first - second, len(first)
    interval = None
    if n > 1:
        quantile = student_t_quantile((1 + CONFIDENCE) / 2, n - 1)
        interval = float(quantile * difference.std(ddof=1) / np.sqrt(n))
    return PairedDifference(
        mean=float(difference.mean()) if n else None,
        interval=interval,
        n=n,
        wins=int((first > second).sum()),
        losses=int((first < second).sum()),
        ties=int((first == second).sum()),
        left_out=int((~both).sum()),
    )


def score_differences(
    rows_a: Sequence[Mapping[str, Any]], rows_b: Sequence[Mapping[str, Any]]
) -> dict[str, PairedDifference]:
    """a - b clip by clip, of every score that two predictions.jsonl share, in the order of the first."""
    names = shared_scores(rows_a, rows_b)
    return {name: paired_difference(*match_by_id(rows_a, rows_b, name)) for name in names}


def shared_scores(rows_a: Sequence[Mapping[str, Any]], rows_b: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the scores that both predictions have, in order.

    All rows are asked: one whose reply could not be used lacks the scores of its motion.
    """
    first, second = (dict.fromkeys(name for row in rows for name in row["scores"]) for rows in (rows_a, rows_b))
    return [name for name in first if name in second]


def match_by_id(rows_a: Sequence[Mapping[str, Any]], rows_b: Sequence[Mapping[str, Any]], name: str) -> PairedScores:
    """The score `name` of two predictions.jsonl as pairs, one a clip.

    A row has ``id``, a ``draw`` (absent = 0) and its score under `name`, at the top or within ``scores``. Several
    draws of a clip are averaged (over those with a score) and not paired one by one: draws of one clip are alike, so
    that counting each as a sample would make intervals too narrow; and the systems may have drawn different numbers.

    Raises InputError where a system has no row with that score, or the same draw of a clip twice.
    """
    first, second = (_mean_over_draws(rows, name, which) for rows, which in ((rows_a, "first"), (rows_b, "second")))
    ids = list(dict.fromkeys([*first, *second]))
    return PairedScores(*(np.array([scores.get(id, np.nan) for id in ids]) for scores in (first, second)))


def _mean_over_draws(rows: Sequence[Mapping[str, Any]], name: str, which: str) -> dict[str, float]:
    """Clip id -> mean over its draws; NaN where no draw has the score."""
    draws: dict[str, list[float]] = {}
    seen = set()
    known = False
    for row in rows:
        scores = row.get("scores") or row
        known |= name in scores
        value, key = scores.get(name), (row["id"], row.get("draw", 0))
        if key in seen:
            raise InputError(f"the {which} predictions hold draw {key[1]} of {key[0]} twice")
        seen.add(key)
        found = draws.setdefault(row["id"], [])
        if value is not None and np.isfinite(value):
            found.append(float(value))
    if not known:
        raise InputError(f"the {which} predictions have no score {name!r}")
    return {id: float(np.mean(values)) if values else float("nan") for id, values in draws.items()}
