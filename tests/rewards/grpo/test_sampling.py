"""Sampling under merged weights: the same policy, and nothing of it stays behind."""

import json

import pytest
import torch
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer

from rewards.grpo import trainer as grpo_trainer
from rewards.grpo.sampling import draws_plainly, merged_adapter
from tests.rewards.grpo import grpo_runs
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
    weights, layers = model.state_dict(), dict(model.named_modules())
    with merged_adapter(model):
        merged = _logits(model)
        assert any(not torch.equal(before[name], weights[name]) for name in before)
        assert not any(isinstance(layer, BaseTunerLayer) for layer in model.modules())  # they would cost time a token
    assert dict(model.named_modules()) == layers
    assert torch.allclose(merged, adapted, atol=1e-4)
    assert (merged - reference).abs().max() > 1e-2  # the adapter does something at all
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_in_bf16_replies_come_from_the_policy_that_learns(tmp_path, cot_jsonl, backbone, motion_tokenizer):
    """A small update of the adapter moves what is sampled exactly as it moves what is trained."""
    _, model = _policy(tmp_path, cot_jsonl, backbone, motion_tokenizer)
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.get_base_layer().weight.data = module.get_base_layer().weight.data.bfloat16()
            torch.nn.init.normal_(module.lora_B["default"].weight, std=1e-6)  # as after a step or two
    layer = next(module for module in model.modules() if isinstance(module, LoraLayer))
    base = layer.get_base_layer().weight
    with torch.autocast("cpu", dtype=torch.bfloat16):
        trained = _logits(model)
        with merged_adapter(model):
            assert not layer.merged and torch.equal(_logits(model), trained)
    # What merging would do: nearly all of the update is below the grid of the weights.
    update = layer.get_delta_weight("default").detach()
    kept = (base.float() + update).bfloat16().float() - base.float()
    assert (kept - update).norm() > 0.5 * update.norm() > 0


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
    model.get_base_model().register_forward_hook(lambda *_: seen.extend(layer.merged for layer in layers))
    model.train()
    trainer._generate_single_turn([[5, 6, 7]] * 4, None, {}, 4)
    assert seen and all(seen)
    assert not any(layer.merged for layer in layers) and model.training


def test_replies_hang_on_the_step_alone_and_tell_how_likely_they_were(tmp_path, cot_jsonl, backbone, motion_tokenizer):
    """Not on torch's generator, nor on who else is asked; the likelihoods are those of the policy that learns."""
    trainer, model = _policy(tmp_path, cot_jsonl, backbone, motion_tokenizer)

    def drawn(prompts):
        trainer._turns = (-1, 0)
        return trainer._generate_single_turn(prompts, None, {}, 4)

    ids, told = drawn([[5, 6, 7]] * 4)
    torch.manual_seed(7)
    again, _ = drawn([[5, 6, 7]] * 2 + [[9, 8, 7, 6, 5]])
    assert again[:2] == ids[:2] and len({tuple(reply) for reply in ids}) == 4
    for reply, noted in zip(ids, told, strict=True):
        with torch.no_grad():
            scores = model(torch.tensor([[5, 6, 7, *reply]])).logits[0, 2:-1].log_softmax(-1)
        assert noted == pytest.approx(scores[range(len(reply)), reply].tolist(), abs=1e-4)


def test_ways_that_only_trl_knows_are_its_own(tmp_path, cot_jsonl, backbone, motion_tokenizer):
    """Of two tokens, whichever is likeliest: our loop knows no `top_k`."""
    assert draws_plainly(grpo_runs.config(tmp_path))
    policy = policy_of(backbone, motion_tokenizer)
    trainer, _ = trainer_of(tmp_path, cot_jsonl, policy, {"short": [0.0] * 16}, top_k=2)
    assert not draws_plainly(trainer.args)
    [reply, *_], [told, *_] = trainer._generate_single_turn([[5, 6, 7]] * 4, None, {}, 4)
    with torch.no_grad():
        scores = trainer.model.eval()(torch.tensor([[5, 6, 7, *reply]])).logits[0, 2:-1]
    assert all(id in two for id, two in zip(reply, scores.topk(2).indices.tolist(), strict=True))
    assert len(told) == len(reply)


def test_a_model_without_an_adapter_is_left_alone(backbone, motion_tokenizer):
    model = policy_of(backbone, motion_tokenizer).model
    before = _logits(model)
    with merged_adapter(model):
        assert torch.equal(_logits(model), before)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 5e-3)], ids=str)
def test_how_far_the_sampler_is_from_what_learns_is_logged(
    tmp_path, cot_jsonl, backbone, motion_tokenizer, monkeypatch, dtype, bound
):
    """Near 0 as it is; and a sampler that knows nothing of the adapter would be seen, in bf16 too."""

    def logged(name):
        policy, in_bf16 = policy_of(backbone, motion_tokenizer), dtype is torch.bfloat16
        policy.model.to(dtype)
        trainer, rows = trainer_of(tmp_path / name, cot_jsonl, policy, {"short": [0.0, 1.0] * 8}, bf16=in_bf16)
        with torch.autocast("cpu", dtype=dtype, enabled=in_bf16):
            trainer.compute_loss(trainer.model, trainer._prepare_inputs(rows))
        metrics = trainer._metrics["train"]
        return [metrics[f"sampling/logp_difference/{kind}"][0] for kind in ("mean", "max")]

    mean, most = logged("as it is")
    assert mean < most < 10 * bound and mean < bound
    monkeypatch.setattr(grpo_trainer, "merged_adapter", lambda model: model.disable_adapter())
    assert logged("of the reference")[0] > 0.02


@pytest.mark.slow
def test_30_steps_in_bf16_move_the_policy_as_far_as_in_fp32(
    tmp_path, cot_jsonl, backbone, motion_tokenizer, monkeypatch
):
    """Measured: KL .3997 in fp32 and .4002 in bf16, over the last five steps; with another seed .5191 and .5196."""

    def last_kl(dtype):
        def policy(*given):
            start = policy_of(*given)
            start.model.to(dtype)
            return start

        monkeypatch.setattr(grpo_runs, "policy_of", policy)
        folder, in_bf16 = tmp_path / str(dtype), dtype is torch.bfloat16
        fields = {"num_train_epochs": 15, "learning_rate": 1e-3, "lr_scheduler_type": "constant", "beta": 1e-6}
        grpo_runs.run_grpo(folder, cot_jsonl, backbone, motion_tokenizer, bf16=in_bf16, **fields)
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        steps = [row for row in rows if "kl" in row]
        assert len(steps) == 30 and steps[-1]["reward"] > steps[0]["reward"]
        assert max(row["sampling/logp_difference/mean"] for row in steps) < 5e-3
        return sum(row["kl"] for row in steps[-5:]) / 5

    assert last_kl(torch.bfloat16) == pytest.approx(last_kl(torch.float32), rel=0.1)
