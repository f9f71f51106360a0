"""Replies of others are taken apart in time that grows with their length, and codes are numbers that a codebook has."""

import pytest

from dataset.cot.foreign.replies import caption_in_query, codes_in_text, codes_of, split_reply

TWO_MEGABYTES = 2_000_000


@pytest.mark.parametrize(
    "tag", ["<think>", "<thought><think>", "<Motion>", "<|motion_start|>", "<answer>", "<", "[1,", '"']
)
def test_a_tag_repeated_over_two_megabytes_is_taken_apart(tag):
    """Where every tag that opens looked for its end again, 140,000 bytes took half a minute and these took hours."""
    text = tag * (TWO_MEGABYTES // len(tag))
    assert split_reply(text).reasoning == ""
    assert codes_in_text(text) is None
    assert caption_in_query(text) is not None
    assert split_reply(f"{text}<think>So.</think>He sits.").answer.endswith("He sits.")


def test_thoughts_begin_with_the_first_tag_that_is_closed():
    assert split_reply("<thought>open <think>a</think>b").reasoning == "a"
    assert split_reply("<Thinking>a</THINKING><think>b</think>").reasoning == "a"
    assert split_reply("<think>a<think>b</think>c").reasoning == "a<think>b"
    assert (split_reply("a</think>b").reasoning, split_reply("b").reasoning) == ("a", "")
    assert codes_in_text("x <Motion> 1 2 </Motion> <Motion> 3 4 </Motion>") == [1, 2]


@pytest.mark.parametrize(
    "value",
    [
        [True],
        [1.5],
        [float("nan")],
        [float("inf")],
        [[[1]]],
        ["x"],
        {"a": 1},
        None,
        3,
        "9" * 5000,
        "<m" + "9" * 19 + ">",
        "<Motion_3> 2 3",
        ["<Motion_3>", "2"],
    ],
)
def test_what_is_no_list_of_codes_is_refused(value):
    with pytest.raises(ValueError, match=r"codes|digits"):
        codes_of(value)


def test_codes_may_be_written_as_whole_numbers():
    assert codes_of([[1.0, 2]]) == codes_of("1 2") == codes_of(["<Motion_1>", "<Motion_2>"]) == [1, 2]
