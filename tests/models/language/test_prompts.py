"""The grammar: what is rendered parses back; what is malformed is named. Styles: what stands around a question."""

from pathlib import Path

import pytest
import trl
from transformers import AutoTokenizer

from dataset.cot.sample import Sample
from models.language.prompts import (
    PLAIN,
    Query,
    Reflection,
    prompt_style,
    query_of,
    render_query,
    render_target,
)
from models.language.replies import parse_reply
from models.language.vocabulary import MotionVocabulary, write_codes
from utils.errors import InputError


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


def chat_tokenizer(backbone, template):
    """The tiny tokenizer, which has Qwen's turn marks, with a chat template of a real model (trl ships them)."""
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    tokenizer.chat_template = (Path(trl.__file__).parent / "chat_templates" / template).read_text(encoding="utf-8")
    return tokenizer


def test_chat_style_is_one_turn_of_the_template(backbone):
    tokenizer = chat_tokenizer(backbone, "qwen3.jinja")
    style = prompt_style("auto", tokenizer)
    query = Query("t2m", caption="a person bows.")
    question = render_query(query, PLAIN).removesuffix("\n<think>")
    shown = render_query(query, style)
    assert shown == f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n<think>"
    turn = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
    )
    assert shown == turn + "<think>"
    ids = MotionVocabulary(tokenizer, nb_code=16).encode(shown)
    assert ids[0] == tokenizer.convert_tokens_to_ids("<|im_start|>")  # the mark, not its letters


def test_a_template_that_opens_the_reasoning_itself_opens_it_once(backbone):
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    tokenizer.chat_template = "{{ 'Q: ' + messages[0]['content'] + '\\nA: <think>\\n' }}"
    assert render_query(Query("m2t", codes=(1,)), prompt_style("chat", tokenizer)).endswith("</Motion>\nA: <think>")


def test_styles_by_name(backbone):
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    assert prompt_style("auto", tokenizer) == prompt_style("plain", tokenizer) == PLAIN
    assert prompt_style("plain", chat_tokenizer(backbone, "qwen3.jinja")) == PLAIN
    with pytest.raises(InputError, match="has no chat template"):
        prompt_style("chat", tokenizer)
    tokenizer.chat_template = "{{ 'nothing' }}"
    with pytest.raises(InputError, match="does not fit"):
        prompt_style("chat", tokenizer)
