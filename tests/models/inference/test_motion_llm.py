"""MotionLLM.answer: a reply depends on the seed and its key, not on the batch, the neighbours or an interruption."""

import logging
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import GenerationConfig

from models.engines.decoding import _longest_of
from models.engines.engine import Drawn
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.language.prompts import Query
from models.policy.backbone import load_backbone
from tests.models.languages import plain

SAMPLING = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=16, batch_size=5, seed=3)
QUERIES = [
    *(Query("t2m", caption="someone walks" + " and jumps" * (number % 4), id=str(number)) for number in range(5)),
    *(Query("m2t", codes=tuple(range(3 + 2 * number)), id=f"m{number}") for number in range(3)),
    Query("t2m", caption="someone walks", id="again"),
]
REFERENCES = [(f"caption {number}",) for number in range(len(QUERIES))]


@pytest.fixture(scope="module")
def llm(backbone, motion_tokenizer):
    """Random weights in float64: rounding cannot decide a draw, so replies must be equal to the last token."""
    model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
    return MotionLLM(model.double(), plain(vocabulary, motion_tokenizer))


@pytest.fixture(scope="module")
def straight(llm):
    return llm.answer(QUERIES, SAMPLING, REFERENCES)


def ids(rollouts):
    return [rollout.token_ids for rollout in rollouts]


def test_the_straight_run_is_worth_comparing(straight):
    """Long, different replies with different prompts: equality below means something."""
    assert len(set(ids(straight))) == len(QUERIES)
    assert all(len(rollout.token_ids) == 16 or rollout.finished for rollout in straight)
    assert [rollout.id for rollout in straight] == [query.id for query in QUERIES]
    assert [rollout.reference for rollout in straight] == REFERENCES


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_the_batch_size_changes_nothing(llm, straight, batch_size):
    assert ids(llm.answer(QUERIES, replace(SAMPLING, batch_size=batch_size))) == ids(straight)


def test_keys_carry_the_randomness_through_another_order(llm, straight):
    order = np.random.default_rng(0).permutation(len(QUERIES)).tolist()
    shuffled = llm.answer([QUERIES[index] for index in order], SAMPLING, keys=order)
    assert ids(shuffled) == [straight[index].token_ids for index in order]


def test_continuing_equals_the_straight_run(llm, straight):
    done = {}

    def killed(indices, rollouts):
        done.update(zip(indices, ids(rollouts), strict=True))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        llm.answer(QUERIES, SAMPLING, on_batch=killed)
    assert len(done) == SAMPLING.batch_size
    left = [index for index in range(len(QUERIES)) if index not in done]
    done.update(zip(left, ids(llm.answer([QUERIES[index] for index in left], SAMPLING, keys=left)), strict=True))
    assert [done[index] for index in range(len(QUERIES))] == ids(straight)


def test_equal_queries_differ_by_key_and_agree_with_it(llm):
    query = QUERIES[0]
    first, second, third = ids(llm.answer([query] * 3, SAMPLING, keys=[4, 9, 4]))
    assert first == third != second


def test_equal_prompts_are_read_once_and_get_the_replies_they_would_get_alone(llm):
    queries = [query for query in (QUERIES[0], QUERIES[6], QUERIES[1]) for _ in range(3)]  # of different lengths
    sampling, read = replace(SAMPLING, batch_size=len(queries)), []
    watch = llm.model.register_forward_pre_hook(
        lambda _, given, named: read.append(tuple(named["input_ids"].shape)), with_kwargs=True
    )
    shared = llm.answer(queries, sampling)
    watch.remove()
    assert read[0][0] == 3 and read[0][1] > 1 and set(read[1:]) == {(9, 1)}
    alone = [llm.answer([query], sampling, keys=[key])[0] for key, query in enumerate(queries)]
    assert ids(shared) == ids(alone)


def test_replies_begun_to_different_lengths_share_their_beginning_and_are_what_they_would_be_alone(llm, straight):
    whole = straight[1].token_ids
    begun = [replace(QUERIES[1], begun=whole[:length]) for length in (9, 0, 4, 9, 6)]
    queries = [QUERIES[0], *begun, replace(QUERIES[6], begun=straight[6].token_ids[:2])]
    sampling, read = replace(SAMPLING, batch_size=len(queries)), []
    watch = llm.model.register_forward_pre_hook(
        lambda _, given, named: read.append(tuple(named["input_ids"].shape)), with_kwargs=True
    )
    together = llm.answer(queries, sampling)
    watch.remove()
    assert read[0][0] == 3 and read[1] == (7, 1)  # the longest of each of three queries, then all replies
    alone = [llm.answer([query], sampling, keys=[key])[0] for key, query in enumerate(queries)]
    assert ids(together) == ids(alone)


