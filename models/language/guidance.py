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

_TAGS_AND_END = 6  # </think> <answer> <Motion> </Motion> </answer> and the end of sequence


@dataclass(frozen=True)
class Wanted:
    """What one reply must be like.

    Attributes:
        task: ``t2m`` or ``m2t``.
        start: codes that the motion begins with.
        min_codes, max_codes: length of the motion, `start` included.
        max_words: tokens of the reasoning, and of a caption.
    """

    task: str
    start: tuple[int, ...] = ()
    min_codes: int = 1
    max_codes: int = 50
    max_words: int = 200

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
        self._is_code: Tensor | None = None
        self._is_word: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(B, L) ids so far and (B, V) scores -> (B, V) scores, minus infinity where a token may not follow."""
        if self._is_code is None:
            self._is_code = torch.zeros(scores.shape[1], dtype=torch.bool, device=scores.device)
            self._is_code[self._codes] = True
            self._is_word = ~self._is_code
            self._is_word[[*self._ids.values(), *self._special]] = False
        said = input_ids[:, self._prompt_length :]
        allowed = torch.stack([self._row(ids, wanted) for ids, wanted in zip(said, self._wanted, strict=True)])
        return scores.masked_fill(~allowed, -torch.inf)

    def _row(self, said: Tensor, wanted: Wanted) -> Tensor:
        """(V,) what may follow (L,) ids that one reply has so far."""
        ids = self._ids
        place = {marker: index for index, marker in enumerate(self._tags(wanted))}
        tags = [place[marker] for marker, id in ids.items() if marker in place and bool((said == id).any())]
        done = max(tags, default=-1)  # the last tag that was said
        following = self._tags(wanted)[done + 1] if done + 1 < len(place) else None
        if following is None:
            return self._only(self._eos)
        length = len(said)
        if following == THINK_CLOSE:
            return self._words_or(THINK_CLOSE, length, wanted.max_words, may_end=True)
        if following == MOTION_CLOSE:
            return self._motion(int(self._is_code[said].sum()), wanted)
        if following == ANSWER_CLOSE and wanted.task == "m2t":
            opened = int((said == ids[ANSWER_OPEN]).nonzero()[-1]) + 1
            return self._words_or(ANSWER_CLOSE, length - opened, wanted.max_words, may_end=length > opened)
        return self._only(ids[following])

    @staticmethod
    def _tags(wanted: Wanted) -> tuple[str, ...]:
        """The tags of a reply, in order."""
        motion = (MOTION_OPEN, MOTION_CLOSE) if wanted.task == "t2m" else ()
        return (THINK_CLOSE, ANSWER_OPEN, *motion, ANSWER_CLOSE)

    def _only(self, id: int) -> Tensor:
        allowed = torch.zeros_like(self._is_code)
        allowed[id] = True
        return allowed

    def _words_or(self, tag: str, said: int, most: int, may_end: bool) -> Tensor:
        """Text, or the tag that ends it; that alone after `most` tokens."""
        if said >= most:
            return self._only(self._ids[tag])
        allowed = self._is_word.clone()
        allowed[self._ids[tag]] = may_end
        return allowed

    def _motion(self, codes: int, wanted: Wanted) -> Tensor:
        if codes < len(wanted.start):
            return self._only(self._codes[wanted.start[codes]])
        if codes >= wanted.max_codes:
            return self._only(self._ids[MOTION_CLOSE])
        allowed = self._is_code.clone()
        allowed[self._ids[MOTION_CLOSE]] = codes >= wanted.min_codes
        return allowed
