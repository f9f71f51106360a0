"""The grammar: what is rendered parses back; what is malformed is named."""

import pytest

from dataset.sample import Sample
from models.motion_vocabulary import write_codes
from models.prompts import PLAIN, Query, Reflection, parse_reply, query_of, render_query, render_target


@pytest.mark.parametrize("task", ["t2m", "m2t"])
def test_target_parses_back(task):
    sample = Sample(task, "a person bows.", (4, 9), "The torso bends.")
    reply = parse_reply("".join(segment.text for segment in render_target(sample)), task)
    assert reply.problem is None
    assert reply.reasoning == "The torso bends."
    assert reply.codes == ((4, 9) if task == "t2m" else None)
    assert reply.answer == (write_codes([4, 9]) if task == "t2m" else "a person bows.")


def test_query_shows_only_what_is_given():
    t2m, m2t = (
        render_query(query_of(Sample(task, "a person bows.", (4, 9), "secret reasoning")), PLAIN)
        for task in ("t2m", "m2t")
    )
    assert t2m.endswith("<think>") and m2t.endswith("<think>")
    assert "a person bows." in t2m and "<Motion_" not in t2m and "secret" not in t2m
    assert write_codes([4, 9]) in m2t and "bows" not in m2t and "secret" not in m2t


def test_reflection_is_part_of_the_query():
    plain = render_query(Query("m2t", codes=(1,)), PLAIN)
    reflecting = render_query(
        Query("m2t", codes=(1,), reflection=Reflection("I saw a jump.", "a person jumps.", "side")), PLAIN
    )
    for words in ("I saw a jump.", "a person jumps.", "side"):
        assert words in reflecting and words not in plain


@pytest.mark.parametrize(
    ("text", "task", "problem"),
    [
        ("no tags at all", "t2m", "no </think>"),
        ("r</think><Motion><Motion_1></Motion>", "t2m", "no <answer>...</answer>"),
        ("r</think><answer><Motion><Motion_1></Motion>", "t2m", "no <answer>...</answer>"),
        ("r</think><answer>walk</answer>", "t2m", "the answer is not one <Motion>...</Motion>"),
        ("r</think><answer><Motion></Motion></answer>", "t2m", "the answer is not one <Motion>...</Motion>"),
        ("r</think> x <answer>walk</answer>", "m2t", "text outside <think> and <answer>"),
        ("r</think><answer>walk</answer> more", "m2t", "text outside <think> and <answer>"),
        ("r <Motion_3></think><answer>walk</answer>", "m2t", "tags inside the reasoning"),
        ("r</think><answer> </answer>", "m2t", "the answer is not a sentence"),
        ("r</think><answer><Motion_3></answer>", "m2t", "the answer is not a sentence"),
    ],
)
def test_malformed_replies_are_named(text, task, problem):
    assert parse_reply(text, task).problem == problem
