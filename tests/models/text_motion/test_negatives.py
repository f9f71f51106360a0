"""Which captions are alike, on sentences whose answer anybody would give."""

import numpy as np
import pytest

from models.text_motion.negatives import WORDS_ABOVE, SimilarCaptions, word_rows

TURN_LEFT = ("a/DET", "person/NOUN", "turn/VERB", "left/ADV", "on/ADP", "the/DET", "spot/NOUN")
THE_TURN_LEFT = ("the/DET", *TURN_LEFT[1:])
TURN_RIGHT = (*TURN_LEFT[:3], "right/ADV", *TURN_LEFT[4:])
JUMP = ("a/DET", "person/NOUN", "jump/VERB", "twice/ADV")
# What makes "a", "the" and "person" frequent.
OTHERS = [("a/DET", "person/NOUN", "the/DET", f"verb{i}/VERB", f"thing{i}/NOUN") for i in range(60)]
CAPTIONS = [TURN_LEFT, THE_TURN_LEFT, TURN_RIGHT, JUMP, *OTHERS]


def alike(above, ids=(0, 1, 2, 3)):
    return SimilarCaptions(CAPTIONS, word_rows(CAPTIONS), above).among(np.array(ids))


def test_frequent_words_hardly_count_and_a_direction_decides():
    found = alike(WORDS_ABOVE)
    assert found[0, 1] and found[1, 0]
    assert not found[0, 2] and not found[1, 2]  # left and right
    assert not found[:3, 3].any()
    assert found.diagonal().all()
    rows = word_rows(CAPTIONS)[[0, 2]]
    assert (rows @ rows.T).toarray()[0, 1] > 0.6  # though by their words they are near


def test_above_1_only_a_caption_and_itself_are_alike():
    np.testing.assert_array_equal(
        alike(1.0, (3, 1, 3)), [[True, False, True], [False, True, False], [True, False, True]]
    )


def test_a_number_and_a_manner_decide_too():
    once = ("a/DET", "person/NOUN", "jump/VERB")
    captions = [(*once, "two/NUM", "time/NOUN"), (*once, "three/NUM", "time/NOUN"), once, (*once, "slowly/ADV")]
    found = SimilarCaptions(captions, word_rows(captions), -1.0).among(np.arange(4))
    np.testing.assert_array_equal(found, np.eye(4, dtype=bool))


def test_rows_by_hand():
    """Of three captions two have "a" and one has "b", twice: log(4 / 2), and twice log(4 / 1)."""
    rows = word_rows([("a/DET", "b/NOUN", "b/NOUN"), ("a/DET",), ()]).toarray()
    both, one = np.log(4 / 2), 2 * np.log(4 / 1)
    np.testing.assert_allclose(rows[0], np.array([both, one]) / np.hypot(both, one))
    np.testing.assert_allclose(rows[1], [1, 0])
    np.testing.assert_allclose(rows[2], [0, 0])


def test_rows_of_a_sentence_model_will_do():
    vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    captions = [("walk/VERB",), ("stroll/VERB",), ("sit/VERB",)]
    found = SimilarCaptions(captions, vectors, 0.7).among(np.arange(3))
    assert found[0, 1] and not found[0, 2] and not found[1, 2]


@pytest.mark.parametrize("ids", [(), (0,)])
def test_few_captions(ids):
    assert alike(WORDS_ABOVE, np.array(ids, dtype=int)).tolist() == [[True] for _ in ids]
