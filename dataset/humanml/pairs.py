"""Captions and their motions are put into batches that the text-motion evaluator reads.

Shape legend: N clips, B batch, T frames, D feature_dim, W = 22 tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dataset.captions.word_vectors import UNKNOWN, WordVectorizer
from dataset.humanml.layout import MotionRecord

FRAMES_PER_UNIT = 4  # the evaluator's convolutions halve the frame rate twice
MAX_FRAMES = 196  # the published evaluator never saw longer motions
BATCHES_PER_SORT = 4  # batches of alike lengths are cut from a shuffled chunk of this many: half the padding


def fit_length(num_frames: int) -> int:
    """The number of frames of a motion that the evaluator looks at: whole movement units, at most `MAX_FRAMES`."""
    return min(num_frames, MAX_FRAMES) // FRAMES_PER_UNIT * FRAMES_PER_UNIT


def pad_motions(motions: Sequence[np.ndarray], mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """B motions (T, D) of features -> normalised, zero-padded (B, T', D) float32 and lengths (B,) in frames.

    One unit of zeros follows the longest motion, as it would in data padded to `MAX_FRAMES`. The evaluator's second
    convolution sees that unit, so without it an embedding would depend on the other motions of the batch.
    """
    lengths = np.array([fit_length(len(motion)) for motion in motions], dtype=np.int64)
    padded = min(int(lengths.max()) + FRAMES_PER_UNIT, MAX_FRAMES)
    batch = np.zeros((len(motions), padded, len(mean)), dtype=np.float32)
    for row, motion, length in zip(batch, motions, lengths, strict=True):
        row[:length] = (motion[:length] - mean) / std
    return batch, lengths


@dataclass(frozen=True, eq=False)
class PairBatch:
    """B captions and their motions.

    Attributes:
        word_rows, pos_classes: (B, W) int64, as `WordVectorizer.indices` gives them.
        text_lengths: (B,) int64, in tokens with sos/eos.
        motions: (B, T, D) float32, normalised, zero-padded.
        motion_lengths: (B,) int64, in frames.
        caption_ids: (B,) int64; captions of the same tokens have the same number.
    """

    word_rows: np.ndarray
    pos_classes: np.ndarray
    text_lengths: np.ndarray
    motions: np.ndarray
    motion_lengths: np.ndarray
    caption_ids: np.ndarray


class TextMotionPairs:
    """Clips with their captions, in memory.

    Args:
        records: N clips, each with at least one caption.
        mean, std: (D,) of the evaluator that is trained or asked.
        words: vocabulary of the captions' tokens.
    """

    def __init__(
        self, records: Sequence[MotionRecord], mean: np.ndarray, std: np.ndarray, words: WordVectorizer
    ) -> None:
        self._motions = [record.features for record in records]
        self._motion_lengths = np.array([fit_length(len(motion)) for motion in self._motions])
        self._mean, self._std = mean.astype(np.float32), std.astype(np.float32)
        self.caption_counts = np.array([len(record.captions) for record in records])
        # What a dropped word is replaced by: the word at place 1, behind sos.
        unknown_rows, unknown_classes, _ = words.indices((UNKNOWN,))
        self._unknown = (unknown_rows[1], unknown_classes[1])
        captions = [caption for record in records for caption in record.captions]
        tokens = [caption.tokens for caption in captions]
        encoded = [words.indices(caption) for caption in tokens]
        self._rows, self._classes = (np.stack([item[part] for item in encoded]) for part in (0, 1))
        self._lengths = np.array([item[2] for item in encoded], dtype=np.int64)
        numbers: dict[tuple[str, ...], int] = {}
        self._ids = np.array([numbers.setdefault(caption, len(numbers)) for caption in tokens], dtype=np.int64)
        # A caption of each number that `PairBatch.caption_ids` holds, by number.
        self.distinct = [captions[first] for first in np.unique(self._ids, return_index=True)[1]]
        self._first = np.concatenate([[0], np.cumsum(self.caption_counts)])[:-1]

    def __len__(self) -> int:
        return len(self._motions)

    def draw_captions(self, rng: np.random.Generator) -> np.ndarray:
        """(N,) one random caption per clip, as its index among the clip's own captions."""
        return rng.integers(0, self.caption_counts)

    def batch(self, clips: np.ndarray, captions: np.ndarray) -> PairBatch:
        """The pairs of `clips` (B,) with their captions of index `captions` (B,), in this order."""
        chosen = self._first[clips] + captions
        motions, lengths = pad_motions([self._motions[clip] for clip in clips], self._mean, self._std)
        return PairBatch(
            self._rows[chosen], self._classes[chosen], self._lengths[chosen], motions, lengths, self._ids[chosen]
        )

    def epoch(self, batch_size: int, rng: np.random.Generator, word_dropout: float = 0.0) -> Iterator[PairBatch]:
        """All clips once, shuffled, each with a random caption. A batch of one clip has no negatives and is left out.

        A share `word_dropout` of the words is replaced by `unk`, so that its vector comes to mean "some word".
        """
        captions, order = self.draw_captions(rng), rng.permutation(len(self))
        # Batches of alike lengths, in random order.
        batches = []
        for start in range(0, len(order), batch_size * BATCHES_PER_SORT):
            chunk = order[start : start + batch_size * BATCHES_PER_SORT]
            chunk = chunk[np.argsort(self._motion_lengths[chunk], kind="stable")]
            batches += [chunk[i : i + batch_size] for i in range(0, len(chunk), batch_size)]
        for index in rng.permutation(len(batches)):
            clips = batches[index]
            if len(clips) > 1:
                batch = self.batch(clips, captions[clips])
                yield self._drop_words(batch, word_dropout, rng) if word_dropout else batch

    def _drop_words(self, batch: PairBatch, share: float, rng: np.random.Generator) -> PairBatch:
        position = np.arange(batch.word_rows.shape[1])
        is_word = (position > 0) & (position < batch.text_lengths[:, None] - 1)  # not sos, eos or padding
        dropped = is_word & (rng.random(batch.word_rows.shape) < share)
        row, pos_class = self._unknown
        return replace(
            batch,
            word_rows=np.where(dropped, row, batch.word_rows),
            pos_classes=np.where(dropped, pos_class, batch.pos_classes),
        )
