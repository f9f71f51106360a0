"""How we talk with a language model about motion: queries become prompts, replies become rollouts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.language.prompts import PromptStyle, Query, render_query
from models.language.replies import parse_reply
from models.language.rollout import Rollout
from models.language.vocabulary import MotionVocabulary
from models.tokenizer.motion_tokenizer import MotionTokenizer


@dataclass(frozen=True, eq=False)
class MotionLanguage:
    """The words, the prompts and the motions that a policy and its user share.

    Attributes:
        vocabulary: text tokenizer with motion tokens.
        motion_tokenizer: turns codes into motion; None where it is not known, as in SFT on codes of unknown origin.
        style: what stands around a question.
    """

    vocabulary: MotionVocabulary
    motion_tokenizer: MotionTokenizer | None
    style: PromptStyle

    def prompt(self, query: Query) -> str:
        """The text that the model is asked with, ending in ``<think>``."""
        return render_query(query, self.style)

    def ask(self, query: Query) -> list[int]:
        """The prompt as token ids, nothing added at the ends."""
        return self.vocabulary.encode(self.prompt(query))

    def read(
        self,
        queries: Sequence[Query],
        replies: Sequence[Sequence[int]],
        references: Sequence[tuple[str, ...]] | None = None,
    ) -> list[Rollout]:
        """Parse each reply once, and decode all their motions in one batch.

        Args:
            queries: what was asked.
            replies: token ids of the reply to each, what the query gave of it and a reached end of sequence included.
            references: the true captions of each; they go into the rollouts.
        """
        texts = [self.vocabulary.decode(ids) for ids in replies]
        parsed = [parse_reply(text, query.task) for text, query in zip(texts, queries, strict=True)]
        codes = [
            reply.codes if query.task == "t2m" else query.codes for reply, query in zip(parsed, queries, strict=True)
        ]
        motions = self._motions(codes)
        # What rewards, metrics and searches look at.
        return [
            Rollout(
                task=query.task,
                caption=query.caption if query.task == "t2m" else reply.answer,
                text=text,
                reasoning=reply.reasoning,
                answer=reply.answer,
                codes=_array(own) if own else None,
                motion=motion,
                reference=references[index] if references is not None else None,
                finished=self.vocabulary.eos_id in replies[index],
                query=self.prompt(query),
                token_ids=tuple(replies[index]),
                given_tokens=len(query.begun),
                id=query.id,
                problem=reply.problem,
            )
            for index, (query, reply, text, own, motion) in enumerate(
                zip(queries, parsed, texts, codes, motions, strict=True)
            )
        ]

    def _motions(self, codes: Sequence[Sequence[int] | None]) -> list[np.ndarray | None]:
        """Features (T, D) of each code sequence; None where there is no code, or one that the codebook lacks.

        Equal sequences are decoded once, and have the same array.
        """
        if self.motion_tokenizer is None:
            return [None] * len(codes)
        names = [tuple(own) if own and max(own) < self.vocabulary.nb_code else None for own in codes]
        distinct = [name for name in dict.fromkeys(names) if name is not None]
        decoded = self.motion_tokenizer.decode_batch([_array(name) for name in distinct]) if distinct else []
        motions = dict(zip(distinct, decoded, strict=True))
        return [None if name is None else motions[name] for name in names]


def _array(codes: Sequence[int]) -> np.ndarray:
    return np.asarray(codes, dtype=np.int64)
