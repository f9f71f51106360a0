"""BERTScore (Zhang et al., ICLR 2020) matches the words of captions by contextual embeddings, weighted by idf.

The values are those of the package bert-score 0.3.13 with `lang="en", idf=True, rescale_with_baseline=True`, as
motion-to-text papers report it. The package itself was last released in February 2023, calls tokenizer methods that
transformers 5 removed and brings pandas and matplotlib along, so the metric is here.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from utils.errors import InputError
from utils.files.pretrained import load_part, load_weights
from utils.progress import Progress

DEFAULT_MODEL = "roberta-large"
# Model -> its layer that follows human judgement best, and the mean F1 of that layer over unrelated English sentences.
# Source: bert-score 0.3.13, model2layers and rescale_baseline/en/roberta-large.tsv.
PUBLISHED_LAYERS = {"roberta-large": (17, 0.83122575)}
# Tokenizers that tell the first word of a sentence from other words; bert-score encodes all words alike.
_SPACE_BEFORE_FIRST_WORD = ("roberta", "gpt2")
_DEFAULT_POSITIONS = 512
_RESERVED_POSITIONS = 2  # roberta counts positions from 2

Pieces = tuple[int, ...]


class BertScoreUnavailable(InputError):
    """The model behind BERTScore cannot be loaded: the metric is not computed (which is not 0)."""


class BertScorer:
    """Computes BERTScore with one layer of one model, with idf over the references of the corpus.

    Args:
        tokenizer, model: of transformers; the model is cut after the layer, on its device and in evaluation mode.
        label: names how the numbers were made, e.g. `roberta-large_L17_idf_rescaled`.
        baseline: F1 of unrelated sentences, which becomes 0; None leaves cosines as they are.
        batch_size: captions sent through the model at once.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        model: torch.nn.Module,
        label: str,
        baseline: float | None = None,
        batch_size: int = 64,
    ) -> None:
        self._tokenizer, self._model, self._batch_size = tokenizer, model, batch_size
        self.label, self.baseline = label, baseline
        positions = model.config.to_dict().get("max_position_embeddings", _DEFAULT_POSITIONS)
        self._max_pieces = min(tokenizer.model_max_length, positions - _RESERVED_POSITIONS)
        self._prefix = " " if model.config.model_type in _SPACE_BEFORE_FIRST_WORD else ""
        self._special = self._encode("")

    @classmethod
    def load(
        cls,
        place: str = DEFAULT_MODEL,
        name: str | None = None,
        layer: int | None = None,
        device: str | torch.device = "cpu",
        batch_size: int = 64,
    ) -> "BertScorer":
        """Load a model.

        Args:
            place: folder or hub id, for transformers.
            name: of the model, where it is not the end of `place` (e.g. for a folder of the hub's cache).
            layer: from 1; by default the published one of the model, else its last.

        Raises:
            BertScoreUnavailable: there is no such model, or it cannot be reached.
            InputError: the model has no such layer, or is no encoder.
        """
        name = PurePath(name or place).name
        published_layer, baseline = PUBLISHED_LAYERS.get(name, (None, None))
        config = _available(load_part, AutoConfig, place)
        if config.is_encoder_decoder:
            raise InputError(f"BERTScore: {name} is not an encoder alone")
        depth = getattr(config, "num_hidden_layers", 0)
        layer = layer if layer is not None else published_layer or depth
        if not 1 <= layer <= depth:
            raise InputError(f"BERTScore: {name} has layers 1 to {depth}, not {layer}")
        tokenizer = _available(load_part, AutoTokenizer, place)
        # Layers behind it are not even read.
        sizes = {"num_hidden_layers": layer, "dtype": torch.float32}
        model = _available(load_weights, AutoModel, place, optional=("pooler.",), **sizes)
        if layer != published_layer:
            baseline = None
        label = f"{name}_L{layer}_idf_{'not-rescaled' if baseline is None else 'rescaled'}"
        return cls(tokenizer, model.to(device).eval().requires_grad_(False), label, baseline, batch_size)

    def score(
        self, predictions: Sequence[str], references: Sequence[Sequence[str]], progress: str | None = None
    ) -> np.ndarray:
        """F1 of each of N captions with its best reference, (N,) float64; the corpus value is the mean.

        An empty prediction (or reference) matches nothing: 0 before rescaling, as in bert-score, so well below 0
        after it (-4.9 with roberta-large). Word pieces that all references hold weigh nothing; a caption of nothing
        else (a corpus of one reference, say) is weighed evenly, where bert-score gives up and says 0.

        Args:
            predictions: captions.
            references: at least one for each prediction; idf counts all of them, repeated ones too.
            progress: label of a progress bar; None for none.
        """
        if len(predictions) != len(references):
            raise ValueError(f"{len(predictions)} predictions but {len(references)} sets of references")
        gold = [[self._encode(text) for text in texts] for texts in references]
        candidates = [self._encode(text) for text in predictions]
        idf = _Idf([pieces for texts in gold for pieces in texts])
        scores = []
        with Progress(total=len(candidates), desc=progress, unit="caption", disable=progress is None) as bar:
            for start in range(0, len(candidates), self._batch_size):
                rows = slice(start, start + self._batch_size)
                known = self._embed({*candidates[rows], *(pieces for texts in gold[rows] for pieces in texts)})
                for own, texts in zip(candidates[rows], gold[rows], strict=True):
                    scores.append(max(self._f1(own, pieces, known, idf) for pieces in texts))
                bar.update(len(candidates[rows]))
        raw = np.array(scores)
        return raw if self.baseline is None else (raw - self.baseline) / (1 - self.baseline)

    def _encode(self, text: str) -> Pieces:
        """The word pieces of a text, with the model's special pieces around them."""
        text = text.strip()
        text = self._prefix + text if text else text
        return tuple(self._tokenizer(text, truncation=True, max_length=self._max_pieces)["input_ids"])

    @torch.no_grad()
    def _embed(self, captions: set[Pieces]) -> dict[Pieces, torch.Tensor]:
        """(P, E) unit vectors on the CPU for each caption of P pieces."""
        order = sorted(captions, key=lambda pieces: (len(pieces), pieces))  # alike lengths together: less padding
        embedded = {}
        for start in range(0, len(order), self._batch_size):
            chosen = order[start : start + self._batch_size]
            ids = pad_sequence(
                [torch.tensor(pieces) for pieces in chosen],
                batch_first=True,
                padding_value=self._tokenizer.pad_token_id or 0,
            )
            lengths = torch.tensor([len(pieces) for pieces in chosen])
            mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
            output = self._model(input_ids=ids.to(self._model.device), attention_mask=mask.to(self._model.device))
            hidden = functional.normalize(output.last_hidden_state, dim=-1).cpu()
            embedded.update((pieces, hidden[row, : len(pieces)]) for row, pieces in enumerate(chosen))
        return embedded

    def _f1(self, own: Pieces, other: Pieces, known: dict[Pieces, torch.Tensor], idf: "_Idf") -> float:
        """F1 of two texts by the embeddings in `known`; 0 where one of them is empty."""
        if min(len(own), len(other)) <= len(self._special):
            return 0.0
        similarity = known[own] @ known[other].T
        # As in bert-score, the special pieces weigh nothing, but a word may find its best match in one.
        precision = float(similarity.max(dim=1).values @ self._weights(own, idf))
        recall = float(similarity.max(dim=0).values @ self._weights(other, idf))
        return 2 * precision * recall / (precision + recall) if min(precision, recall) > 0 else 0.0

    def _weights(self, pieces: Pieces, idf: "_Idf") -> torch.Tensor:
        """(P,) weights of sum 1."""
        weights = torch.tensor([idf.weight(piece) for piece in pieces])
        if not weights.sum() > 0:
            weights = torch.tensor([float(piece not in self._special) for piece in pieces])
        return weights / weights.sum()


class _Idf:
    """log((N + 1) / (n + 1)) for a piece that n of the N references hold; the special pieces, which all hold, get 0."""

    def __init__(self, references: Sequence[Pieces]) -> None:
        self._total = len(references)
        self._holding = Counter(piece for pieces in references for piece in set(pieces))

    def weight(self, piece: int) -> float:
        return math.log((self._total + 1) / (self._holding[piece] + 1))


def _available(load: Callable[..., Any], auto_class: Any, place: str, **loading: Any) -> Any:
    try:
        return load(auto_class, place, **loading)
    except InputError as error:
        raise BertScoreUnavailable(f"BERTScore: model {place!r} cannot be loaded: {error}") from None
