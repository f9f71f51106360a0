"""Replies of a language model to many queries, with or without Chain-of-Motion, that an interruption does not lose.

Every finished reply goes to a file at once. A later call reads it and generates the rest: the replies are the same as
without the interruption, because a reply depends on the seed, the query and its number only.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from com.chain_of_motion import Request, Score, chain_of_motion_batch
from com.trace import trace_rows
from models.motion_llm import MotionLLM, Sampling
from models.prompts import Query
from models.reflections import reflection_on
from models.rollout import Rollout
from utils.errors import InputError

# Queries whose candidates are generated and ranked together: bounds what an interruption loses.
QUERIES_AT_ONCE = 64
# A candidate's key for sampling is its query's number times this, plus its own.
_CANDIDATE_KEYS = 1 << 20


@dataclass(frozen=True)
class ComSettings:
    """Chain-of-Motion for an evaluation.

    Attributes:
        candidates, refine_steps, patience: k candidates in each of t rounds, see `com.chain_of_motion`.
        rank: candidates and the voters of each (`com.agreement`) -> scores.
        lacking: attempts -> what each lacks, in words, for the reflection on it.
        temperatures: of the rounds, the last of them for all that follow; empty: that of the sampling.
        max_new_tokens: of a candidate; None: as the sampling.
    """

    candidates: int
    refine_steps: int
    rank: Callable[[Sequence[Rollout], Sequence[Sequence[Rollout]]], Sequence[Score]]
    lacking: Callable[[Sequence[Rollout]], Sequence[str]]
    patience: int | None = None
    temperatures: tuple[float, ...] = ()
    max_new_tokens: int | None = None

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


class ReplyFile:
    """Finished replies as lines of JSON: number of the query, draw, text, finished, and the trace of Chain-of-Motion.

    Opening it drops a last line that a kill has torn.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: dict[tuple[int, int], dict[str, Any]] = {}
        if not path.is_file():
            return
        whole = path.read_bytes()
        end = whole.rfind(b"\n") + 1
        if end < len(whole):
            with path.open("r+b") as stream:
                stream.truncate(end)
        for number, line in enumerate(whole[:end].splitlines(), start=1):
            try:
                row = json.loads(line)
                self.rows[row["draw"], row["query"]] = row
            except (ValueError, KeyError, TypeError):
                raise InputError(
                    f"{path}:{number}: not a reply of an interrupted evaluation; delete the file"
                ) from None

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Append finished replies and keep them."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        self.rows.update({(row["draw"], row["query"]): row for row in rows})

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def answer_all(
    llm: MotionLLM, queries: Sequence[Query], sampling: Sampling, draws: int, file: ReplyFile, label: str,
    com: ComSettings | None = None, references: Sequence[tuple[str, ...]] | None = None,
) -> list[list[dict[str, Any]]]:  # fmt: skip
    """`draws` replies to each query -> their rows (see `ReplyFile`), one list a draw in the order of the queries.

    Rows that `file` holds are not generated again. Draw d is sampled with the seed of `sampling` + 1000 d.
    `references`, one tuple a query, are what an oracle ranks candidates of Chain-of-Motion by; usually there are none.
    """
    for draw in range(draws):
        waiting = [number for number in range(len(queries)) if (draw, number) not in file.rows]
        drawn = replace(sampling, seed=sampling.seed + 1000 * draw)
        progress = label if draws == 1 else f"{label}, draw {draw + 1} of {draws}"
        if com is None:
            _answer(llm, queries, waiting, drawn, draw, file, progress)
        else:
            for start in range(0, len(waiting), QUERIES_AT_ONCE):
                part = waiting[start : start + QUERIES_AT_ONCE]
                shown = f"{progress}, {start + len(part)} of {len(waiting)}"
                known = None if references is None else [references[number] for number in part]
                file.add(answer_by_com(llm, [queries[number] for number in part], part, drawn, com, shown, draw, known))
    return [[file.rows[draw, number] for number in range(len(queries))] for draw in range(draws)]


