import numpy as np
import pytest

from dataset.captions.lines import Caption
from dataset.captions.word_vectors import UNKNOWN, make_word_vectors
from dataset.humanml.layout import MotionRecord
from dataset.humanml.pairs import TextMotionPairs, fit_length, pad_motions


def record(index, frames, *sentences):
    captions = tuple(Caption(s, tuple(f"{word}/NOUN" for word in s.split()), 0.0, 0.0) for s in sentences)
    return MotionRecord(str(index), np.full((frames, 3), index, dtype=np.float32), captions)


RECORDS = [
    record(0, 8, "a man", "a dog"),
    record(1, 13, "a dog"),
    record(2, 300, "cat", "cats", "kitten"),
    record(3, 9, "a man"),
    record(4, 40, "bird"),
]
WORDS = make_word_vectors([token for r in RECORDS for c in r.captions for token in c.tokens], dim=4)


@pytest.fixture
def pairs():
    return TextMotionPairs(RECORDS, np.ones(3), np.full(3, 2.0), WORDS)


@pytest.mark.parametrize(("frames", "expected"), [(3, 0), (4, 4), (43, 40), (196, 196), (199, 196), (1000, 196)])
def test_motions_are_cut_to_whole_units_of_at_most_196_frames(frames, expected):
    assert fit_length(frames) == expected


def test_padding_normalises_and_leaves_one_unit_of_zeros():
    batch, lengths = pad_motions([r.features for r in RECORDS[:2]], np.ones(3), np.full(3, 2.0))
    assert batch.shape == (2, 12 + 4, 3)
    assert lengths.tolist() == [8, 12]
    assert (batch[0, :8] == -0.5).all()  # (0 - 1) / 2
    assert not batch[0, 8:].any()
    assert not batch[1].any()  # (1 - 1) / 2


def test_a_batch_keeps_pairs_together(pairs):
    batch = pairs.batch(np.array([4, 0, 1]), np.array([0, 1, 0]))
    kept = [rows[1 : n - 1] for rows, n in zip(batch.word_rows, batch.text_lengths, strict=True)]
    words = [[WORDS.words[row] for row in rows] for rows in kept]
    assert words == [["bird"], ["a", "dog"], ["a", "dog"]]
    np.testing.assert_allclose(batch.motions[:, 0, 0], [1.5, -0.5, 0.0])
    assert batch.motion_lengths.tolist() == [40, 8, 12]
    assert batch.caption_ids[1] == batch.caption_ids[2] != batch.caption_ids[0]


def test_an_epoch_has_every_clip_once(pairs):
    batches = list(pairs.epoch(2, np.random.default_rng(0)))
    seen = np.concatenate([batch.motion_lengths for batch in batches])
    # Five clips in batches of two: one is left over, and a batch of one has no negatives.
    assert len(seen) == 4
    assert sorted(np.concatenate([b.motion_lengths for b in pairs.epoch(5, np.random.default_rng(0))])) == [
        8,
        8,
        12,
        40,
        196,
    ]


def test_captions_are_random_but_seeded(pairs):
    draws = [tuple(pairs.draw_captions(np.random.default_rng(seed))) for seed in range(30)]
    assert draws[3] == tuple(pairs.draw_captions(np.random.default_rng(3)))
    assert {draw[2] for draw in draws} == {0, 1, 2}
    assert {draw[1] for draw in draws} == {0}


def test_dropped_words_become_unknown_and_nothing_else_changes(pairs):
    plain, dropped = (next(pairs.epoch(5, np.random.default_rng(1), share)) for share in (0.0, 0.999999))
    unknown = WORDS.words.index(UNKNOWN)
    for before, after, length in zip(plain.word_rows, dropped.word_rows, plain.text_lengths, strict=True):
        assert (after[1 : length - 1] == unknown).all()
        assert after[0] == before[0]
        assert (after[length - 1 :] == before[length - 1 :]).all()
