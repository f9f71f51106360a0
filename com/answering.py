"""Replies of a language model to many queries, with or without Chain-of-Motion, that an interruption does not lose.

Every finished reply goes to a file at once. A later call reads it and generates the rest: the replies are the same as
without the interruption, because a reply depends on the seed, the query and its number only.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from com.reply_search import ComSettings, search_replies
from models.language.motion_llm import MotionLLM, Sampling
from models.language.prompts import Query
from models.language.rollout import Rollout
from utils.errors import InputError

# Queries whose candidates are generated and ranked together: bounds what an interruption loses.
QUERIES_AT_ONCE = 64


class ReplyFile:
    """Finished replies as lines of JSON: number of the query, draw, text, finished; of Chain-of-Motion trace and cost.

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
                found = search_replies(llm, [queries[number] for number in part], part, drawn, com, shown, known)
                file.add(
                    [{**_row(one.best, number, draw), **one.record} for number, one in zip(part, found, strict=True)]
                )
    return [[file.rows[draw, number] for number in range(len(queries))] for draw in range(draws)]


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
