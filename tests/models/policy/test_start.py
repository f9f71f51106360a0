"""What SFT starts from, by flags and checkpoints."""

import pytest
import torch

from models.language.prompts import PLAIN, PromptStyle
from models.policy.adapters import LoraSize, add_sft_adapter, full_part, lora_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig, load_checkpoint, save_checkpoint
from models.policy.start import BackboneChoice, start_fresh, start_from
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.errors import InputError


def test_a_tiny_backbone_is_trained_in_full_unless_told(backbone, motion_tokenizer):
    start, full = start_fresh(BackboneChoice(backbone, dtype=torch.bfloat16), 16, motion_tokenizer)
    assert full and start.model.dtype == torch.float32  # what is trained is float32 always
    assert start.checkpoint.config.style == PLAIN and start.checkpoint.motion_tokenizer is not None
    start, full = start_fresh(BackboneChoice(backbone, "lora", torch.bfloat16), 16, None)
    assert not full and start.model.dtype == torch.bfloat16 and start.checkpoint.motion_tokenizer is None


def test_rows_by_the_codebook(backbone, motion_tokenizer):
    def rows(kind, tokenizer=motion_tokenizer):
        start, _ = start_fresh(BackboneChoice(backbone, rows=kind), 16, tokenizer)
        return start.model.get_input_embeddings().weight[start.language.vocabulary.code_ids]

    assert torch.equal(rows("auto"), rows("codebook")) and not torch.equal(rows("auto"), rows("noise"))
    assert torch.equal(rows("auto", None), rows("noise"))
    with pytest.raises(InputError, match="--token-rows codebook needs --motion-tokenizer"):
        start_fresh(BackboneChoice(backbone, rows="codebook"), 16, None)


@pytest.fixture
def saved(tmp_path, backbone, motion_tokenizer):
    """A file of full SFT, then an adapter on top, with chat prompts."""
    model, vocabulary, text_vocabulary = load_backbone(backbone, 16, seed=0)
    config = PolicyConfig(backbone, 16, text_vocabulary, style=PromptStyle("chat", "<u>", "</u>"))
    checkpoint = Checkpoint(config, (), motion_tokenizer.state()).with_part(
        full_part({name: value.clone() for name, value in model.state_dict().items()}, ("t2m",), "sft")
    )
    adapter = lora_part(add_sft_adapter(model, vocabulary, LoraSize(2, 2, 0.0)), ("t2m",), "rlvr")
    save_checkpoint(tmp_path / "c.pth", checkpoint.with_part(adapter))
    return str(tmp_path / "c.pth")


def begin(path, *more):
    return start_from(load_checkpoint(path), path, *more)


def test_a_checkpoint_goes_on_as_it_was_trained(saved):
    start, full = begin(saved, BackboneChoice(None), ("m2t",), 16, None)
    assert full and start.checkpoint.config.style.name == "chat"
    assert all(weight.requires_grad for weight in start.model.parameters())
    _, full = begin(saved, BackboneChoice(None, "lora"), ("m2t",), 16, None)
    assert not full


def test_contradictions_are_named(saved, tmp_path, motion_tokenizer):
    with pytest.raises(InputError, match="was trained with chat prompts"):
        begin(saved, BackboneChoice(None, style="plain"), ("t2m",), 16, None)
    with pytest.raises(InputError, match="speaks 16 motion codes, the data 32"):
        begin(saved, BackboneChoice(None), ("t2m",), 32, None)
    motion_tokenizer.mean = motion_tokenizer.mean + 1
    motion_tokenizer.save(tmp_path / "other.pth")
    motion_tokenizer.mean = motion_tokenizer.mean - 1
    with pytest.raises(InputError, match="is not the one"):
        begin(saved, BackboneChoice(None), ("t2m",), 16, MotionTokenizer.load(tmp_path / "other.pth"))
