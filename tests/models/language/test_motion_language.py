"""Replies become rollouts: parsed, and with the motion of their codes."""

import numpy as np
import pytest
from transformers import AutoTokenizer

from models.language.prompts import Query
from models.language.vocabulary import MotionVocabulary
from tests.models.languages import plain


@pytest.fixture
def language(backbone, motion_tokenizer):
    return plain(MotionVocabulary(AutoTokenizer.from_pretrained(backbone), 16), motion_tokenizer)


def test_equal_codes_are_decoded_once_and_each_reply_has_its_motion(language, monkeypatch):
    decoded, decode = [], language.motion_tokenizer.decode_batch
    monkeypatch.setattr(
        language.motion_tokenizer, "decode_batch", lambda codes: decoded.append(len(codes)) or decode(codes)
    )

    def reply(reasoning, *codes):
        motion = "".join(f"<Motion_{code}>" for code in codes)
        text = f"{reasoning}</think><answer><Motion>{motion}</Motion></answer>"
        return [*language.vocabulary.encode(text), language.vocabulary.eos_id]

    replies = [reply("a person walks", 1, 2, 3), reply("someone jumps", 1, 2, 3), reply("walks", 4), reply("no motion")]
    found = language.read([Query("t2m", "a person walks.")] * 4, replies)
    assert decoded == [2] and [one.reasoning for one in found[:2]] == ["a person walks", "someone jumps"]
    assert found[0].motion is found[1].motion and found[3].motion is None
    for one, codes in ((found[0], [1, 2, 3]), (found[2], [4])):
        np.testing.assert_allclose(one.motion, decode([np.array(codes)])[0], atol=1e-5)
    # Of m2t the given codes are decoded: once for all replies to a motion.
    given = language.read([Query("m2t", codes=(5, 6))] * 3, [language.vocabulary.encode("x</think>")] * 3)
    assert decoded == [2, 1] and len(given[2].motion) == 8
