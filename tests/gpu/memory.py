"""The part that measures what the table of memory (`tests.benchmarks.memory_table`) counts: peaks at its sizes."""

from collections.abc import Iterator
from typing import Any

import torch

from models.engines.transformers_engine import TransformersEngine
from models.language.decoding import Sampling
from models.policy.policy import Policy
from tests.gpu.bench import Bench, Figure
from tests.gpu.grpo import grpo_trainer
from tests.gpu.policies import grpo_settings, policy_of
from tests.gpu.sft import sft_trainer

STEPS = 2  # from the second on there are Adam's averages
LAST = 4  # tokens that are drawn


def memory(bench: Bench) -> Iterator[Figure]:
    """Peaks of evaluation, GRPO and SFT, by the trainers and the engine of the commands; the tokens are random."""
    policy = policy_of(bench)
    yield _evaluation(bench, policy)
    yield _grpo(bench, policy)
    del policy
    bench.forget()
    yield _sft(bench)


def _evaluation(bench: Bench, policy: Policy) -> Figure:
    batch, tokens = bench.work.replies, bench.work.tokens
    # Equal questions are read once: what remains is the keys and values of all of them, and the last tokens.
    (question,) = _random_ids(policy, 1, tokens - LAST)
    sampling = Sampling(1.0, 1.0, LAST, batch)
    engine = TransformersEngine(policy.model, policy.language.vocabulary)
    seconds, _ = bench.timed(lambda: engine.generate([question] * batch, range(batch), sampling))
    return Figure(
        "evaluation", seconds, "s", f"the last {LAST} tokens of {batch} replies, {tokens} with their questions"
    )


def _grpo(bench: Bench, policy: Policy) -> Figure:
    tokens, replies = bench.work.tokens, bench.work.prompts * bench.work.group
    trainer, prompts, _ = grpo_trainer(bench, policy, grpo_settings(bench, policy, "transformers"), None, STEPS)
    longest = max(len(policy.language.ask(query)) for query in prompts.queries)
    drawn = _random_ids(policy, replies, tokens - longest)
    trainer._generate_single_turn = lambda *_, **__: (drawn, None)
    seconds, _ = bench.timed(trainer.train)
    how = f"learning from {replies} replies, {tokens} tokens with their questions, {STEPS} steps"
    return Figure("GRPO", seconds, "s", how)


def _sft(bench: Bench) -> Figure:
    batch, tokens = bench.work.sft_batches[0], bench.work.tokens
    trainer, policy, _ = sft_trainer(bench, batch, STEPS)
    ids = torch.tensor(_random_ids(policy, batch, tokens))

    def same_length(rows: list[dict]) -> dict[str, Any]:
        return {
            "input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids,
            "loss_weights": torch.ones(ids.shape),
        }  # fmt: skip

    trainer.data_collator = same_length
    seconds, _ = bench.timed(trainer.train)
    return Figure("SFT", seconds, "s", f"{batch} samples of {tokens} tokens, all of them learned, {STEPS} steps")


def _random_ids(policy: Policy, count: int, length: int) -> list[list[int]]:
    draw = torch.Generator().manual_seed(0)
    return torch.randint(3, policy.language.vocabulary.new_ids[0], (count, length), generator=draw).tolist()