def answer_by_com(
    llm: MotionLLM, queries: Sequence[Query], numbers: Sequence[int], sampling: Sampling, com: ComSettings, label: str,
    draw: int = 0, references: Sequence[tuple[str, ...]] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Chain-of-Motion over all `queries` at once -> their rows, with traces and what the rounds cost.

    `numbers` tell the queries apart for sampling, however they are grouped.
    """
    work = _Work(llm, queries, numbers, sampling, com, label, references)
    chains = chain_of_motion_batch(
        range(len(queries)), work.generate, work.score, com.candidates, com.refine_steps, patience=com.patience,
        key=lambda rollout: rollout.token_ids,
    )  # fmt: skip
    return [
        {**_row(chain.best, numbers[index], draw), "trace": trace_rows(chain, work.lacking[index]), "cost": work.cost}
        for index, chain in enumerate(chains)
    ]


class _Work:
    """The two callables of Chain-of-Motion, and what they leave behind.

    Attributes:
        lacking: by query and round, what the reflection said.
        cost: of each round: its seconds of generation and of scoring, shared out over the queries.
    """

    def __init__(
        self, llm: MotionLLM, queries: Sequence[Query], numbers: Sequence[int], sampling: Sampling, com: ComSettings,
        label: str, references: Sequence[tuple[str, ...]] | None,
    ) -> None:  # fmt: skip
        self._llm, self._queries, self._numbers, self._references = llm, queries, numbers, references
        self._sampling, self._com, self._label = sampling, com, label
        self._voters: dict[int, list[Rollout]] = {}
        self.lacking: list[dict[int, str]] = [{} for _ in queries]
        self.cost: list[dict[str, float]] = []

    def generate(self, requests: list[Request[int, Rollout]]) -> list[list[Rollout]]:
        started, number = time.perf_counter(), requests[0].round
        asked = [
            query for query, request in zip(self._asked(requests), requests, strict=True) for _ in range(request.count)
        ]
        owners = [request.query_index for request in requests for _ in range(request.count)]
        keys = [self._numbers[r.query_index] * _CANDIDATE_KEYS + k for r in requests for k in range(r.count)]
        references = None if self._references is None else [self._references[owner] for owner in owners]
        sampling = self._com.sampling(self._sampling, number)
        progress = f"{self._label}, round {number + 1}"
        answers = iter(self._llm.answer(asked, sampling, references, progress=progress, keys=keys))
        groups = [[next(answers) for _ in range(request.count)] for request in requests]
        if number == 0:
            self._voters = {request.query_index: group for request, group in zip(requests, groups, strict=True)}
        self.cost.append({"generation_s": self._share(started), "scoring_s": 0.0})
        return groups

    def score(self, candidates: list[Rollout], requests: list[Request[int, Rollout]]) -> Sequence[Score]:
        started = time.perf_counter()
        scores = self._com.rank(candidates, [self._voters[request.query_index] for request in requests])
        self.cost[-1]["scoring_s"] = self._share(started)
        return scores

    def _asked(self, requests: list[Request[int, Rollout]]) -> list[Query]:
        """The query of each request, with a reflection on its best attempt where there is one."""
        queries = [self._queries[request.query_index] for request in requests]
        if requests[0].best is None:
            return queries
        attempts = [request.best.candidate for request in requests]
        words = self._com.lacking(attempts)
        for request, lacking in zip(requests, words, strict=True):
            self.lacking[request.query_index][request.round] = lacking
        return [
            replace(query, reflection=reflection_on(attempt, lacking))
            for query, attempt, lacking in zip(queries, attempts, words, strict=True)
        ]

    def _share(self, started: float) -> float:
        return (time.perf_counter() - started) / len(self._queries)


def cost_of_rounds(rows: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """Of each round, per reply: ``tokens`` generated, ``generation_s`` and ``scoring_s``."""
    rounds = max(len(row["cost"]) for row in rows)
    found = []
    for number in range(rounds):
        tokens = sum(one["tokens"] for row in rows for one in row["trace"] if one["round"] == number)
        parts = [row["cost"][number] for row in rows if number < len(row["cost"])]
        seconds = {name: sum(part[name] for part in parts) / len(rows) for name in ("generation_s", "scoring_s")}
        found.append({"tokens": tokens / len(rows), **seconds})
    return found


def _answer(
    llm: MotionLLM, queries: Sequence[Query], waiting: Sequence[int], sampling: Sampling, draw: int, file: ReplyFile,
    label: str,
) -> None:  # fmt: skip
    if not waiting:
        return

    def keep(indices: Sequence[int], rollouts: list[Rollout]) -> None:
        rows = [_row(rollout, waiting[index], draw) for index, rollout in zip(indices, rollouts, strict=True)]
        file.add(rows)

    llm.answer([queries[number] for number in waiting], sampling, progress=label, keys=waiting, on_batch=keep)


def _row(rollout: Rollout, number: int, draw: int) -> dict[str, Any]:
    return {"draw": draw, "query": number, "id": rollout.id, "text": rollout.text, "finished": rollout.finished}
