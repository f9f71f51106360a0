"""Parts that draw replies: rollouts by batch, and Chain-of-Motion, by either engine."""

import statistics
from collections.abc import Iterator, Sequence
from functools import partial

from com.reply_search import ComConfig, QueryBatch, search_replies
from com.scorers import Ranking
from models.engines.engine import Drawn, Engine
from models.engines.transformers_engine import TransformersEngine
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.policy.policy import Policy
from rewards.lacking import Lacking
from tests.gpu.bench import Bench, Figure, NotHere
from tests.gpu.policies import grpo_settings, policy_of, queries_of, replies_with_motions, rewards_of

TEMPERATURE = 0.8


def rollouts(bench: Bench) -> Iterator[Figure]:
    """By transformers, from a model in its precision without an adapter."""
    policy = policy_of(bench)
    yield from by_batch(bench, policy, TransformersEngine(policy.model, policy.language.vocabulary), "transformers")


def com(bench: Bench) -> Iterator[Figure]:
    policy = policy_of(bench)
    yield from searched(bench, policy, TransformersEngine(policy.model, policy.language.vocabulary), "transformers")


def by_batch(bench: Bench, policy: Policy, engine: Engine, name: str) -> Iterator[Figure]:
    """Tokens a second of one call of the engine for each size of a batch."""
    tokens, last = bench.work.new_tokens, 0.0
    engine.generate([policy.language.ask(queries_of(bench, 1)[0])], [0], Sampling(TEMPERATURE, 1.0, 4))
    for batch in bench.work.batches:
        prompts = [policy.language.ask(query) for query in queries_of(bench, batch)]
        sampling = Sampling(TEMPERATURE, 1.0, tokens, batch)
        try:
            bench.need_time(2 * last)
        except NotHere as reason:
            raise NotHere(f"batch {batch}: {reason}") from None
        last, found = bench.timed(partial(engine.generate, prompts, range(batch), sampling))
        drawn = sum(len(one.ids) for one in found)
        how = f"prompts of {statistics.mean(map(len, prompts)):.0f} tokens, at most {tokens} new ones, one call"
        yield Figure(f"{name}, batch {batch}", drawn / last, "tokens/s", how)


class WithMotions:
    """An engine whose replies are drawn in full, and handed on as replies with motions (`replies_with_motions`)."""

    def __init__(self, engine: Engine, seed: int, length: int) -> None:
        self._engine = engine
        self.label, self.device, self.vocabulary = engine.label, engine.device, engine.vocabulary
        self.batches_at_once = engine.batches_at_once
        self._reply = replies_with_motions(engine.vocabulary, seed, length)
        self.tokens = 0

    def generate(self, prompts: Sequence[list[int]], *given, **also) -> list[Drawn]:
        drawn = self._engine.generate(prompts, *given, **also)
        self.tokens += sum(len(one.ids) for one in drawn)
        return [Drawn(self._reply()) for _ in drawn]


def searched(bench: Bench, policy: Policy, engine: Engine, name: str) -> Iterator[Figure]:
    """Captions a second of Chain-of-Motion, ranked by the rewards of t2m."""
    work, tokenizer = bench.work, policy.language.motion_tokenizer
    drawing = WithMotions(engine, 0, work.new_tokens)
    rewards = rewards_of(grpo_settings(bench, policy, "transformers"), policy)
    rank = Ranking(rewards.table, dict(zip(rewards.names, rewards.weights, strict=True)))
    config = ComConfig(work.candidates, work.rounds, rank, Lacking(tokenizer.skeleton, tokenizer.nb_code))
    sampling = Sampling(TEMPERATURE, 1.0, work.new_tokens, work.captions * work.candidates)
    llm = MotionLLM(policy.model, policy.language, engine=drawing)
    asked = QueryBatch.all(queries_of(bench, work.captions))
    seconds, found = bench.timed(lambda: search_replies(llm, asked, sampling, config, "measured"))
    formed = sum(one.best.well_formed for one in found)
    scoring = sum(part["scoring_s"] for part in found[0].record["cost"]) * work.captions
    how = (
        f"{work.captions} captions at once, {work.candidates} candidates x {work.rounds} rounds of at most "
        f"{work.new_tokens} tokens ({drawing.tokens:,} drawn), {scoring / seconds:.0%} of the time is scoring"
    )
    yield Figure(f"Chain-of-Motion, {name}", work.captions / seconds, "captions/s", how)
    yield Figure(
        "winners with a motion", formed, "captions", f"of {work.captions}", formed == work.captions, alone=False
    )
