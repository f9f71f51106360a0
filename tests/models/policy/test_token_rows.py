"""First rows of the motion tokens: by noise, or by the codebook."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.language.vocabulary import MotionVocabulary
from models.policy.token_rows import SPREAD, add_token_rows


@pytest.fixture
def vocabulary(backbone):
    return MotionVocabulary(AutoTokenizer.from_pretrained(backbone), nb_code=16)


def rows_of(backbone, vocabulary, codebook=None, tied=True, seed=1):
    model = AutoModelForCausalLM.from_pretrained(backbone, tie_word_embeddings=tied)
    add_token_rows(model, vocabulary, seed, codebook)
    return model, model.get_input_embeddings().weight.detach()


def test_similar_codes_start_as_similar_tokens(backbone, vocabulary):
    codebook = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))
    codebook[5] = codebook[3] + 0.01
    _, rows = rows_of(backbone, vocabulary, codebook)
    codes = rows[vocabulary.code_ids]
    distances = torch.cdist(codes, codes)
    assert distances[3].argsort()[1] == 5
    assert distances[3, 5] < 0.05 * distances[3].median()
    _, noise = rows_of(backbone, vocabulary)
    apart = torch.cdist(noise[vocabulary.code_ids], noise[vocabulary.code_ids])
    assert apart[3, 5] > 0.5 * apart[3].median()


def test_both_have_the_same_mean_and_spread(backbone, vocabulary):
    old = AutoModelForCausalLM.from_pretrained(backbone).get_input_embeddings().weight[: vocabulary.new_ids[0]].detach()
    for codebook in (None, torch.randn(16, 64, generator=torch.Generator().manual_seed(2))):
        _, rows = rows_of(backbone, vocabulary, codebook)
        offsets = (rows[vocabulary.code_ids] - old.mean(dim=0)) / old.std(dim=0)
        assert offsets.std() == pytest.approx(SPREAD, rel=0.15)


def test_an_output_matrix_of_its_own_gets_rows_too(backbone, vocabulary):
    model, rows = rows_of(backbone, vocabulary, tied=False)
    head = model.get_output_embeddings().weight.detach()
    assert head.data_ptr() != rows.data_ptr() and len(head) == len(rows) == len(vocabulary.tokenizer)
    assert torch.unique(head[vocabulary.new_ids], dim=0).shape[0] == len(vocabulary.new_ids)
