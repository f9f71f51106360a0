"""One answer of the language model, parsed: what rewards, metrics and Chain-of-Motion look at."""

from dataclasses import dataclass, field

import numpy as np

from models.language.replies import parse_reply

# Says that a rollout was made by hand, without what the parser found.
_NOT_PARSED = "not parsed"


@dataclass(frozen=True)
class Rollout:
    """A reply and all that is needed to judge it.

    Attributes:
        task: ``t2m`` or ``m2t``.
        caption: the query's caption for t2m; the parsed answer for m2t (None when the reply has none).
        text: the whole reply as generated, without the end-of-sequence token.
        reasoning: text before ``</think>``; None when the reply is malformed there.
        answer: text inside ``<answer>``; None when the reply is malformed there.
        codes: (N,) int64 codebook indices. t2m: those of the reply (None when there are none). m2t: the given ones.
        motion: (T, D) float32 denormalised features of `codes`; None without codes that can be played.
        reference: the true caption(s) or None. Only rewards with ``needs_reference`` and metrics may read it.
        finished: the reply ended by itself (end of sequence), not by the length limit.
        query: the rendered prompt.
        token_ids: (L,) ids of the reply as sampled.
        given_tokens: how many of them were not sampled, but given with the query.
        id: clip id where known.
        problem: why `text` breaks the grammar of replies (`models.language.replies`), None where it keeps it. Who has
            parsed the text says it; otherwise it is read from `text`.
    """

    task: str
    caption: str | None
    text: str
    reasoning: str | None
    answer: str | None
    codes: np.ndarray | None
    motion: np.ndarray | None
    reference: tuple[str, ...] | None = None
    finished: bool = True
    query: str = ""
    token_ids: tuple[int, ...] = field(default=(), repr=False)
    given_tokens: int = 0
    id: str = ""
    problem: str | None = _NOT_PARSED

    def __post_init__(self) -> None:
        if self.problem == _NOT_PARSED:
            object.__setattr__(self, "problem", parse_reply(self.text, self.task).problem)

    @property
    def drawn_tokens(self) -> int:
        """What it cost to generate."""
        return len(self.token_ids) - self.given_tokens

    @property
    def well_formed(self) -> bool:
        """The reply ended by itself and keeps the grammar of replies to its task."""
        return self.finished and self.problem is None
