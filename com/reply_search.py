"""Chain-of-Motion with a language model: writes candidates, revises the best or reflects on it, tells what it cost."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from com.chain_of_motion import Request, Score, chain_of_motion_batch
from com.revision import beginnings
from com.trace import trace_rows
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.language.prompts import Query, Reflection, reflection_on
from models.language.rollout import Rollout

# What a round after the first does with the best reply so far: it keeps the first part of it (`com.revision`), or shows
# it to the model with what it lacks, or half of its candidates do the one and half the other.
REVISE, REFLECT, BOTH = "revise", "reflect", "both"
# A candidate's sampling key is its query's number times this, plus its own number.
_CANDIDATE_KEYS = 1 << 20


@dataclass(frozen=True)
class ComConfig:
    """Chain-of-Motion for an evaluation.

    Attributes:
        candidates, refine_steps, patience: k candidates in each of t rounds, see `com.chain_of_motion`.
        rank: candidates and the voters of each (`com.scorers`) -> scores.
        lacking: attempts -> what each lacks, in words, for the reflection on it.
        temperatures: of the rounds, the last of them for all that follow; empty: that of the sampling.
        max_new_tokens: of a candidate; None: as the sampling.
        refine: `REVISE`, `REFLECT` or `BOTH`.
        right_until: attempts -> how much of each is right (`com.revision`), for revisions that keep just that; None:
            what revisions keep spreads over the reply.
        budget: a query stops after the round in which its candidates have cost so many tokens; None: never.
    """

    candidates: int
    refine_steps: int
    rank: Callable[[Sequence[Rollout], Sequence[Sequence[Rollout]]], Sequence[Score]]
    lacking: Callable[[Sequence[Rollout]], Sequence[str]]
    patience: int | None = None
    temperatures: tuple[float, ...] = ()
    max_new_tokens: int | None = None
    refine: str = REFLECT
    budget: int | None = None
    right_until: Callable[[Sequence[Rollout]], Sequence[int | None]] | None = None

    def sampling(self, given: Sampling, round_number: int) -> Sampling:
        """How candidates of a round are drawn."""
        temperature = given.temperature
        if self.temperatures:
            temperature = self.temperatures[min(round_number, len(self.temperatures) - 1)]
        return replace(
            given,
            seed=given.seed + round_number + 1,
            temperature=temperature,
            max_new_tokens=self.max_new_tokens or given.max_new_tokens,
        )

    def revisions(self, count: int) -> int:
        """How many of the `count` candidates of a further round keep a part of the best reply."""
        return {REVISE: count, REFLECT: 0, BOTH: count - count // 2}[self.refine]


@dataclass(frozen=True)
class QueryBatch:
    """Queries that are asked together.

    Attributes:
        queries: N queries.
        query_numbers: tell them apart for sampling, however they are grouped: a reply hangs on its query's number.
        references: the true captions of each, which only an oracle may rank by; None: not known to anybody.
    """

    queries: Sequence[Query]
    query_numbers: Sequence[int]
    references: Sequence[tuple[str, ...]] | None = None

    @classmethod
    def all(cls, queries: Sequence[Query], references: Sequence[tuple[str, ...]] | None = None) -> "QueryBatch":
        """All queries of an evaluation, numbered in their order."""
        return cls(queries, range(len(queries)), references)

    def __len__(self) -> int:
        return len(self.queries)

    def take(self, places: Sequence[int]) -> "QueryBatch":
        """Those at `places`, with the numbers that they have."""
        known = None if self.references is None else [self.references[place] for place in places]
        queries, numbers = ([row[place] for place in places] for row in (self.queries, self.query_numbers))
        return QueryBatch(queries, numbers, known)


@dataclass(frozen=True)
class Found:
    """The reply to one query. After a search `record` holds the ``trace`` of all and the ``cost`` of each round."""

    best: Rollout
    record: dict[str, Any]


def search_replies(llm: MotionLLM, asked: QueryBatch, sampling: Sampling, com: ComConfig, label: str) -> list[Found]:
    """Chain-of-Motion over all the queries at once."""
    work = _Work(llm, asked, sampling, com, label)
    chains = chain_of_motion_batch(
        range(len(asked)),
        work.generate,
        work.score,
        com.candidates,
        com.refine_steps,
        patience=com.patience,
        goes_on=work.goes_on,
        key=lambda rollout: rollout.token_ids,
    )
    return [
        Found(chain.best, {"trace": trace_rows(chain, work.lacking[index]), "cost": work.cost})
        for index, chain in enumerate(chains)
    ]


class _Work:
    """The two callables of Chain-of-Motion, and what they leave behind.

    Attributes:
        lacking: by query and round, what the reflection said.
        cost: of each round: its seconds of generation and of scoring, shared out over the queries.
    """

    def __init__(self, llm: MotionLLM, asked: QueryBatch, sampling: Sampling, com: ComConfig, label: str) -> None:
        self._llm, self._asked = llm, asked
        self._sampling, self._com, self._label = sampling, com, label
        self._voters: dict[int, list[Rollout]] = {}
        self._spent = [0] * len(asked)
        self.lacking: list[dict[int, str]] = [{} for _ in range(len(asked))]
        self.cost: list[dict[str, float]] = []

    def generate(self, requests: list[Request[int, Rollout]]) -> list[list[Rollout]]:
        started, round_number = time.perf_counter(), requests[0].round
        queries = [query for asked in self._queries_of(requests) for query in asked]
        owners = [request.query_index for request in requests for _ in range(request.count)]
        numbers, known = self._asked.query_numbers, self._asked.references
        sampling_keys = [
            numbers[request.query_index] * _CANDIDATE_KEYS + candidate
            for request in requests
            for candidate in range(request.count)
        ]
        references = None if known is None else [known[owner] for owner in owners]
        sampling = self._com.sampling(self._sampling, round_number)
        progress = f"{self._label}, round {round_number + 1}"
        answers = iter(self._llm.answer(queries, sampling, references, progress=progress, keys=sampling_keys))
        groups = [[next(answers) for _ in range(request.count)] for request in requests]
        for request, group in zip(requests, groups, strict=True):
            self._spent[request.query_index] += sum(candidate.drawn_tokens for candidate in group)
        if round_number == 0:
            self._voters = {request.query_index: group for request, group in zip(requests, groups, strict=True)}
        self.cost.append({"generation_s": self._share(started), "scoring_s": 0.0})
        return groups

    def score(self, candidates: list[Rollout], requests: list[Request[int, Rollout]]) -> Sequence[Score]:
        started = time.perf_counter()
        scores = self._com.rank(candidates, [self._voters[request.query_index] for request in requests])
        self.cost[-1]["scoring_s"] = self._share(started)
        return scores

    def goes_on(self, query_index: int) -> bool:
        """Whether a query has tokens left."""
        return self._com.budget is None or self._spent[query_index] < self._com.budget

    def _queries_of(self, requests: list[Request[int, Rollout]]) -> list[list[Query]]:
        """What each candidate of each request is asked: the query, revised or with a reflection on its best attempt."""
        queries = [self._asked.queries[request.query_index] for request in requests]
        if requests[0].best is None:
            return [[query] * request.count for query, request in zip(queries, requests, strict=True)]
        revised = [self._com.revisions(request.count) for request in requests]
        reflections = self._reflections(requests) if self._com.refine != REVISE else [None] * len(requests)
        bests, vocabulary = [request.best.candidate for request in requests], self._llm.language.vocabulary
        right = [None] * len(bests) if self._com.right_until is None else self._com.right_until(bests)
        kept = [beginnings(*one, vocabulary, until) for *one, until in zip(bests, revised, right, strict=True)]
        return [
            [
                *(replace(query, begun=ids) for ids in begun),
                *[replace(query, reflection=reflection)] * (request.count - len(begun)),
            ]
            for query, request, begun, reflection in zip(queries, requests, kept, reflections, strict=True)
        ]

    def _reflections(self, requests: list[Request[int, Rollout]]) -> list[Reflection]:
        """On the best attempt of each."""
        attempts = [request.best.candidate for request in requests]
        words = self._com.lacking(attempts)
        for request, lacking in zip(requests, words, strict=True):
            self.lacking[request.query_index][request.round] = lacking
        return [reflection_on(attempt, lacking) for attempt, lacking in zip(attempts, words, strict=True)]

    def _share(self, started: float) -> float:
        return (time.perf_counter() - started) / len(self._asked)


def cost_of_rounds(rows: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """Of each round, per reply: ``tokens`` generated, ``generation_s`` and ``scoring_s``."""
    rounds = max(len(row["cost"]) for row in rows)
    found = []
    for round_number in range(rounds):
        tokens = sum(one["tokens"] for row in rows for one in row["trace"] if one["round"] == round_number)
        parts = [row["cost"][round_number] for row in rows if round_number < len(row["cost"])]
        seconds = {name: sum(part[name] for part in parts) / len(rows) for name in ("generation_s", "scoring_s")}
        found.append({"tokens": tokens / len(rows), **seconds})
    return found
