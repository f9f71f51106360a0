"""Sampling under merged weights: the same policy, and nothing of it stays behind."""

import torch
from peft.tuners.lora import LoraLayer

from rewards.grpo.sampling import merged_adapter
from tests.rewards.grpo.grpo_runs import policy_of, trainer_of


def _policy(tmp_path, cot_jsonl, backbone, motion_tokenizer):
    trainer, _ = trainer_of(tmp_path, cot_jsonl, policy_of(backbone, motion_tokenizer), {"short": [0.0] * 16})
    return trainer, trainer.model.eval()


def _logits(model):
    with torch.no_grad():
        return model(torch.arange(3, 40)[None]).logits


def test_merged_weights_are_the_same_policy_and_leave_no_trace(tmp_path, cot_jsonl, backbone, motion_tokenizer):
    _, model = _policy(tmp_path, cot_jsonl, backbone, motion_tokenizer)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    adapted = _logits(model)
    with model.disable_adapter():
        reference = _logits(model)
    with merged_adapter(model):
        merged = _logits(model)
        inside = model.state_dict()
        assert any(not torch.equal(before[name], inside[name]) for name in before)
    assert torch.allclose(merged, adapted, atol=1e-4)
    assert (merged - reference).abs().max() > 1e-2  # the adapter does something at all
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_weights_come_back_after_an_error(tmp_path, cot_jsonl, backbone, motion_tokenizer):
    _, model = _policy(tmp_path, cot_jsonl, backbone, motion_tokenizer)
    before = _logits(model)
    try:
        with merged_adapter(model):
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert torch.equal(_logits(model), before)


def test_the_trainer_samples_from_merged_weights(tmp_path, cot_jsonl, backbone, motion_tokenizer):
    trainer, model = _policy(tmp_path, cot_jsonl, backbone, motion_tokenizer)
    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    seen = []
    generate = model.generate

    def spy(*given, **named):
        seen.extend(layer.merged for layer in layers)
        return generate(*given, **named)

    model.generate = spy
    trainer._generate_single_turn([[5, 6, 7]] * 4, None, {}, 4)
    assert seen and all(seen)
    assert not any(layer.merged for layer in layers)


def test_a_model_without_an_adapter_is_left_alone(backbone, motion_tokenizer):
    model = policy_of(backbone, motion_tokenizer).model
    before = _logits(model)
    with merged_adapter(model):
        assert torch.equal(_logits(model), before)
