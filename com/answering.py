"""Replies of a language model to many queries, with or without Chain-of-Motion, that an interruption does not lose.

Every finished reply goes to a file at once. A later call reads it and generates the rest: the replies are the same as
without the interruption, because a reply depends on the seed, the query and its number only.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from com.chain_of_motion import Chain, Request, Score, chain_of_motion_batch
from models.motion_llm import MotionLLM, Sampling
from models.prompts import Query, Reflection
from models.reflections import reflection_on
from models.rollout import Rollout
from utils.errors import InputError
from utils.files import write_jsonl

# Queries whose candidates are generated and ranked together: bounds what an interruption loses.
QUERIES_AT_ONCE = 64
# A candidate's key for sampling is its query's number times this, plus its own.
_CANDIDATE_KEYS = 1 << 20


@dataclass(frozen=True)
class ComSettings:
    """Chain-of-Motion for an evaluation.

    Attributes:
        candidates, refine_steps: k candidates in each of t rounds.
        score: what ranks candidates; it never sees a reference.
    """

    candidates: int
    refine_steps: int
    score: Callable[[list[Rollout]], Sequence[Score]]


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
    com: ComSettings | None = None,
) -> list[list[dict[str, Any]]]:  # fmt: skip
    """`draws` replies to each query -> their rows (see `ReplyFile`), one list a draw in the order of the queries.

    Rows that `file` holds are not generated again. Draw d is sampled with the seed of `sampling` + 1000 d.
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
                chains = answer_by_com(llm, [queries[number] for number in part], part, drawn, com, shown)
                file.add([
                    {**_row(chain.best, number, draw), "trace": _trace(chain)}
                    for number, chain in zip(part, chains, strict=True)
                ])  # fmt: skip
    return [[file.rows[draw, number] for number in range(len(queries))] for draw in range(draws)]


def answer_by_com(
    llm: MotionLLM, queries: Sequence[Query], numbers: Sequence[int], sampling: Sampling, com: ComSettings, label: str
) -> list[Chain[Rollout]]:
    """Chain-of-Motion over all `queries` at once; `numbers` tell them apart for sampling, however they are grouped."""

    def generate(requests: list[Request[Query, Rollout]]) -> list[list[Rollout]]:
        number = requests[0].round
        asked = [replace(r.query, reflection=_reflection(r)) for r in requests for _ in range(r.count)]
        keys = [numbers[r.query_index] * _CANDIDATE_KEYS + k for r in requests for k in range(r.count)]
        drawn = replace(sampling, seed=sampling.seed + number + 1)
        answers = iter(llm.answer(asked, drawn, progress=f"{label}, round {number + 1}", keys=keys))
        return [[next(answers) for _ in range(request.count)] for request in requests]

    def score(candidates: list[Rollout], _: list[Request[Query, Rollout]]) -> Sequence[Score]:
        return com.score(candidates)

    return chain_of_motion_batch(
        queries, generate, score, com.candidates, com.refine_steps, key=lambda rollout: rollout.token_ids
    )


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


def _trace(chain: Chain[Rollout]) -> list[dict[str, Any]]:
    return [
        {
            "round": attempt.round, "chosen": attempt.chosen, "total": attempt.score.total,
            "scores": dict(attempt.score.parts), "text": attempt.candidate.text,
            "duplicate_of": attempt.duplicate_of,
        }
        for attempt in chain.trace
    ]  # fmt: skip


def _reflection(request: Request[Query, Rollout]) -> Reflection | None:
    return None if request.best is None else reflection_on(request.best.candidate)


def write_trace(path: Path, draws: Sequence[Sequence[dict[str, Any]]]) -> None:
    """trace.jsonl: every candidate of Chain-of-Motion, one a line."""
    write_jsonl(
        path,
        (
            {"draw": row["draw"], "id": row["id"], **attempt}
            for rows in draws
            for row in rows
            for attempt in row["trace"]
        ),
    )
