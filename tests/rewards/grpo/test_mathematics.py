"""GRPO by hand: advantages from scores, log-probabilities from a plain forward pass, a KL term that pulls back."""

import math
import re

import pytest
import torch

from rewards.grpo.rules import ReplyRules
from tests.rewards.grpo.grpo_runs import like_motions, policy_of, trainer_of

WEIGHTS = (1.0, 0.5)
# Two prompts, three replies each. None: the reward does not apply; the last reply has no score at all.
FIRST = (1.0, 2.0, 3.0, 4.0, 6.0, None)
SECOND = (0.0, None, 2.0, None, None, None)
GROUP, EPSILON = 3, 1e-4

# By hand, with the sample deviation and epsilon 1e-4 of trl.
# GDPO (normalize_then_sum): each reward is standardised within its group, None left out. Group 1: (-1, 0, 1) / 1.0001
# and, of (0, 2), mean 1, deviation sqrt 2: (-1, 1) / 1.414314; sums -1.353428, 0, 1.353428. Group 2: (4, 6) likewise
# -0.707057, 0.707057. Then over the batch of five: mean 0, deviation sqrt((1.353428^2 + 0.707057^2) / 2) = 1.079745.
NORMALIZE_THEN_SUM = (-1.2533545, 0.0, 1.2533545, -0.6547763, 0.6547763, 0.0)
# GRPO (sum_then_normalize): sums 1, 2, 3 + 0.5 * 2 = 4, None counting as 0; mean 7/3, deviation sqrt(7/3). Group 2 has
# 4 and 6; the reply without any score is left out and gets 0.
SUM_THEN_NORMALIZE = (-0.872815, -0.218204, 1.091018, -0.707057, 0.707057, 0.0)


@pytest.fixture
def start(backbone, motion_tokenizer):
    return policy_of(backbone, motion_tokenizer)


@pytest.fixture
def make(start, cot_jsonl, tmp_path):
    def trainer(scores, **fields):
        return trainer_of(tmp_path, cot_jsonl, start, scores, **fields)

    return trainer


