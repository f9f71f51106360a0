"""How we talk with a language model about motion: queries become prompts, replies become rollouts."""

from collections.abc import Sequence

import numpy as np

from models.language.prompts import PromptStyle, Query, parse_reply, render_query
from models.language.rollout import Rollout
from models.language.vocabulary import MotionVocabulary
from models.tokenizer.motion_tokenizer import MotionTokenizer


def rollouts_of(
    queries: Sequence[Query],
    replies: Sequence[Sequence[int]],
    vocabulary: MotionVocabulary,
    motion_tokenizer: MotionTokenizer,
    style: PromptStyle,
    references: Sequence[tuple[str, ...]] | None = None,
) -> list[Rollout]:
    """Parse replies (token ids, end of sequence included when reached) and decode their motions in one batch."""
    texts = [vocabulary.decode(ids) for ids in replies]
    parsed = [parse_reply(text, query.task) for text, query in zip(texts, queries, strict=True)]
    codes = [
        (reply.codes if query.task == "t2m" else query.codes) for reply, query in zip(parsed, queries, strict=True)
    ]
    playable = [index for index, item in enumerate(codes) if item and max(item) < vocabulary.nb_code]
    motions = dict(
        zip(playable, motion_tokenizer.decode_batch([_array(codes[index]) for index in playable]), strict=True)
        if playable
        else ()
    )
    return [
        Rollout(
            task=query.task,
            caption=query.caption if query.task == "t2m" else reply.answer,
            text=text,
            reasoning=reply.reasoning,
            answer=reply.answer,
            codes=_array(codes[index]) if codes[index] else None,
            motion=motions.get(index),
            reference=references[index] if references is not None else None,
            finished=vocabulary.eos_id in replies[index],
            query=render_query(query, style),
            token_ids=tuple(replies[index]),
            id=query.id,
        )
        for index, (query, reply, text) in enumerate(zip(queries, parsed, texts, strict=True))
    ]


def _array(codes: Sequence[int]) -> np.ndarray:
    return np.asarray(codes, dtype=np.int64)
