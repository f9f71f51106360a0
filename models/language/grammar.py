"""A grammar mask for sampling: inside ``<Motion>`` of a reply only codes, then the tags that end the reply.

It is for training by reinforcement, where a young policy wastes most replies on broken motions. The log-probabilities
that such training uses are those of the policy without the mask, so what is sampled under it is slightly off-policy.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, PreTrainedModel

from dataset.captions.tags import ANSWER_CLOSE, MOTION_CLOSE, MOTION_OPEN
from models.language.vocabulary import MotionVocabulary

# Where a reply stands; row of the table of what may follow.
_FREE, _OPENED, _INSIDE, _CLOSED, _ANSWERED = range(5)


class MotionGrammar(LogitsProcessor):
    """Forbids what breaks a motion once it is begun; outside motions it changes no score.

    ``<Motion>`` is followed by a code, a code by a code or ``</Motion>``, that by ``</answer>``, and ``</answer>`` by
    the end of sequence. Only what was generated counts: the prompt of m2t holds a motion too. To be put before
    temperature and nucleus, so that these see the distribution over what is allowed.

    Args:
        vocabulary: whose tokens these are.
        prompt_length: columns of the (padded) prompt, the same in all rows.
    """

    def __init__(self, vocabulary: MotionVocabulary, prompt_length: int) -> None:
        self._open, self._close, self._answered = map(vocabulary.marker_id, (MOTION_OPEN, MOTION_CLOSE, ANSWER_CLOSE))
        self._allowed = {
            _OPENED: vocabulary.code_ids,
            _INSIDE: [*vocabulary.code_ids, self._close],
            _CLOSED: [self._answered],
            _ANSWERED: [vocabulary.eos_id],
        }
        self._prompt_length = prompt_length
        self._forbidden: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(B, L) ids so far and (B, V) scores -> (B, V) scores, minus infinity where a token may not follow."""
        said = input_ids[:, self._prompt_length :]
        if said.shape[1] == 0:
            return scores
        if self._forbidden is None:
            self._forbidden = self._table(scores)
        return scores.masked_fill(self._forbidden[self._states(said)], -torch.inf)

    def keep(self, rows: Tensor) -> None:
        """Nothing is known of a row but its ids."""

    def _states(self, said: Tensor) -> Tensor:
        """(B, L) generated ids, L > 0 -> (B,) where each reply stands."""
        places = torch.arange(1, said.shape[1] + 1, device=said.device)
        opened, closed = (((said == marker) * places).amax(dim=1) for marker in (self._open, self._close))
        last = said[:, -1]
        states = torch.full_like(last, _FREE)
        states[opened > closed] = _INSIDE
        states[last == self._open] = _OPENED
        states[(last == self._close) & (opened > 0)] = _CLOSED  # one that closes nothing is a word like others
        states[last == self._answered] = _ANSWERED
        return states

    def _table(self, scores: Tensor) -> Tensor:
        """(states, V) True where a token may not follow."""
        table = torch.ones(len(self._allowed) + 1, scores.shape[1], dtype=torch.bool, device=scores.device)
        table[_FREE] = False
        for state, ids in self._allowed.items():
            table[state, ids] = False
        return table


@contextmanager
def constrained_generation(model: PreTrainedModel, vocabulary: MotionVocabulary) -> Iterator[None]:
    """While inside, `model.generate` samples under `MotionGrammar`.

    As `processed_generation`, before all other processors.
    """
    with processed_generation(model, lambda length, others: [MotionGrammar(vocabulary, length), *others]):
        yield


@contextmanager
def processed_generation(
    model: PreTrainedModel, change: Callable[[int, LogitsProcessorList], list[LogitsProcessor]]
) -> Iterator[None]:
    """While inside, `model.generate` uses the processors that `change` makes of the length of the prompt and its own.

    For callers of `generate` that cannot be handed a logits processor (trl). `model` is the language model itself, not
    an adapter around it; continuous batching samples elsewhere and does not come by here.
    """
    make = model._get_logits_processor
    outer = vars(model).get("_get_logits_processor")

    def make_changed(*, input_ids_seq_length: int, **named: Any) -> LogitsProcessorList:
        others = make(input_ids_seq_length=input_ids_seq_length, **named)
        return LogitsProcessorList(change(input_ids_seq_length, others))

    model._get_logits_processor = make_changed
    try:
        yield
    finally:
        if outer is None:
            del model._get_logits_processor  # the class's own is visible again
        else:
            model._get_logits_processor = outer
