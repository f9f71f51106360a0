"""Guided sampling: every reply is well formed, and its motion begins as wanted and is exactly as long as wanted.

`models.language.grammar` only keeps a motion whole once it is begun, as training wants it. Here all of a reply is
guided: reasoning without tags, the tags in their order, a motion that starts with given codes and has a number of codes
between two bounds (m2t: a caption without tags), the end. For whoever asks a trained model for a motion; evaluations do
not use it, since it would hide what a model gets wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LogitsProcessor

from dataset.captions.tags import ANSWER_CLOSE, ANSWER_OPEN, MARKERS, MOTION_CLOSE, MOTION_OPEN, THINK_CLOSE
from models.language.vocabulary import MotionVocabulary
from utils.errors import InputError

# What may follow: all of one kind, and one id beside (None: none).
_NOTHING, _WORDS, _CODES = "nothing", "words", "codes"
_Allowed = tuple[str, int | None]

_TAGS_AND_END = 6  # </think> <answer> <Motion> </Motion> </answer> and the end of sequence


@dataclass(frozen=True)
class Wanted:
    """What one reply must be like.

    Attributes:
        task: ``t2m`` or ``m2t``.
        start: codes that the motion begins with.
        min_codes, max_codes: length of the motion, `start` included.
        max_words: tokens of the reasoning, and of a caption.
        begun: token ids that the reply has already, behind the prompt.
    """

    task: str
    start: tuple[int, ...] = ()
    min_codes: int = 1
    max_codes: int = 50
    max_words: int = 200
    begun: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.min_codes <= self.max_codes or self.max_codes < len(self.start) or self.max_words < 1:
            raise InputError(
                f"a motion of {self.min_codes} to {self.max_codes} codes that begins with {len(self.start)} codes "
                "cannot be: the bounds must be positive, in order, and leave room for the beginning"
            )

    @property
    def max_tokens(self) -> int:
        """Longest reply."""
        return self.max_words + (self.max_codes if self.task == "t2m" else self.max_words) + _TAGS_AND_END


class ReplyGuide(LogitsProcessor):
    """Forbids every token that would break the wanted reply. To be put before temperature and nucleus.

    Args:
        vocabulary: whose tokens these are.
        wanted: one for each row.
        prompt_length: columns of the (padded) prompt, the same in all rows.
    """

    def __init__(self, vocabulary: MotionVocabulary, wanted: Sequence[Wanted], prompt_length: int) -> None:
        self._wanted = wanted
        self._prompt_length = prompt_length
        self._ids = {marker: vocabulary.marker_id(marker) for marker in MARKERS}
        self._eos = vocabulary.eos_id
        self._special = {self._eos, *vocabulary.tokenizer.all_special_ids}
        self._codes = vocabulary.code_ids
        self._code_ids = set(self._codes)
        self._masks: dict[_Allowed, Tensor] = {}  # (V,) by what is allowed, on the device of the scores

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(B, L) ids so far and (B, V) scores -> (B, V) scores, minus infinity where a token may not follow."""
        said = input_ids[:, self._prompt_length :].tolist()  # once for all rows: what follows is decided on the host
        rows = zip(said, self._wanted, strict=True)
        allowed = [self._what_follows([*wanted.begun, *ids], wanted) for ids, wanted in rows]
        kinds = list(dict.fromkeys(allowed))
        table = torch.stack([self._mask(kind, scores) for kind in kinds])
        place = {kind: number for number, kind in enumerate(kinds)}
        rows = torch.tensor([place[kind] for kind in allowed], device=scores.device)
        return scores.masked_fill(~table[rows], -torch.inf)

    def keep(self, rows: Tensor) -> None:
        """From now on the batch has only its `rows` (M,), in this order."""
        self._wanted = [self._wanted[row] for row in rows.tolist()]

    def _mask(self, allowed: _Allowed, scores: Tensor) -> Tensor:
        """(V,) True where a token may follow; made once."""
        if allowed not in self._masks:
            many, one = allowed
            mask = torch.zeros(scores.shape[1], dtype=torch.bool)
            if many == _WORDS:
                mask[:] = True
                mask[[*self._codes, *self._ids.values(), *self._special]] = False
            elif many == _CODES:
                mask[self._codes] = True
            if one is not None:
                mask[one] = True
            self._masks[allowed] = mask.to(scores.device)
        return self._masks[allowed]

    def _what_follows(self, said: list[int], wanted: Wanted) -> _Allowed:
        """What may follow the ids that one reply has so far."""
        ids, order = self._ids, self._tags(wanted)
        done = max((place for place, marker in enumerate(order) if ids[marker] in said), default=-1)
        if done + 1 == len(order):
            return _NOTHING, self._eos
        following = order[done + 1]
        if following == THINK_CLOSE:
            return self._words_or(THINK_CLOSE, len(said), wanted.max_words, may_end=True)
        if following == MOTION_CLOSE:
            return self._motion(sum(id in self._code_ids for id in said), wanted)
        if following == ANSWER_CLOSE and wanted.task == "m2t":
            opened = len(said) - said[::-1].index(ids[ANSWER_OPEN])
            return self._words_or(ANSWER_CLOSE, len(said) - opened, wanted.max_words, may_end=len(said) > opened)
        return _NOTHING, ids[following]

    @staticmethod
    def _tags(wanted: Wanted) -> tuple[str, ...]:
        """The tags of a reply, in order."""
        motion = (MOTION_OPEN, MOTION_CLOSE) if wanted.task == "t2m" else ()
        return (THINK_CLOSE, ANSWER_OPEN, *motion, ANSWER_CLOSE)

    def _words_or(self, tag: str, said: int, most: int, may_end: bool) -> _Allowed:
        """Text, or the tag that ends it; that alone after `most` tokens."""
        return (_NOTHING if said >= most else _WORDS), (self._ids[tag] if may_end or said >= most else None)

    def _motion(self, codes: int, wanted: Wanted) -> _Allowed:
        if codes < len(wanted.start):
            return _NOTHING, self._codes[wanted.start[codes]]
        if codes >= wanted.max_codes:
            return _NOTHING, self._ids[MOTION_CLOSE]
        return _CODES, (self._ids[MOTION_CLOSE] if codes >= wanted.min_codes else None)
