"""One set of replies has no interval over draws: here its clips are drawn again instead (Efron's bootstrap, 1979).

The interval says how far a number would move with other clips of the same kind. It says nothing about other replies to
the same clips. FID has none: a sample with repeated motions is systematically further from the reference.
"""

from collections.abc import Mapping

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import hypergeom

from utils.metrics.report import NORMAL_95
from utils.metrics.text_motion import GROUP

RESAMPLES = 500


def resampled(clips: int, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """(B, N) int64: how often each of N clips is in each of B samples of N clips, drawn with repetition."""
    return np.random.default_rng(seed).multinomial(clips, np.full(clips, 1 / clips), size=resamples)


def half_width(values: np.ndarray) -> float | None:
    """Half of the 95 % interval of a number that has (B,) values over the samples.

    None where it has fewer than two, or where all are the same: one clip, or clips that all scored alike, do not show
    how others would differ, and an interval of 0 would say that they would not.
    """
    values = values[np.isfinite(values)]
    if len(values) < 2 or np.allclose(values, values[0], rtol=1e-9, atol=0):
        return None
    return float(NORMAL_95 * values.std(ddof=1))


def means(weights: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(B,) means of the (N,) scores of clips in each sample; a clip whose score is NaN has no part in them."""
    known = np.isfinite(scores)
    counts = weights[:, known].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return weights[:, known] @ scores[known] / counts


def mean_intervals(weights: np.ndarray, scores: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    """For each score (N,) of clips the half-width of its mean's interval."""
    return {name: half_width(means(weights, values)) for name, values in scores.items()}


def r_precision_intervals(
    weights: np.ndarray, text: np.ndarray, motion: np.ndarray, usable: np.ndarray, top_k: int = 3
) -> dict[str, float | None]:
    """Half-widths of R@1 to R@`top_k` of paired rows (N, E).

    A clip counts twice: as what is looked for, and as one of the others that may be nearer. In each sample the chance
    of a clip to be among the nearest k of its group of 32 is exact over all groups (hypergeometric in the number of
    nearer motions), so that no grouping adds noise of its own.
    """
    clips = len(text)
    if clips < GROUP:
        return {f"R@{rank}": None for rank in range(1, top_k + 1)}
    distances = cdist(text, motion)
    nearer = (distances < distances.diagonal()[:, None]).astype(np.float32)
    counts = np.rint(nearer @ weights.T.astype(np.float32)).astype(np.int64)  # (N, B)
    found = {}
    for rank in range(1, top_k + 1):
        chance = hypergeom.cdf(rank - 1, clips - 1, np.arange(clips), GROUP - 1)
        hits = chance[np.minimum(counts, clips - 1)] * usable[:, None]
        found[f"R@{rank}"] = half_width((hits * weights.T).sum(axis=0) / clips)
    return found
