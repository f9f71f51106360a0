"""A baseline without a model: what the nearest of the training clips has is the answer.

    t2m   the motion of the training caption that means most nearly the same
    m2t   the first caption of the training motion that is most alike

A model that is not better than a copy has learned nothing that a search engine would not do.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.spatial.distance import cdist

from dataset.humanml.layout import MotionRecord
from models.evaluation.predictions import Prediction
from models.evaluation.questions import Questions
from utils.errors import InputError

NN_COPY = "nn-copy"
# Texts -> (N, E); motions (T, D) -> (N, E). What is near in it is alike.
PlaceTexts = Callable[[Sequence[str]], np.ndarray]
PlaceMotions = Callable[[Sequence[np.ndarray]], np.ndarray]
_AT_ONCE = 256  # rows of distances that are held together
_CONSTANT = 1e-4  # a feature that varies by less does not vary


def copied_motions(
    questions: Questions, train: Sequence[MotionRecord], draws: int, place: PlaceTexts
) -> list[list[Prediction]]:
    """For each draw, the motion of the nearest training caption for the caption that is asked; of several as near the
    first.

    Raises InputError where the training clips have no captions.
    """
    told = [(record, caption.text) for record in train for caption in record.captions]
    _need(told, "captions")
    asked = [[caption.text for caption in questions.captions(draw)] for draw in range(draws)]
    every = list(dict.fromkeys(text for row in asked for text in row))
    found = nearest(place(every), place([text for _, text in told]))
    sources = {text: told[index][0] for text, index in zip(every, found, strict=True)}
    return [
        [
            Prediction(record.id, draw, text, motion=sources[text].features, copied_from=sources[text].id)
            for record, text in zip(questions.records, row, strict=True)
        ]
        for draw, row in enumerate(asked)
    ]


def copied_captions(questions: Questions, train: Sequence[MotionRecord], place: PlaceMotions) -> list[list[Prediction]]:
    """One draw: the first caption of the nearest training motion for each motion; of several as near the first.

    Raises InputError where the training clips have no captions.
    """
    told = [record for record in train if record.captions]
    _need(told, "captions")
    placed = place([record.features for record in told])
    found = nearest(place([record.features for record in questions.records]), placed)
    pairs = zip(questions.records, (told[index] for index in found), strict=True)
    return [[Prediction(own.id, 0, answer=near.captions[0].text, copied_from=near.id) for own, near in pairs]]


def nearest(rows: np.ndarray, among: np.ndarray) -> list[int]:
    """Which of `among` (M, E) is nearest to each of `rows` (N, E), in Euclidean distance; the first of equals."""
    starts = range(0, len(rows), _AT_ONCE)
    return [int(index) for start in starts for index in cdist(rows[start : start + _AT_ONCE], among).argmin(axis=1)]


def by_features(train: Sequence[MotionRecord]) -> PlaceMotions:
    """Motions (T, D) by the mean and the standard deviation over time of each feature -> (N, 2 D).

    Both in standard deviations of that feature over the frames of the training clips.
    """
    count = sum(len(record.features) for record in train)
    mean = sum(record.features.sum(axis=0, dtype=np.float64) for record in train) / max(count, 1)
    squares = sum(((record.features - mean) ** 2).sum(axis=0) for record in train)
    spread = np.sqrt(squares / max(count, 1))
    spread = np.where(spread < _CONSTANT, 1.0, spread)

    def place(motions: Sequence[np.ndarray]) -> np.ndarray:
        scaled = [(motion - mean) / spread for motion in motions]
        return np.stack([np.concatenate([motion.mean(axis=0), motion.std(axis=0)]) for motion in scaled])

    return place


def _need(found: Sequence[object], what: str) -> None:
    if not found:
        raise InputError(f"--baseline {NN_COPY} copies from the training clips, and none of them has {what}")
