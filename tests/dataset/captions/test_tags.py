"""A tag of replies is found wherever it stands, and nothing else is taken for one."""

import pytest

from dataset.captions.tags import MARKERS, tag_in
from models.language.replies import parse_reply
from models.language.vocabulary import read_codes


@pytest.mark.parametrize(
    "tag", [*MARKERS, "<Motion_3>", "<motion_003>", "<THINK>", "</Answer>", "<|endoftext|>", "</s>", "<end_of_turn>"]
)
def test_every_tag_is_found(tag):
    assert tag_in(f"the left hand{tag} rises") == tag


@pytest.mark.parametrize("text", ["", "a < b > c", "<Caption>", "Motion_3", "think", "<|>", "if x <| y |> z", "<3"])
def test_what_is_no_tag_is_left_alone(text):
    assert tag_in(text) is None


def test_what_passes_makes_a_reply_that_our_parser_takes_apart():
    for text in ("a < b", "<Motion 3>", "he thinks </ i >", "a \u2028 b"):
        assert tag_in(text) is None
        assert parse_reply(f"{text}</think><answer>{text}</answer>", "m2t").problem is None


def test_a_long_tag_is_shortened_and_no_code_of_ten_digits_is_read():
    assert len(tag_in(f"<Motion_{'9' * 5000}>")) == 40
    assert read_codes(f"<Motion_{'9' * 5000}><Motion_1234567890><Motion_7>") == [7]
    reply = parse_reply(f"So.</think><answer><Motion><Motion_{'9' * 5000}></Motion></answer>", "t2m")
    assert reply.problem == "the answer is not one <Motion>...</Motion>"
