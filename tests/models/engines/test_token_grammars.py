"""Grammars over tokens allow after every beginning what the logits processors allow."""

import random

import pytest
import torch

from models.engines.token_grammars import motion_grammar, reply_grammar
from models.language.grammar import MotionGrammar
from models.language.guidance import ReplyGuide, Wanted
from models.language.vocabulary import MotionVocabulary
from models.policy.backbone import load_text_tokenizer

WANTED = [
    Wanted("t2m", (3, 4), 4, 6, 3),
    Wanted("t2m", (), 1, 50, 2),
    Wanted("t2m", (7, 7), 2, 2, 1),
    Wanted("m2t", max_words=4),
]


@pytest.fixture(scope="module")
def vocabulary(backbone):
    return MotionVocabulary(load_text_tokenizer(backbone), 16)


def test_a_grammar_is_short_and_names_ranges(vocabulary):
    first, last = vocabulary.code_ids[0], vocabulary.code_ids[-1]
    assert f"code: <[{first}-{last}]>" in motion_grammar(vocabulary)
    lines = reply_grammar(vocabulary, WANTED[0]).splitlines()
    assert f"<[{first + 3}]> <[{first + 4}]> code{{2,4}} " in lines[0] and "word{0,3}" in lines[0]
    assert lines[1].startswith("word: <[^") and all(len(line) < 200 for line in lines)


class Matcher:
    """What llguidance allows."""

    def __init__(self, tokenizer, grammar):
        llguidance = pytest.importorskip("llguidance", reason="llguidance comes with vLLM: tests/vllm/environment.sh")
        from llguidance.hf import from_tokenizer

        self._tokenizer = from_tokenizer(tokenizer, len(tokenizer))
        self._matcher = llguidance.LLMatcher(self._tokenizer, llguidance.grammar_from("grammar", grammar))
        assert not self._matcher.get_error()

    def allowed(self):
        from llguidance.torch import allocate_token_bitmask, fill_next_token_bitmask

        mask = allocate_token_bitmask(1, self._tokenizer.vocab_size)
        fill_next_token_bitmask(self._matcher, mask, 0)
        words = mask[0].tolist()
        return {id for id in range(self._tokenizer.vocab_size) if words[id // 32] >> (id % 32) & 1}

    def say(self, id):
        assert self._matcher.consume_tokens([id])


def by_processor(processor, said, size):
    scores = processor(torch.tensor([said], dtype=torch.long).view(1, -1), torch.zeros(1, size))
    return set(torch.nonzero(scores[0] == 0).flatten().tolist())


def walks(vocabulary, grammar, processor, steps, seed):
    """Say what both allow, rare tokens as often as all others together, and compare after every token."""
    rng, size, said = random.Random(seed), len(vocabulary.tokenizer), []
    markers = {vocabulary.marker_id(tag) for tag in ("</think>", "<answer>", "</answer>", "<Motion>", "</Motion>")}
    matcher = Matcher(vocabulary.tokenizer, grammar)
    for _ in range(steps):
        allowed = matcher.allowed()
        assert allowed == by_processor(processor, said, size), vocabulary.tokenizer.decode(said)
        rare = sorted(allowed & markers)
        id = rng.choice(rare if rare and rng.random() < 0.5 else sorted(allowed))
        if id == vocabulary.eos_id:
            return said
        matcher.say(id)
        said.append(id)
    return said


def test_a_motion_that_is_begun_is_bounded_alike(vocabulary):
    said = [walks(vocabulary, motion_grammar(vocabulary), MotionGrammar(vocabulary, 0), 25, seed) for seed in range(30)]
    answered, opened = (vocabulary.marker_id(tag) for tag in ("</answer>", "<Motion>"))
    assert sum(opened in ids for ids in said) > 5 and sum(ids[-1:] == [answered] for ids in said) > 5


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_a_guided_reply_is_bounded_alike(vocabulary, wanted):
    for seed in range(5):
        guide = ReplyGuide(vocabulary, [wanted], 0)
        said = walks(vocabulary, reply_grammar(vocabulary, wanted), guide, wanted.max_tokens, seed)
        assert said[-1] == vocabulary.marker_id("</answer>")