@pytest.mark.parametrize(
    ("prompts", "rows"),
    [
        ([[1, 2], [1, 2, 3], [1], [2], [1, 2, 3], [1, 2, 4], [2]], [None, 1, None, 3, 1, 5, 3]),
        ([[5], [4], [3]], [0, 1, 2]),
        ([[1, 2, 3]], [0]),
    ],
)
def test_each_prompt_is_read_as_the_beginning_of_the_longest(prompts, rows):
    found = _longest_of(prompts)
    for own, row, wanted in zip(prompts, found, rows, strict=True):
        assert prompts[row][: len(own)] == own and row == (row if wanted is None else wanted)
    assert set(found) == set(rows) - {None}


def test_seeds_differ_and_greedy_ignores_them(llm, straight):
    other = llm.answer(QUERIES, replace(SAMPLING, seed=4))
    assert all(a != b for a, b in zip(ids(other), ids(straight), strict=True))
    greedy = [ids(llm.answer(QUERIES, replace(SAMPLING, temperature=0, seed=seed))) for seed in (3, 4)]
    assert greedy[0] == greedy[1] != ids(straight)


def test_greedy_is_the_argmax(llm):
    query = QUERIES[1]
    reply = llm.answer([query], replace(SAMPLING, temperature=0))[0]
    prompt = llm.language.vocabulary.encode(reply.query)
    with torch.inference_mode():
        logits = llm.model(torch.tensor([[*prompt, *reply.token_ids]])).logits[0]
    assert logits[len(prompt) - 1 : -1].argmax(dim=-1).tolist() == list(reply.token_ids)


def test_on_batch_gets_every_reply_once_the_longest_prompts_first(llm):
    batches = []
    found = llm.answer(QUERIES, SAMPLING, REFERENCES, on_batch=lambda *batch: batches.append(batch))
    assert [len(indices) for indices, _ in batches] == [5, 4]
    for indices, rollouts in batches:
        assert all(found[index] is rollout for index, rollout in zip(indices, rollouts, strict=True))
    order = [index for indices, _ in batches for index in indices]
    assert sorted(order) == list(range(len(QUERIES)))
    lengths = [len(llm.language.vocabulary.encode(found[index].query)) for index in order]
    assert lengths == sorted(lengths, reverse=True) and lengths[0] > lengths[-1]


def test_what_the_backbone_says_about_sampling_is_not_used(llm, straight, monkeypatch, caplog):
    """Qwen2.5 penalises repetition, Qwen3 cuts to 20 tokens: neither is what Sampling asks for. And no warning."""
    theirs = GenerationConfig(do_sample=True, temperature=0.6, top_k=2, top_p=0.5, repetition_penalty=5.0)
    monkeypatch.setattr(llm.model, "generation_config", theirs)
    library = logging.getLogger("transformers")  # does not hand its records on to the root
    library.addHandler(caplog.handler)
    try:
        assert ids(llm.answer(QUERIES, SAMPLING)) == ids(straight)
    finally:
        library.removeHandler(caplog.handler)
    assert caplog.messages == []


def test_the_global_generator_is_left_alone(llm):
    state = torch.get_rng_state()
    llm.answer(QUERIES[:2], SAMPLING)
    assert torch.equal(torch.get_rng_state(), state)


def test_no_queries_and_too_few_keys(llm):
    assert llm.answer([], SAMPLING) == []
    with pytest.raises(ValueError, match="1 keys for 9 queries"):
        llm.answer(QUERIES, SAMPLING, keys=[0])


def test_the_bar_shows_the_share_of_well_formed_replies(llm, monkeypatch, capfd):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    good = [
        *llm.language.vocabulary.encode("r</think><answer><Motion><Motion_1></Motion></answer>"),
        llm.language.vocabulary.eos_id,
    ]
    replies = iter([good, good[:-1], good, llm.language.vocabulary.encode("walk walk")])  # the second one is cut
    monkeypatch.setattr(llm.engine, "generate", lambda prompts, *_: [Drawn(next(replies)) for _ in prompts])
    llm.answer(QUERIES[:4], replace(SAMPLING, batch_size=2), progress="t2m")
    shown = capfd.readouterr().err
    assert "t2m: 100%" in shown and "well_formed=50%" in shown and "reply/s" in shown


def test_decoding_by_batches_equals_decoding_at_once(llm, straight):
    """Motions too: those of m2t are of three lengths, padded differently in every batch."""
    replies = ids(straight)
    at_once = llm.language.read(QUERIES, replies)
    compared = 0
    for one, query, reply in zip(at_once, QUERIES, replies, strict=True):
        (alone,) = llm.language.read([query], [reply])
        if one.motion is not None:
            np.testing.assert_allclose(alone.motion, one.motion, atol=1e-5)
            compared += 1
    assert compared >= 3
