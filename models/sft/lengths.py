"""How long the samples of a run are, so that budgets of tokens fit what there is to learn."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from dataset.cot.samples import CotSamples
from models.sft.config import SupervisionConfig

# Of reasonings and captions one in a thousand may be longer: a single one of a language model that did not come to an
# end must not set the budget of all. Codes are counted by the longest motion: longer samples would be dropped.
SHARE = 0.999
ROUNDED_TO = 8
_AT_ONCE = 1000
_LOOKED_AT = 256


@dataclass(frozen=True)
class Lengths:
    """In tokens, rounded up to a multiple of `ROUNDED_TO`.

    Attributes:
        reasoning: with its closing tag; without any reasoning the published budget.
        codes: of the longest motion.
        caption: of an answer of m2t.
    """

    reasoning: int
    codes: int
    caption: int


def lengths_of(files: Sequence[CotSamples], tokenizer: PreTrainedTokenizerBase) -> Lengths:
    """The lengths in some files of samples, by the text tokenizer of the backbone."""
    reasoning: list[int] = []
    caption: list[int] = []
    for samples in files:
        for batch in samples.rows.select_columns(["reasoning", "caption"]).iter(_AT_ONCE):
            reasoning += _tokens((text for text in batch["reasoning"] if text.strip()), tokenizer)
            caption += _tokens(batch["caption"], tokenizer)
    longest = max(int(samples.code_lengths().max()) for samples in files)
    budget = _share(reasoning) + 1 if reasoning else SupervisionConfig.max_reasoning_tokens
    return Lengths(_rounded(budget), _rounded(longest), _rounded(_share(caption)))


def batches_of_a_step(
    tokens: int, collator: Callable[[list[dict[str, Any]]], Mapping[str, Tensor]], rows: Dataset, samples: int
) -> int:
    """How many batches come nearest to `tokens` tokens without padding, a step of training; at least 1.

    Args:
        collator: makes a batch with ``attention_mask`` of rows.
        rows: what is trained on; some, in even steps, stand for all.
        samples: in a batch, of all processes together.
    """
    looked_at = rows.select(range(0, len(rows), max(1, len(rows) // _LOOKED_AT)))
    mean = float(collator(list(looked_at))["attention_mask"].sum()) / len(looked_at)
    return max(1, round(tokens / (mean * samples)))


def _tokens(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    kept = [text.strip() for text in texts]
    return [len(ids) for ids in tokenizer(kept, add_special_tokens=False)["input_ids"]] if kept else []


def _share(counts: Sequence[int]) -> int:
    return int(np.quantile(counts, SHARE, method="higher"))


def _rounded(count: int) -> int:
    return max(1, -(-count // ROUNDED_TO)) * ROUNDED_TO
