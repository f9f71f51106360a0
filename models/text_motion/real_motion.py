"""An evaluator matches real captions with real motions: this tells its own quality, and the "real" row of a table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from dataset.humanml.layout import MotionRecord
from models.text_motion.evaluator import TextMotionEvaluator
from utils.metrics.text_motion import GROUP, evaluate_text_to_motion


@dataclass(frozen=True, eq=False)
class EmbeddedRecords:
    """N clips and their C captions as embeddings.

    Attributes:
        text: (C, E), the captions of clip 0 first.
        owners: (C,) the clip of each caption.
        motion: (N, E).
    """

    text: np.ndarray
    owners: np.ndarray
    motion: np.ndarray

    @classmethod
    def of(cls, evaluator: TextMotionEvaluator, records: Sequence[MotionRecord]) -> "EmbeddedRecords":
        """Embed every motion and every caption once."""
        captions = [caption.tokens for record in records for caption in record.captions]
        return cls(
            evaluator.embed_captions(captions).cpu().numpy(),
            np.repeat(np.arange(len(records)), [len(record.captions) for record in records]),
            evaluator.embed_features([record.features for record in records]).cpu().numpy(),
        )

    def repeats(self, repeats: int, rng: np.random.Generator, group: int = GROUP) -> list[dict[str, float]]:
        """The text-to-motion metrics of the clips' own motions, `repeats` times, with random captions and groups."""
        counts = np.bincount(self.owners)
        first = np.cumsum(counts) - counts
        rows = []
        for _ in range(repeats):
            text = self.text[first + rng.integers(0, counts)]
            rows.append(evaluate_text_to_motion(text, self.motion, self.motion, rng, group))
        return rows

    def mean_reciprocal_rank(self) -> float:
        """The mean of 1 / rank: of each caption's motion among all N, and of each motion's nearest own caption.

        Nothing is drawn and nothing saturates, so it tells epochs apart that R-precision in groups of 32 does not.
        """
        # A rank is 1 plus the number of others that are nearer.
        distances = cdist(self.text, self.motion)
        own = self.owners[:, None] == np.arange(len(self.motion))
        to_own = distances[own]
        motion_ranks = 1 + (distances < to_own[:, None]).sum(axis=1)
        nearest_own = np.where(own, distances, np.inf).min(axis=0)
        text_ranks = 1 + (np.where(own, np.inf, distances) < nearest_own).sum(axis=0)
        return float(((1 / motion_ranks).mean() + (1 / text_ranks).mean()) / 2)
