"""How well an evaluator matches real captions with real motions: its own quality, and the "real" row of a table."""

from collections.abc import Sequence

import numpy as np

from dataset.humanml_layout import MotionRecord
from models.text_motion_evaluator import TextMotionEvaluator
from utils.text_motion_protocol import GROUP, evaluate_text_to_motion


def real_motion_repeats(
    evaluator: TextMotionEvaluator,
    records: Sequence[MotionRecord],
    repeats: int,
    rng: np.random.Generator,
    group: int = GROUP,
) -> list[dict[str, float]]:
    """`repeats` times the text-to-motion metrics of the records' own motions, with random captions and groups.

    Every motion and caption is embedded once.
    """
    motion = evaluator.embed_features([record.features for record in records]).cpu().numpy()
    captions = [caption.tokens for record in records for caption in record.captions]
    text = evaluator.embed_captions(captions).cpu().numpy()
    counts = np.array([len(record.captions) for record in records])
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    return [
        evaluate_text_to_motion(text[first + rng.integers(0, counts)], motion, motion, rng, group)
        for _ in range(repeats)
    ]
