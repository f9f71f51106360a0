"""Replies of a language model to many queries, with or without Chain-of-Motion, that an interruption does not lose.

Every finished reply goes to a file at once. A later call reads it and generates the rest: the replies are the same as
without the interruption, because a reply depends on the seed, the query and its number only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from com.reply_file import ReplyFile
from com.reply_search import ComConfig, Found, QueryBatch, search_replies
from models.evaluation.predictions import Prediction, from_reply
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.language.prompts import Query
from models.language.rollout import Rollout

# Takes finished replies: the numbers of their queries, and the replies.
Keep = Callable[[Sequence[int], Sequence[Found]], None]
# Replies as they were generated, by draw and number of the query.
Fresh = dict[tuple[int, int], Prediction]
# Queries whose candidates are generated and ranked together: bounds what an interruption loses.
QUERIES_AT_ONCE = 64


@dataclass(frozen=True)
class Asking:
    """How replies are asked for: sampling and, where it is wanted, Chain-of-Motion around the model.

    Attributes:
        sampling: draw d of an evaluation is sampled with its seed + 1000 d.
        com: None: every draw is one plain reply.
    """

    sampling: Sampling
    com: ComConfig | None = None

    @property
    def greedy(self) -> bool:
        """Whether the same question has the same reply in every draw."""
        return self.com is None and self.sampling.temperature == 0

    def of_draw(self, draw: int) -> Sampling:
        return replace(self.sampling, seed=self.sampling.seed + 1000 * draw)


@dataclass(frozen=True, eq=False)
class Answers:
    """Replies to N queries, one list a draw, in the order of the queries.

    Attributes:
        rows: as `ReplyFile` keeps them; with Chain-of-Motion they hold ``trace`` and ``cost``.
        predictions: the replies, parsed. Those that Chain-of-Motion has just ranked have their motion already.
    """

    rows: list[list[dict[str, Any]]]
    predictions: list[list[Prediction]]


def answer_all(llm: MotionLLM, draws: Sequence[QueryBatch], asking: Asking, file: ReplyFile, label: str) -> Fresh:
    """A reply to each query of each draw goes to `file`; those that it holds are not generated again.

    Args:
        draws: what is asked in each; a query has the same number in all of them, though perhaps another caption.

    Returns:
        the replies that were generated, as `answers_in` takes them
    """
    fresh: Fresh = {}
    for draw, asked in enumerate(draws):
        rows = [file.rows.get(key) for key in _keys(draw, asked)]
        pairs = zip(rows, asked.queries, strict=True)
        waiting = asked.take([place for place, (row, query) in enumerate(pairs) if not _answers(row, query, draw)])
        if asking.greedy:
            waiting = _copied(file, waiting, draw)
        if not len(waiting):
            continue
        file.drawn_as(more=True)

        def keep(query_numbers: Sequence[int], replies: Sequence[Found], draw: int = draw) -> None:
            pairs = list(zip(query_numbers, replies, strict=True))
            file.add([{**_row(reply.best, number, draw), **reply.record} for number, reply in pairs])
            fresh.update({(draw, number): Prediction.of_rollout(reply.best, draw) for number, reply in pairs})

        progress = label if len(draws) == 1 else f"{label}, draw {draw + 1} of {len(draws)}"
        if asking.com is None:
            _ask(llm, waiting, asking.of_draw(draw), keep, progress)
        else:
            _search(llm, waiting, asking.of_draw(draw), asking.com, keep, progress)
    return fresh


def answers_in(file: ReplyFile, draws: Sequence[QueryBatch], fresh: Fresh) -> Answers:
    """What `answer_all` has left in a file, here or elsewhere, for these queries."""
    keys = [_keys(draw, asked) for draw, asked in enumerate(draws)]
    return Answers(
        [[file.rows[key] for key in row] for row in keys],
        [
            [
                fresh.get(key) or _prediction_of(file.rows[key], query)
                for key, query in zip(row, asked.queries, strict=True)
            ]
            for row, asked in zip(keys, draws, strict=True)
        ],
    )


def _copied(file: ReplyFile, asked: QueryBatch, draw: int) -> QueryBatch:
    """Copy the replies that earlier draws have to the same questions; returns the questions that are left."""
    rows = [row for row in file.rows.values() if isinstance(row.get("caption", 0), str | None)]
    known = {(row["query"], row["caption"]): row for row in rows}
    pairs = list(zip(asked.query_numbers, asked.queries, strict=True))
    found = [known.get((number, _caption(query))) for number, query in pairs]
    file.add([{**row, "draw": draw} for row in found if row is not None])
    return asked.take([place for place, row in enumerate(found) if row is None])


def _keys(draw: int, asked: QueryBatch) -> list[tuple[int, int]]:
    """What the replies of a draw go by in a `ReplyFile`."""
    return [(draw, number) for number in asked.query_numbers]


def _ask(llm: MotionLLM, asked: QueryBatch, sampling: Sampling, keep: Keep, progress: str) -> None:
    """One plain reply to each query. Nobody looks at its motion yet: whoever judges them all decodes them together."""

    def keep_batch(places: Sequence[int], rollouts: list[Rollout]) -> None:
        keep([asked.query_numbers[place] for place in places], [Found(rollout, {}) for rollout in rollouts])

    llm.without_motions().answer(
        asked.queries, sampling, progress=progress, keys=asked.query_numbers, on_batch=keep_batch
    )


def _search(llm: MotionLLM, asked: QueryBatch, sampling: Sampling, com: ComConfig, keep: Keep, progress: str) -> None:
    """The best reply that Chain-of-Motion finds to each query, some queries at a time."""
    for start in range(0, len(asked), QUERIES_AT_ONCE):
        part = asked.take(range(start, min(start + QUERIES_AT_ONCE, len(asked))))
        shown = f"{progress}, {start + len(part)} of {len(asked)}"
        keep(part.query_numbers, search_replies(llm, part, sampling, com, shown))


def _row(rollout: Rollout, query_number: int, draw: int) -> dict[str, Any]:
    about = {"draw": draw, "query": query_number, "id": rollout.id, "caption": _caption(rollout)}
    return {**about, "text": rollout.text, "finished": rollout.finished}


def _caption(asked: Query | Rollout) -> str | None:
    """What text to motion was asked for."""
    return asked.caption if asked.task == "t2m" else None


def _answers(row: dict[str, Any] | None, query: Query, draw: int) -> bool:
    """Whether a row is a reply to the query. In those of earlier versions all draws answer the captions of the first,
    and they do not say which."""
    if row is None:
        return False
    return row.get("caption", _caption(query) if draw == 0 else None) == _caption(query)


def _prediction_of(row: dict[str, Any], query: Query) -> Prediction:
    """A reply that an interrupted evaluation left."""
    prediction = Prediction(row["id"], row["draw"], _caption(query), row["text"], finished=row["finished"])
    return from_reply(prediction, query.task)
