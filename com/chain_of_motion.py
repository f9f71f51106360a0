"""Chain-of-Motion: sample several candidates, keep the best by score, let the next round improve on it.

This file knows neither models nor rewards. It is given two callables, one that writes candidates and one that
scores them, and owns what lies between: rounds, ranking, keep-best, early stop, de-duplication and the trace.

    one query     chain_of_motion(generate, score, candidates=8, refine_steps=2)
                  generate(count, round, best) -> `count` candidates;   score(candidates) -> one score each
    many queries  chain_of_motion_batch(queries, generate, score, candidates=8, refine_steps=2)
                  generate(requests) -> a list of candidates per request;  score(candidates, requests) -> one score each

Rounds are counted from 0; round 0 has no best attempt yet, and every later round is given the best of all rounds
before it. `refine_steps` is the number of rounds in all: 1 is plain best-of-k, k x t candidates are drawn.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from utils.errors import InputError

Q = TypeVar("Q")
C = TypeVar("C")


@dataclass(frozen=True)
class Score:
    """What a candidate is ranked by (`total`, higher is better) and what it is made of (None = not applicable)."""

    total: float
    parts: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt(Generic[C]):
    """One candidate of a trace.

    Attributes:
        candidate: as generated.
        score: its score; a duplicate has the score of its first occurrence.
        round: the round that wrote it, from 0.
        index: its position in the trace of its query.
        duplicate_of: index of the first identical candidate, None for a first occurrence.
        chosen: it is the answer of its query (exactly one attempt of a finished trace is).
    """

    candidate: C
    score: Score
    round: int
    index: int
    duplicate_of: int | None = None
    chosen: bool = False


@dataclass(frozen=True)
class Request(Generic[Q, C]):
    """What a round asks for one query: `count` candidates, better than `best` (None in round 0)."""

    query: Q
    query_index: int
    count: int
    round: int
    best: Attempt[C] | None


@dataclass(frozen=True)
class Chain(Generic[C]):
    """The answer to one query: `best` candidate, its total `score`, and the `trace` of all attempts in order."""

    best: C
    score: float
    trace: tuple[Attempt[C], ...]

    @property
    def chosen(self) -> Attempt[C]:
        return next(attempt for attempt in self.trace if attempt.chosen)

    @property
    def rounds(self) -> int:
        """How many rounds this query took part in (fewer than asked for after an early stop)."""
        return self.trace[-1].round + 1


def chain_of_motion(
    generate: Callable[[int, int, Attempt[C] | None], Sequence[C]],
    score: Callable[[list[C]], Sequence[Score | float]],
    candidates: int,
    refine_steps: int,
    *,
    patience: int | None = None,
    key: Callable[[C], Hashable] | None = None,
) -> Chain[C]:
    """The best of `refine_steps` rounds of `candidates` candidates for one query.

    Args:
        generate: ``generate(count, round, best)`` writes `count` candidates; `best` is the best attempt so far.
        score: ``score(candidates)`` gives a `Score` or a plain number per candidate. It is called once a round,
            with candidates not seen before, and not at all in a round that has none.
        candidates, refine_steps, patience, key: see `chain_of_motion_batch`.
    """

    def generate_one(requests: list[Request[None, C]]) -> list[Sequence[C]]:
        return [generate(request.count, request.round, request.best) for request in requests]

    def score_one(batch: list[C], _: list[Request[None, C]]) -> Sequence[Score | float]:
        return score(batch)

    chains = chain_of_motion_batch(
        [None], generate_one, score_one, candidates, refine_steps, patience=patience, key=key
    )
    return chains[0]


def chain_of_motion_batch(
    queries: Sequence[Q],
    generate: Callable[[list[Request[Q, C]]], Sequence[Sequence[C]]],
    score: Callable[[list[C], list[Request[Q, C]]], Sequence[Score | float]],
    candidates: int,
    refine_steps: int,
    *,
    patience: int | None = None,
    goes_on: Callable[[int], bool] | None = None,
    key: Callable[[C], Hashable] | None = None,
) -> list[Chain[C]]:
    """The same for many queries at once: one call of `generate` and one of `score` a round for all of them.

    Args:
        queries: anything; handed through to the callables.
        generate: ``generate(requests)``, one request per query still running -> `request.count` candidates each.
        score: ``score(candidates, requests)``: a flat list of candidates not scored before and, in parallel, the
            request each of them answers (so that a scorer can group them by ``query_index``).
        candidates: candidates per query and round, k.
        refine_steps: rounds in all, t.
        patience: a query stops after so many rounds in a row that brought no better candidate; None = never.
        goes_on: asked before each round after the first whether the query of that index takes part; None = all do.
        key: two candidates of one query with equal keys are identical, and scored once. Default: the candidate
            itself, where it can be hashed; else only the very same object is identical.

    Returns:
        A `Chain` per query, in order. The highest total wins, the earliest among equals.

    Raises:
        InputError: numbers below 1, or a score that is no finite number.
        ValueError: a callable returned the wrong number of things.
    """
    for name, value in (("candidates", candidates), ("refine_steps", refine_steps), ("patience", patience)):
        if value is not None and value < 1:
            raise InputError(f"Chain-of-Motion: {name} must be at least 1, got {value}")
    searches = [_Search(query, index, key or _default_key) for index, query in enumerate(queries)]
    # Rounds of all that still run.
    for round_number in range(refine_steps):
        running = [search for search in searches if not search.exhausted(patience)]
        if goes_on is not None and round_number:
            running = [search for search in running if goes_on(search.index)]
        if not running:
            break
        _run_round(running, generate, score, candidates, round_number)
    return [search.result() for search in searches]


class _Search(Generic[Q, C]):
    """The state of one query."""

    def __init__(self, query: Q, index: int, key: Callable[[C], Hashable]) -> None:
        self.query = query
        self.index = index
        self.key = key
        self.attempts: list[Attempt[C]] = []
        self.first_with_key: dict[Hashable, int] = {}
        self.best: Attempt[C] | None = None
        self.rounds_without_gain = 0

    def exhausted(self, patience: int | None) -> bool:
        return patience is not None and self.rounds_without_gain >= patience

    def unseen(self, written: Sequence[C]) -> dict[Hashable, C]:
        """First occurrences among `written` by key, in order."""
        new: dict[Hashable, C] = {}
        for candidate in written:
            if self.key(candidate) not in self.first_with_key:
                new.setdefault(self.key(candidate), candidate)
        return new

    def record(self, written: Sequence[C], scores: Mapping[Hashable, Score], round_number: int) -> None:
        best_before = self.best
        for candidate in written:
            index = len(self.attempts)
            first = self.first_with_key.setdefault(self.key(candidate), index)
            score = scores[self.key(candidate)] if first == index else self.attempts[first].score
            attempt = Attempt(candidate, score, round_number, index, None if first == index else first)
            self.attempts.append(attempt)
            if self.best is None or score.total > self.best.score.total:
                self.best = attempt
        self.rounds_without_gain = 0 if self.best is not best_before else self.rounds_without_gain + 1

    def result(self) -> Chain[C]:
        trace = list(self.attempts)
        trace[self.best.index] = replace(self.best, chosen=True)
        return Chain(best=self.best.candidate, score=self.best.score.total, trace=tuple(trace))


def _run_round(
    running: list[_Search[Q, C]],
    generate: Callable[[list[Request[Q, C]]], Sequence[Sequence[C]]],
    score: Callable[[list[C], list[Request[Q, C]]], Sequence[Score | float]],
    candidates: int,
    round_number: int,
) -> None:
    requests = [Request(one.query, one.index, candidates, round_number, one.best) for one in running]
    written = [list(group) for group in generate(requests)]
    if [len(group) for group in written] != [candidates] * len(requests):
        raise ValueError(
            f"generate gave {[len(group) for group in written]} candidates for {len(requests)} requests of {candidates}"
        )
    unseen = [search.unseen(group) for search, group in zip(running, written, strict=True)]
    batch = [candidate for group in unseen for candidate in group.values()]
    owners = [request for request, group in zip(requests, unseen, strict=True) for _ in group]
    scores = iter(_checked_scores(score(batch, owners), len(batch)) if batch else [])
    for search, group, new in zip(running, written, unseen, strict=True):
        search.record(group, {key: next(scores) for key in new}, round_number)


def _checked_scores(scores: Sequence[Score | float], expected: int) -> list[Score]:
    checked = [score if isinstance(score, Score) else Score(score) for score in scores]
    if len(checked) != expected:
        raise ValueError(f"score gave {len(checked)} scores for {expected} candidates")
    for score in checked:
        if score.total is None or not math.isfinite(score.total):
            raise InputError(
                f"Chain-of-Motion cannot rank a candidate with score {score.total}: "
                "at least one scorer must apply to every candidate"
            )
    return checked


def _default_key(candidate: C) -> Hashable:
    try:
        hash(candidate)
    except TypeError:
        return id(candidate)  # held by the trace, so that the id stays its own
    return candidate
