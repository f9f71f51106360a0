"""Codes <-> token ids: offsets, round trips, rows of new tokens."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from dataset.captions.tags import MARKERS
from models.language.vocabulary import MotionVocabulary, is_motion_text, read_codes, write_codes
from models.policy.token_rows import add_token_rows


@pytest.fixture
def vocabulary(backbone):
    return MotionVocabulary(AutoTokenizer.from_pretrained(backbone), nb_code=16)


def test_codes_are_never_vocabulary_ids(vocabulary):
    """A published pitfall: codes fed as ids, without the offset."""
    ids = vocabulary.encode(write_codes([0, 3, 15]))
    assert len(ids) == 5  # one token a code, and the two tags
    assert not set(ids) & set(range(16))
    assert read_codes(vocabulary.decode(ids)) == [0, 3, 15]
    assert vocabulary.code_ids[3] == ids[2]


def test_reply_text_survives_tokens(vocabulary):
    text = "It walks,  slowly.</think><answer>" + write_codes([7, 7, 1]) + "</answer>"
    ids = vocabulary.encode(text)
    assert vocabulary.decode([*ids, vocabulary.eos_id, 5, 6]) == text


def test_every_marker_is_one_token_and_not_special(vocabulary):
    for marker in MARKERS:
        assert vocabulary.encode(marker) == [vocabulary.marker_id(marker)]
    kept = vocabulary.tokenizer.decode(vocabulary.encode("<answer>x</answer>"), skip_special_tokens=True)
    assert kept == "<answer>x</answer>"


def test_extending_twice_adds_nothing(vocabulary):
    size = len(vocabulary.tokenizer)
    assert MotionVocabulary(vocabulary.tokenizer, nb_code=16).new_ids == []
    assert len(vocabulary.tokenizer) == size


def test_new_rows_differ_and_old_rows_stay(vocabulary, backbone):
    model = AutoModelForCausalLM.from_pretrained(backbone)
    before = model.get_input_embeddings().weight.detach().clone()
    add_token_rows(model, vocabulary, seed=1)
    after = model.get_input_embeddings().weight.detach()
    assert torch.equal(after[: len(before)], before)
    new = after[vocabulary.new_ids]
    assert torch.unique(new, dim=0).shape[0] == len(vocabulary.new_ids)
    assert model.get_output_embeddings().weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()


def test_motion_text():
    assert read_codes("<Motion><Motion_3><Motion_12></Motion>") == [3, 12]
    assert is_motion_text(write_codes([1])) and is_motion_text(" " + write_codes([1, 2]) + "\n")
    assert not is_motion_text("<Motion></Motion>")
    assert not is_motion_text("<Motion><Motion_1> or so </Motion>")