def standardised(values):
    """Plain Python: None left out; nothing where fewer than two are left."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return [None] * len(values)
    mean = sum(known) / len(known)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in known) / (len(known) - 1))
    return [None if value is None else (value - mean) / (deviation + EPSILON) for value in values]


def by_groups(values):
    return [item for start in range(0, len(values), GROUP) for item in standardised(values[start : start + GROUP])]


def weighted_sums(columns):
    """None where no reward has a score."""
    rows = list(zip(*columns, strict=True))
    parts = [[w * v for w, v in zip(WEIGHTS, row, strict=True) if v is not None] for row in rows]
    return [sum(part) if part else None for part in parts]


def formula(aggregation):
    if aggregation == "sum_then_normalize":
        advantages = by_groups(weighted_sums([FIRST, SECOND]))
    else:
        advantages = standardised(weighted_sums([by_groups(FIRST), by_groups(SECOND)]))
    return [0.0 if value is None else value for value in advantages]


@pytest.mark.parametrize(
    ("aggregation", "by_hand"),
    [("normalize_then_sum", NORMALIZE_THEN_SUM), ("sum_then_normalize", SUM_THEN_NORMALIZE)],
)
def test_advantages_are_those_computed_by_hand(make, aggregation, by_hand):
    assert formula(aggregation) == pytest.approx(by_hand, abs=2e-6)
    trainer, rows = make(
        {"first": FIRST, "second": SECOND}, multi_objective_aggregation=aggregation, reward_weights=list(WEIGHTS),
        num_generations=GROUP, per_device_train_batch_size=6,
    )  # fmt: skip
    advantages = trainer._generate_and_score_completions(rows)["advantages"]
    assert advantages.tolist() == pytest.approx(by_hand, abs=2e-6)
    assert [reply["advantage"] for reply in trainer.last_replies()] == advantages.tolist()
    assert [reply["rewards"] for reply in trainer.last_replies()] == [
        {"first": a, "second": b} for a, b in zip(FIRST, SECOND, strict=True)
    ]


# The same sums by the batch: 1, 2, 4, 4, 6 have the deviation sqrt(15.2 / 4); the means are those of the groups.
BY_BATCH = (-0.683951, -0.170988, 0.854938, -0.512963, 0.512963, 0.0)
UNSCALED = (-4 / 3, -1 / 3, 5 / 3, -1.0, 1.0, 0.0)


@pytest.mark.parametrize(("scale", "by_hand"), [("batch", BY_BATCH), ("none", UNSCALED)])
def test_advantages_by_other_scales(make, scale, by_hand):
    trainer, rows = make(
        {"first": FIRST, "second": SECOND}, multi_objective_aggregation="sum_then_normalize", scale_rewards=scale,
        reward_weights=list(WEIGHTS), num_generations=GROUP, per_device_train_batch_size=6,
    )  # fmt: skip
    advantages = trainer._generate_and_score_completions(rows)["advantages"]
    assert advantages.tolist() == pytest.approx(by_hand, abs=2e-6)


def test_advantages_are_clipped_after_scaling_and_shown_as_they_were(make):
    trainer, rows = make(
        {"first": FIRST, "second": SECOND}, multi_objective_aggregation="sum_then_normalize", scale_rewards="none",
        reward_weights=list(WEIGHTS), num_generations=GROUP, per_device_train_batch_size=6,
        rules=ReplyRules(advantage_clip=1.2),
    )  # fmt: skip
    advantages = trainer._generate_and_score_completions(rows)["advantages"]
    assert advantages.tolist() == pytest.approx((-1.2, -1 / 3, 1.2, -1.0, 1.0, 0.0), abs=2e-6)
    assert [reply["advantage"] for reply in trainer.last_replies()] == pytest.approx(UNSCALED, abs=2e-6)


def plain_log_probs(model, prompt, reply, temperature):
    """One sequence, no padding, no fused head."""
    with torch.no_grad():
        logits = model(torch.tensor([prompt + reply])).logits[0, len(prompt) - 1 : -1].float()
    chosen = torch.log_softmax(logits / temperature, dim=-1).gather(1, torch.tensor(reply)[:, None])
    return chosen[:, 0]


def unpadded(inputs, row):
    return [
        inputs[f"{part}_ids"][row][inputs[f"{part}_mask"][row].bool()].tolist() for part in ("prompt", "completion")
    ]


@pytest.mark.parametrize("constrain", [False, True])
def test_log_probabilities_are_those_of_the_sampled_tokens_under_their_prompt(make, start, constrain):
    """Both tasks in one left-padded batch. Under the grammar mask they are still those of the policy without it."""
    marker, temperature = like_motions(start), 0.8
    rules = ReplyRules(constrain_grammar=constrain)
    trainer, rows = make({"fixed": range(16)}, temperature=temperature, max_completion_length=40, rules=rules)
    inputs = trainer._generate_and_score_completions(rows)
    assert (inputs["prompt_mask"][:, 0] == 0).any() and (inputs["prompt_mask"][:, -1] == 1).all()
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
    found, _, _ = trainer._get_per_token_logps_and_entropies(
        trainer.model, ids, mask, inputs["completion_ids"].shape[1]
    )
    motions = []
    for row in range(len(rows)):
        prompt, reply = unpadded(inputs, row)
        assert prompt == start.language.vocabulary.encode(rows[row]["prompt"])
        if marker in reply:
            motions.append(start.language.vocabulary.decode(reply[reply.index(marker) + 1 :]))
        ours = found[row, : len(reply)].detach()
        torch.testing.assert_close(ours, plain_log_probs(trainer.model, prompt, reply, temperature), atol=2e-5, rtol=0)
        with trainer.model.disable_adapter():
            reference = plain_log_probs(trainer.model, prompt, reply, temperature)
        torch.testing.assert_close(inputs["ref_per_token_logps"][row, : len(reply)], reference, atol=2e-5, rtol=0)
        assert (ours - reference).abs().max() > 1e-3  # the policy is another one than the reference
    kept = [re.fullmatch(r"(<Motion_\d+>)+(</Motion>(</answer>)?)?", text) is not None for text in motions]
    assert len(kept) >= 4 and all(kept) == constrain  # the mask did sample them, and without it they are broken
    # With one step a batch there are no other old log-probabilities, so that the importance ratio is exactly 1.
    assert "old_per_token_logps" not in inputs


def gradient(trainer, inputs):
    trainer.model.zero_grad()
    trainer._compute_loss(trainer.model, inputs).backward()
    parts = [weight.grad.flatten() for weight in trainer.model.parameters() if weight.grad is not None]
    return torch.cat(parts)


def kl_of(trainer, inputs):
    trainer._metrics["train"].clear()
    with torch.no_grad():
        trainer._compute_loss(trainer.model, inputs)
    return trainer._metrics["train"]["kl"][-1]


def test_the_kl_term_pulls_the_policy_back(make):
    """No advantages: what is left of the loss is the KL term, and following its gradient lowers the KL."""
    trainer, rows = make({"fixed": range(16)}, beta=0.5)
    inputs = trainer._generate_and_score_completions(rows)
    inputs["advantages"] = torch.zeros_like(inputs["advantages"])
    pull = gradient(trainer, inputs)
    before = kl_of(trainer, inputs)
    assert pull.norm() > 1e-4 and before > 0
    with torch.no_grad():
        for weight in trainer.model.parameters():
            if weight.grad is not None:
                weight -= 0.05 * weight.grad / pull.norm()
    assert kl_of(trainer, inputs) < before
    trainer.beta = 0.0
    assert gradient(trainer, inputs).norm() == 0


def test_at_the_reference_nothing_pulls(make):
    trainer, rows = make({"fixed": range(16)}, beta=0.5)
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name:
            weight.data.zero_()
    inputs = trainer._generate_and_score_completions(rows)
    inputs["advantages"] = torch.zeros_like(inputs["advantages"])
    assert kl_of(trainer, inputs) == 0.0 and gradient(trainer, inputs).norm() == 0
