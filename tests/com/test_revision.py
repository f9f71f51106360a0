"""What a revision keeps of a reply."""

import pytest
from transformers import AutoTokenizer

from com.revision import beginnings
from models.language.rollout import Rollout
from models.language.vocabulary import MotionVocabulary


@pytest.fixture(scope="module")
def vocabulary(backbone):
    return MotionVocabulary(AutoTokenizer.from_pretrained(backbone), 16)


@pytest.fixture
def rollout(vocabulary):
    def make(task, text):
        ids = (*vocabulary.encode(text), vocabulary.eos_id)
        return Rollout(task, "a person walks.", text, None, None, None, None, token_ids=ids)

    return make


MOTION = "it walks.</think><answer><Motion><Motion_1><Motion_2><Motion_3><Motion_4></Motion></answer>"
CAPTION = "it is 2.5 m away. it walks. it stops.</think><answer>a person walks.</answer>"


def kept(vocabulary, attempt, count, right_until=None):
    return [vocabulary.decode(ids) for ids in beginnings(attempt, count, vocabulary, right_until)]


def test_of_a_motion_the_first_codes_stay(vocabulary, rollout):
    found = kept(vocabulary, rollout("t2m", MOTION), 4)
    reasoning = "it walks.</think><answer><Motion>"
    codes = ["", "<Motion_1>", "<Motion_1><Motion_2>", "<Motion_1><Motion_2><Motion_3>"]
    assert found == [reasoning + text for text in codes]
    assert kept(vocabulary, rollout("t2m", MOTION), 2) == [found[0], found[3]]
    assert kept(vocabulary, rollout("t2m", MOTION), 1) == [found[2]]


def test_of_a_caption_whole_sentences_of_the_reasoning_stay(vocabulary, rollout):
    found = kept(vocabulary, rollout("m2t", CAPTION), 3)
    assert found == ["it is 2.5 m away.", "it is 2.5 m away. it walks.", CAPTION.partition("a person")[0]]


@pytest.mark.parametrize(
    ("task", "text"),
    [("t2m", "it walks and walks"), ("m2t", "it walks."), ("t2m", "it walks.</think><answer>"), ("t2m", "")],
)
def test_a_reply_without_an_answer_is_drawn_anew(vocabulary, rollout, task, text):
    assert kept(vocabulary, rollout(task, text), 3) == [""] * 3


def test_a_motion_that_was_cut_is_revised_too(vocabulary, rollout):
    found = kept(vocabulary, rollout("t2m", "so.</think><answer><Motion><Motion_1><Motion_2>"), 2)
    assert found[0].endswith("<Motion>") and found[1].endswith("<Motion_1><Motion_2>")


def test_of_what_is_known_to_be_right_up_to_somewhere_just_that_stays(vocabulary, rollout):
    reasoning = "it walks.</think><answer><Motion>"
    codes = ["", "<Motion_1>", "<Motion_1><Motion_2>", "<Motion_1><Motion_2><Motion_3>"]
    for right, text in enumerate(codes):
        assert kept(vocabulary, rollout("t2m", MOTION), 3, right) == [reasoning + text] * 3
    assert kept(vocabulary, rollout("t2m", MOTION), 2, 9) == [reasoning + codes[3]] * 2  # the last is drawn anew
    # A sentence that the motion denies goes, and all that follows; of the first one everything.
    attempt = rollout("m2t", CAPTION)
    first = "it is 2.5 m away."
    assert kept(vocabulary, attempt, 2, len(first)) == [first] * 2
    assert kept(vocabulary, attempt, 2, len(first) + 3) == [first] * 2
    assert kept(vocabulary, attempt, 2, 0) == [""] * 2
    assert kept(vocabulary, attempt, 2, len(CAPTION)) == [CAPTION.partition("a person")[0]] * 2  # all but the caption
    assert kept(vocabulary, rollout("m2t", "it walks."), 2, 4) == [""] * 2
