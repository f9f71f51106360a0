"""Generated motions are judged by embeddings: FID, R-precision, MM-Dist, Diversity, MultiModality.

First come the metrics, then the protocol that takes them over one set of motions (`evaluate_text_to_motion`). All are
functions of numpy arrays from one text-motion evaluator; distances are Euclidean. Definitions follow Guo et al. (CVPR
2022). A metric that is undefined for so few samples is NaN. Embeddings with NaN or infinite values are a ValueError:
the number would be wrong, and nothing would show it.
Shape legend: N, M samples, E embedding size.
"""

import numpy as np

# Captions that R-precision ranks at a time; the protocol uses whole groups only.
GROUP = 32
# The error of LAPACK's symmetric eigenvalues, in units of the largest, and how much of it the sum of roots may have.
_EIGENVALUE_ERROR, _ALLOWED_ERROR = 1e-15, 1e-10


def frechet_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """The squared Frechet distance of two Gaussians fitted to (N, E) and (M, E) embeddings (FID).

    |mean difference|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2)), where the last trace is the sum of the singular
    values of R1 R2^T for C = R^T R. No matrix square root is taken, so singular covariances (fewer samples than
    dimensions, one sample) need no offset and nothing complex can appear. NaN where a side has no sample.
    """
    real, generated = _checked("real", real), _checked("generated", generated)
    if real.shape[1] != generated.shape[1]:
        raise ValueError(f"embeddings of {real.shape[1]} and {generated.shape[1]} dimensions cannot be compared")
    if not len(real) or not len(generated):
        return float("nan")
    first, second = _covariance_root(real), _covariance_root(generated)
    shift = real.mean(axis=0) - generated.mean(axis=0)
    overlap = _sum_of_singular_values(first, second)
    return max(float(shift @ shift + (first**2).sum() + (second**2).sum() - 2.0 * overlap), 0.0)


def unit_length(embeddings: np.ndarray) -> np.ndarray:
    """(N, E) embeddings of length 1 each, as some benchmarks take FID of (here FID-norm); one of length 0 stays 0."""
    embeddings = _checked("embeddings", embeddings)
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.where(lengths > 0, lengths, 1.0)


def r_precision(
    text: np.ndarray, motion: np.ndarray, top_k: int = 3, group: int = GROUP, usable: np.ndarray | None = None
) -> np.ndarray:
    """The share of captions whose own motion is among the 1, 2, .. `top_k` nearest of its group.

    Args:
        text, motion: (N, E) paired rows; consecutive rows form groups, an incomplete last group is dropped.
        usable: (N,) bool; a pair marked False (nothing was generated) is a miss. Default: all True.

    Returns:
        (top_k,) float64; NaN where N < group. Equal distances rank in the order of rows, so embeddings that are all
        alike score 1 / group, which is chance.
    """
    from scipy.spatial.distance import cdist

    text, motion = _paired(text, motion)
    usable = np.ones(len(text), dtype=bool) if usable is None else np.asarray(usable, dtype=bool)
    groups = len(text) // group
    if not groups:
        return np.full(top_k, np.nan)
    hits = np.zeros(top_k)
    for start in range(0, groups * group, group):
        rows = slice(start, start + group)
        nearest = np.argsort(cdist(text[rows], motion[rows]), axis=1, kind="stable")[:, :top_k]
        own = (nearest == np.arange(group)[:, None]) & usable[rows, None]
        found = own.cumsum(axis=1).sum(axis=0)
        hits += np.pad(found, (0, top_k - len(found)), mode="edge")  # ranks beyond the size of a group
    return hits / (groups * group)


def matching_score(text: np.ndarray, motion: np.ndarray) -> float:
    """The mean distance of captions and their motions (MM-Dist), (N, E) paired rows; NaN for no rows."""
    text, motion = _paired(text, motion)
    return float(np.linalg.norm(text - motion, axis=1).mean()) if len(text) else float("nan")


def diversity(embeddings: np.ndarray, pairs: int, rng: np.random.Generator) -> float:
    """The mean distance of `pairs` random pairs of rows (N, E): two draws without repetition, paired in order.

    NaN for fewer than 2 rows. Raises ValueError where `pairs` > N: choose fewer (`diversity_pairs`).
    """
    embeddings = _checked("embeddings", embeddings)
    if len(embeddings) < 2:
        return float("nan")
    if pairs > len(embeddings):
        raise ValueError(f"diversity: {pairs} pairs need at least as many samples, got {len(embeddings)}")
    first, second = (rng.choice(len(embeddings), pairs, replace=False) for _ in range(2))
    return float(np.linalg.norm(embeddings[first] - embeddings[second], axis=1).mean())


def diversity_pairs(samples: int) -> int:
    """The number of pairs that the protocol uses: 300; with at most 300 samples 100, or as many as there are."""
    return 300 if samples > 300 else min(100, samples)


def multimodality(embeddings: np.ndarray, pairs: int, rng: np.random.Generator) -> float:
    """The mean distance of `pairs` random pairs among the samples of each text, (texts, samples, E).

    NaN without texts or with one sample.

    Raises ValueError where `pairs` > samples.
    """
    embeddings = _checked("embeddings", embeddings, ndim=3)
    texts, samples = embeddings.shape[:2]
    if not texts or samples < 2:
        return float("nan")
    if pairs > samples:
        raise ValueError(f"multimodality: {pairs} pairs need at least as many samples per text, got {samples}")
    first, second = (rng.choice(samples, pairs, replace=False) for _ in range(2))
    return float(np.linalg.norm(embeddings[:, first] - embeddings[:, second], axis=2).mean())


