"""One repeat of the field's text-to-motion evaluation, from embeddings to numbers.

Source: the evaluation of Guo et al. (CVPR 2022): shuffled batches of 32 whose incomplete last one is dropped; an
evaluation calls this some 20 times and reports mean and interval (`utils.metric_report`).
"""

import numpy as np

from utils.motion_metrics import diversity, diversity_pairs, frechet_distance, matching_score, r_precision

GROUP = 32
TEXT_TO_MOTION_METRICS = ("R@1", "R@2", "R@3", "MM-Dist", "FID", "Diversity")


def evaluate_text_to_motion(
    text_emb: np.ndarray,
    motion_emb: np.ndarray,
    real_motion_emb: np.ndarray,
    rng: np.random.Generator,
    group: int = GROUP,
) -> dict[str, float]:
    """Metrics of generated motions; give real motions as `motion_emb` for the real row.

    Args:
        text_emb: (N, E) of the captions, one per motion.
        motion_emb: (N, E) of the motions made for them, paired rows.
        real_motion_emb: (M, E) of real motions, paired with nothing.
        rng: draws the shuffling and the pairs of Diversity.

    Returns:
        The metrics of `TEXT_TO_MOTION_METRICS`. With fewer than `group` samples there is no R-precision (NaN), and
        the others use all samples instead of whole batches.
    """
    order, real_order = rng.permutation(len(motion_emb)), rng.permutation(len(real_motion_emb))
    text, motion = (np.asarray(rows)[_whole_batches(order, group)] for rows in (text_emb, motion_emb))
    real = np.asarray(real_motion_emb)[_whole_batches(real_order, group)]
    top = r_precision(text, motion, top_k=3, group=group)
    values = {f"R@{rank}": float(value) for rank, value in enumerate(top, start=1)}
    values["MM-Dist"] = matching_score(text, motion)
    values["FID"] = frechet_distance(real, motion)
    values["Diversity"] = diversity(motion, pairs_of_diversity(len(motion_emb), group), rng)
    return values


def pairs_of_diversity(samples: int, group: int = GROUP) -> int:
    """Pairs that Diversity is taken over with so many motions, of which whole batches are used."""
    return diversity_pairs(len(_whole_batches(np.arange(samples), group)))


def _whole_batches(order: np.ndarray, group: int) -> np.ndarray:
    return order[: len(order) // group * group] if len(order) >= group else order
