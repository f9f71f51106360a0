"""Captions that say nearly the same are no negatives of each other: this tells which ones those are.

TMR compares captions by a sentence model, which has to be downloaded. Without one they are compared by their words: the
cosine of word counts, weighted by how rare a word is (tf-idf), which sees that "a person" and "the person" are alike,
and no synonyms. What it misses stays a negative, as everything was before TMR.

Both take "turns left" and "turns right" for nearly the same (a cosine of .95 among the captions of the toy people), and
an evaluator that never told them apart would be a judge that is blind there. So captions that differ in a direction, a
number or a manner are always negatives.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dataset.captions.word_vectors import split_token, word_class

if TYPE_CHECKING:
    from scipy import sparse

# The cosine above which captions are alike: by their words, and by a sentence model (TMR: .8 on a scale from 0 to 1).
WORDS_ABOVE, SENTENCES_ABOVE = 0.8, 0.6
_TELLING = ("Loc_VIP", "Desc_VIP", "NUM")


class SimilarCaptions:
    """Which of C captions are similar.

    Args:
        captions: as ``word/POS`` tokens.
        rows: (C, K) one row of length 1 a caption, dense or sparse, such as `word_rows`.
        above: captions with a cosine above it are similar, unless they differ in a direction, a number or a manner.
    """

    def __init__(self, captions: Sequence[Sequence[str]], rows: "np.ndarray | sparse.csr_array", above: float) -> None:
        self._rows, self._above = rows, above
        numbers: dict[tuple[str, ...], int] = {}
        self._told = np.array([numbers.setdefault(_telling_words(tokens), len(numbers)) for tokens in captions])

    def among(self, ids: np.ndarray) -> np.ndarray:
        """(B,) numbers of captions -> (B, B) bool; True also where both are one and the same caption."""
        rows, told = self._rows[ids], self._told[ids]
        cosines = rows @ rows.T
        if not isinstance(cosines, np.ndarray):
            cosines = cosines.toarray()
        return ((cosines > self._above) & (told[:, None] == told[None])) | (ids[:, None] == ids[None])


def _telling_words(tokens: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(split_token(token)[0] for token in tokens if word_class(token) in _TELLING))


def word_rows(captions: Sequence[Sequence[str]]) -> "sparse.csr_array":
    """C captions as ``word/POS`` tokens -> (C, words) rows of length 1; a row of no words is zero.

    A word counts as often as it stands there, times the logarithm of (C + 1) / (captions that have it).
    """
    from scipy import sparse

    columns: dict[str, int] = {}
    words = [[columns.setdefault(split_token(token)[0], len(columns)) for token in tokens] for tokens in captions]
    starts = np.cumsum([0, *map(len, words)])
    every = np.array([column for row in words for column in row], dtype=np.int64)
    counts = sparse.csr_array((np.ones(len(every)), every, starts), shape=(len(words), len(columns)))
    counts.sum_duplicates()
    known_by = np.bincount(counts.indices, minlength=len(columns))
    weighted = counts.multiply(np.log((len(words) + 1) / np.maximum(known_by, 1))[None]).tocsr()
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return sparse.csr_array(weighted.multiply((1 / np.where(lengths > 0, lengths, 1))[:, None]))
