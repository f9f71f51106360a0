"""First rows of the motion tokens: by noise, or by the codebook."""

from dataclasses import asdict

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.language.vocabulary import MotionVocabulary
from models.policy.adapters import full_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig, load_checkpoint, save_checkpoint
from models.policy.policy import build_policy
from models.policy.start import BackboneChoice, start_fresh
from models.policy.token_rows import ROW_MULTIPLE, SPREAD, add_token_rows
from utils.files.fingerprints import fingerprint


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


@pytest.fixture
def padded_backbone(backbone, tmp_path):
    """One whose rows are a multiple of 128, as those of published backbones are."""
    model = AutoModelForCausalLM.from_pretrained(backbone)
    model.resize_token_embeddings(3 * ROW_MULTIPLE, mean_resizing=False)
    model.save_pretrained(tmp_path / "padded")
    AutoTokenizer.from_pretrained(backbone).save_pretrained(tmp_path / "padded")
    return str(tmp_path / "padded")


def logits(model, vocabulary):
    with torch.no_grad():
        return model.eval()(torch.tensor([vocabulary.encode("a person<Motion_3><Motion_60>")])).logits


def test_rows_stay_a_multiple_where_the_backbone_has_it(padded_backbone, backbone, tmp_path):
    start, _ = start_fresh(BackboneChoice(padded_backbone), 64, None)
    rows = start.model.get_input_embeddings().weight
    tokens = len(start.language.vocabulary.tokenizer)
    assert 3 * ROW_MULTIPLE < tokens < len(rows) == 4 * ROW_MULTIPLE
    assert not rows[tokens:].any() and rows[start.language.vocabulary.new_ids].any(dim=1).all()
    other, _ = start_fresh(BackboneChoice(backbone), 16, None)
    assert len(other.model.get_input_embeddings().weight) == len(other.language.vocabulary.tokenizer)

    part = full_part({name: value.clone() for name, value in start.model.state_dict().items()}, ("t2m",), "sft")
    save_checkpoint(tmp_path / "c.pth", start.checkpoint.with_part(part))
    built = build_policy(load_checkpoint(tmp_path / "c.pth"), "t2m")
    assert torch.equal(logits(built.model, built.language.vocabulary), logits(start.model, start.language.vocabulary))


def test_checkpoints_of_earlier_versions_keep_their_rows_and_names(padded_backbone, tmp_path):
    model, vocabulary, text_vocabulary = load_backbone(padded_backbone, 64, seed=0)
    assert len(model.get_input_embeddings().weight) == len(vocabulary.tokenizer)  # not padded
    config = PolicyConfig(padded_backbone, 64, text_vocabulary)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    checkpoint = Checkpoint(config).with_part(full_part(weights, ("t2m",), "sft"))
    save_checkpoint(tmp_path / "c.pth", checkpoint)
    assert "row_multiple" not in torch.load(tmp_path / "c.pth", weights_only=True)["config"]
    built = build_policy(load_checkpoint(tmp_path / "c.pth"), "t2m")
    assert torch.equal(logits(built.model, vocabulary), logits(model, vocabulary))
    # The name that evaluations of earlier versions gave it.
    known = {name: value for name, value in asdict(config).items() if name != "row_multiple"}
    parts = [str(known), "sft", "None"]
    for name in sorted(weights):
        parts += [name, weights[name].view(torch.uint8).numpy().tobytes()]
    assert checkpoint.fingerprint("t2m") == fingerprint(*parts)
