"""Parts are added up in float32 and rounded once; of a bfloat16 model nothing finer is lost than must be."""

import pytest
import torch
from peft import set_peft_model_state_dict

from models.policy.adapters import LoraSize, add_sft_adapter, full_part, lora_part
from models.policy.backbone import load_backbone
from models.policy.merging import merge_parts


@pytest.fixture
def loaded(backbone):
    """A function: the backbone with rows for 16 codes, on the grid of bfloat16, at a precision."""

    def load(dtype):
        model, vocabulary, _ = load_backbone(backbone, 16, seed=0, dtype=torch.bfloat16)
        return model.to(dtype), vocabulary

    return load


def adapter(loaded, seed, scale):
    """A part whose updates are below the grid of the weights, and rows that are not on it."""
    model, vocabulary = loaded(torch.float32)
    torch.manual_seed(seed)
    adapted = add_sft_adapter(model, vocabulary, LoraSize(4, 8, 0.0))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name or "trainable_tokens" in name:
            weight.data += torch.randn_like(weight) * scale
    return lora_part(adapted, ("t2m",), "sft")


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def log_probs(model):
    with torch.no_grad():
        return model.float().eval()(torch.arange(3, 60)[None]).logits.log_softmax(-1)


def test_updates_finer_than_the_weights_add_up(loaded):
    parts = [adapter(loaded, 0, 5e-5)] * 12  # of one direction, as a training's
    exact, _ = loaded(torch.float32)
    exact = merge_parts(exact, parts)
    together, _ = loaded(torch.bfloat16)
    together = merge_parts(together, parts)
    apart, _ = loaded(torch.bfloat16)
    for part in parts:
        apart = merge_parts(apart, [part])
    assert {weight.dtype for weight in together.parameters()} == {torch.bfloat16}
    rounded = {name: value.bfloat16() for name, value in weights(exact).items()}
    assert all(torch.equal(value, rounded[name]) for name, value in weights(together).items())
    wanted = log_probs(exact)
    error, sum_of_errors = ((log_probs(model) - wanted).abs().mean() for model in (together, apart))
    assert error < 0.5 * sum_of_errors


def test_what_whole_weights_hold_is_not_rounded_before_an_adapter_comes_on_top(loaded):
    fine, _ = loaded(torch.float32)
    for weight in fine.parameters():
        weight.data += 1e-4 * torch.randn_like(weight)
    parts = [adapter(loaded, 1, 1e-3), full_part(weights(fine), ("t2m",), "sft"), adapter(loaded, 2, 1e-4)]
    exact, _ = loaded(torch.float32)
    exact = merge_parts(exact, parts)
    merged, _ = loaded(torch.bfloat16)
    merged = merge_parts(merged, parts)
    assert all(torch.equal(value, weights(exact)[name].bfloat16()) for name, value in weights(merged).items())


def test_in_float32_it_is_what_peft_merges(loaded):
    model, vocabulary = loaded(torch.float32)
    part = adapter(loaded, 3, 1e-2)
    merged = merge_parts(loaded(torch.float32)[0], [part])
    adapted = add_sft_adapter(model, vocabulary, LoraSize(4, 8, 0.0))
    set_peft_model_state_dict(adapted, part.weights)
    by_peft = adapted.merge_and_unload()
    assert all(torch.equal(value, weights(by_peft)[name]) for name, value in weights(merged).items())
    name = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(merged.state_dict()[name], loaded(torch.float32)[0].state_dict()[name])


def test_the_last_adapter_of_a_bfloat16_model_stays_what_was_trained(loaded):
    """After a short training, merged weights would be nearly those from before it."""
    first, last = adapter(loaded, 0, 5e-3), adapter(loaded, 1, 3e-5)
    trained, vocabulary = loaded(torch.bfloat16)
    trained = add_sft_adapter(merge_parts(trained, [first]), vocabulary, LoraSize(4, 8, 0.0))
    set_peft_model_state_dict(trained, last.weights)
    before, asked, merged = (
        merge_parts(loaded(torch.bfloat16)[0], parts, apart)
        for parts, apart in (([first], False), ([first, last], True), ([first, last], False))
    )
    # The rows of tokens, which the adapter trains too, are values and lie on the grid in either.
    rows = vocabulary.new_ids
    trained.base_model.model.get_input_embeddings().token_adapter.trainable_tokens_delta["default"].data.copy_(
        asked.get_input_embeddings().weight[rows]
    )
    assert asked.active_adapters == ["part1"] and list(asked.peft_config) == ["part1"]
    wanted = log_probs_of_bfloat16(trained)
    assert torch.equal(log_probs_of_bfloat16(asked), wanted)
    names = [name for name in weights(before) if "proj.weight" in name]
    moved = torch.cat([(weights(merged)[name] != weights(before)[name]).flatten() for name in names]).float().mean()
    assert 0 < moved < 0.5  # of all weights, each of which the adapter changes


def log_probs_of_bfloat16(model):
    with torch.no_grad():
        return model.eval()(torch.arange(3, 60)[None]).logits.float().log_softmax(-1)
