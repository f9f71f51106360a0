"""A backbone in 4 bits: what is trained on it works on the backbone itself."""

import pytest
import torch
from datasets import disable_progress_bars
from transformers.utils import is_bitsandbytes_available, is_flash_attn_2_available

from models.policy import backbone as quantization
from models.policy.adapters import LoraSize
from models.policy.backbone import four_bit, load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig, load_checkpoint
from models.policy.policy import Policy, build_policy, continue_policy
from models.policy.start import BackboneChoice, start_fresh
from tests.models.languages import plain
from tests.models.sft.sft_runs import run_supervise
from utils.errors import InputError


@pytest.mark.skipif(not is_bitsandbytes_available(), reason="the package bitsandbytes is not installed")
def test_an_adapter_trained_on_4_bits_serves_the_backbone(cot_jsonl, backbone, tmp_path):
    disable_progress_bars()
    loading = four_bit(torch.float32)
    model, vocabulary, text_vocabulary = load_backbone(backbone, 16, 0, **loading)
    start = Policy(model, plain(vocabulary), Checkpoint(PolicyConfig(backbone, 16, text_vocabulary)))
    frozen = {name: value.clone() for name, value in model.named_parameters() if not value.is_floating_point()}
    assert frozen  # weights really are in 4 bits
    run_supervise(cot_jsonl, backbone, tmp_path, LoraSize(4, 8, 0.0), epochs=2, start=start, learning_rate=1e-2)
    held = dict(model.named_parameters())
    for name, value in frozen.items():
        assert torch.equal(held.get(name, held.get(name.replace("_proj.weight", "_proj.base_layer.weight"))), value)
    trained = [value for value in model.parameters() if value.requires_grad]
    assert trained and {value.dtype for value in trained} == {torch.float32}
    checkpoint = load_checkpoint(tmp_path / "motionllm_t2m_latest.pth")
    merged, untouched = (build_policy(checkpoint, task).model for task in ("t2m", None))
    ids = torch.tensor([vocabulary.encode("a person walks<Motion_3><Motion_9></answer>")])
    with torch.no_grad():
        on_4_bits, on_backbone, untrained = (m.eval()(ids).logits for m in (model, merged, untouched))
    assert (on_4_bits - on_backbone).abs().mean() < 0.1 * (on_backbone - untrained).abs().mean()
    with pytest.raises(InputError, match="cannot go on from a trained policy"):
        continue_policy(checkpoint, ("t2m",), False, **loading)
    other = continue_policy(checkpoint, ("m2t",), False, **loading)
    assert torch.equal(
        other.model.get_input_embeddings().weight[vocabulary.new_ids],
        merged.get_input_embeddings().weight[vocabulary.new_ids],
    )


def test_without_the_package_the_flag_says_so(monkeypatch):
    monkeypatch.setattr(quantization, "is_bitsandbytes_available", lambda: False)
    with pytest.raises(InputError, match="pip install bitsandbytes"):
        four_bit(torch.float32)


def test_attention_is_computed_as_the_flag_says(backbone):
    taken = {}
    for name in ("sdpa", "eager"):
        start, _ = start_fresh(BackboneChoice(backbone, attention=name), 16, None)
        taken[name] = start.model.config._attn_implementation
    assert taken == {"sdpa": "sdpa", "eager": "eager"}
    if not is_flash_attn_2_available():
        with pytest.raises(InputError, match=r"(?i)cannot be loaded .*flash.?attention") as caught:
            start_fresh(BackboneChoice(backbone, attention="flash_attention_2"), 16, None)
        assert "\n" not in str(caught.value)
