"""One answer of the language model, parsed: what rewards, metrics and Chain-of-Motion look at."""

from dataclasses import dataclass, field

import numpy as np


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
        motion: (T, D) float32 denormalised features of `codes`; None without codes.
        reference: the true caption(s) or None. Only rewards with ``needs_reference`` and metrics may read it.
        finished: the reply ended by itself (end of sequence), not by the length limit.
        query: the rendered prompt.
        token_ids: (L,) ids of the reply as sampled.
        id: clip id where known.
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
    id: str = ""