def evaluate_text_to_motion(
    text_emb: np.ndarray,
    motion_emb: np.ndarray,
    real_motion_emb: np.ndarray,
    rng: np.random.Generator,
    group: int = GROUP,
) -> dict[str, float]:
    """The metrics of generated motions. With real motions as `motion_emb` it gives the row of real motion.

    Args:
        text_emb: (N, E) of the captions, one per motion.
        motion_emb: (N, E) of the motions made for them, paired rows.
        real_motion_emb: (M, E) of real motions, paired with nothing.
        rng: draws the shuffling and the pairs of Diversity.

    Returns:
        R@1, R@2, R@3, MM-Dist, FID, FID-norm and Diversity by name. With fewer than `group` samples there is no
        R-precision (NaN), and the others use all samples instead of whole groups.
    """
    # Shuffled, so that groups are random, and cut to whole groups.
    order, real_order = rng.permutation(len(motion_emb)), rng.permutation(len(real_motion_emb))
    text, motion = (np.asarray(rows)[_whole_groups(order, group)] for rows in (text_emb, motion_emb))
    real = np.asarray(real_motion_emb)[_whole_groups(real_order, group)]
    top = r_precision(text, motion, top_k=3, group=group)
    values = {f"R@{rank}": float(value) for rank, value in enumerate(top, start=1)}
    values["MM-Dist"] = matching_score(text, motion)
    values["FID"] = frechet_distance(real, motion)
    values["FID-norm"] = frechet_distance(unit_length(real), unit_length(motion))
    values["Diversity"] = diversity(motion, pairs_of_diversity(len(motion_emb), group), rng)
    return values


def pairs_of_diversity(samples: int, group: int = GROUP) -> int:
    """The number of pairs that the protocol takes Diversity over, with so many motions."""
    return diversity_pairs(samples_used(samples, group))


def samples_used(samples: int, group: int = GROUP) -> int:
    """How many of so many samples `evaluate_text_to_motion` uses: whole groups; all where they are no group."""
    return samples // group * group if samples >= group else samples


def too_few(samples: int, dimensions: int) -> str | None:
    """What a reader of the FID of so few motions must know; None where there are enough, or no FID at all."""
    if samples == 0 or samples >= max(dimensions, GROUP):
        return None
    words = (
        f"FID is of {samples} motions in {dimensions} dimensions: it needs more motions than dimensions to mean much"
    )
    return words if samples >= GROUP else f"{words}; R-precision needs {GROUP}"


def _whole_groups(order: np.ndarray, group: int) -> np.ndarray:
    return order[: samples_used(len(order), group)]


def _covariance_root(embeddings: np.ndarray) -> np.ndarray:
    """R of at most E rows with R^T R = the (unbiased) covariance of the embeddings."""
    centred = embeddings - embeddings.mean(axis=0)
    centred /= np.sqrt(max(len(embeddings) - 1, 1))
    if centred.shape[0] > centred.shape[1]:
        try:
            return np.linalg.cholesky(centred.T @ centred, upper=True)
        except np.linalg.LinAlgError:
            pass  # singular (constant columns, for example): only a factorisation of the data themselves is safe
    return np.linalg.qr(centred, mode="r")


def _sum_of_singular_values(first: np.ndarray, second: np.ndarray) -> float:
    """The sum of the singular values of first @ second.T, for two covariance roots.

    Square roots of eigenvalues take half the time of singular values, but those of tiny eigenvalues are inexact. So
    they are used only where the bound of their error is far below the digits that are reported; the diagonals of the
    triangular roots tell beforehand where that is hopeless.
    """
    product = first @ second.T
    spread = 1.0
    for diagonal in (np.abs(np.diagonal(first)), np.abs(np.diagonal(second))):
        spread *= diagonal.min() / max(diagonal.max(), np.finfo(float).tiny)
    if spread**2 > _EIGENVALUE_ERROR:
        values = np.linalg.eigvalsh(product @ product.T).clip(min=0.0)
        roots, error = np.sqrt(values), _EIGENVALUE_ERROR * values[-1]
        if (error / np.maximum(roots, np.sqrt(error))).sum() <= _ALLOWED_ERROR * roots.sum():
            return float(roots.sum())
    return float(np.linalg.svd(product, compute_uv=False).sum())


def _checked(name: str, embeddings: np.ndarray, ndim: int = 2) -> np.ndarray:
    """The embeddings as float64; raises ValueError for another number of dimensions and for NaN or infinity."""
    array = np.asarray(embeddings, dtype=np.float64)
    if array.ndim != ndim:
        raise ValueError(f"{name}: expected {ndim} dimensions, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: holds NaN or infinite values")
    return array


def _paired(text: np.ndarray, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    text, motion = _checked("text", text), _checked("motion", motion)
    if text.shape != motion.shape:
        raise ValueError(f"text {text.shape} and motion {motion.shape} embeddings are not paired")
    return text, motion
