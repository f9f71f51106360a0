"""Generated captions are scored: BLEU, ROUGE-L and CIDEr, with the values of the field's scorers: pycocoevalcap 1.2,
and nlg-eval where words are split at blanks.

BLEU's counts come from sacrebleu. For ROUGE-L and CIDEr no maintained scorer gives the field's variants without
Java or heavy dependencies (pycocoevalcap is a 104 MB archive of Java tools, last released in 2020), so they are here.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from sacrebleu.metrics.bleu import BLEU

from utils.metrics.ptb_tokenizer import ptb_tokens

MAX_ORDER = 4
ROUGE_BETA = 1.2  # above 1 recall weighs more than precision
CIDER_SIGMA = 6.0  # of the penalty for another length
CIDER_SCALE = 10.0
Tokens = list[str]
Split = Callable[[str], Tokens]  # `ptb_tokens` of pycocoevalcap, or `str.split` of nlg-eval


def caption_scores(
    predictions: Sequence[str], references: Sequence[Sequence[str]], split: Split = ptb_tokens
) -> dict[str, float]:
    """Corpus scores of N raw captions, each with at least one raw reference.

    An empty prediction counts as a failed one: it earns nothing, and nothing is left out of the mean. CIDEr weighs
    words by how many of the N reference sets hold them, so it is 0 for N = 1 and depends on the whole corpus.

    Args:
        split: a text into words.

    Returns:
        ``BLEU@1`` .. ``BLEU@4``, ``ROUGE-L`` as fractions and ``CIDEr`` on pycocoevalcap's scale (0 to 10).
    """
    candidates, gold = _tokenized(predictions, references, split)
    of_bleu = bleu_of(_bleu_counts(candidates, gold).sum(axis=0))
    scores = {f"BLEU@{order}": float(value) for order, value in enumerate(of_bleu, start=1)}
    return scores | {name: float(values.mean()) for name, values in _per_sample(candidates, gold).items()}


def caption_scores_per_sample(
    predictions: Sequence[str], references: Sequence[Sequence[str]], split: Split = ptb_tokens
) -> dict[str, np.ndarray]:
    """``ROUGE-L`` and ``CIDEr`` of each of N captions, (N,) float64; their means are the values of `caption_scores`.

    For paired comparisons of two systems on the same references (CIDEr still weighs words by all N of them). BLEU is
    left out: it is made of counts over the corpus, and a sentence's own BLEU@4 is 0 without a common 4-gram.
    """
    return _per_sample(*_tokenized(predictions, references, split))


def _tokenized(
    predictions: Sequence[str], references: Sequence[Sequence[str]], split: Split
) -> tuple[list[Tokens], list[list[Tokens]]]:
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions but {len(references)} sets of references")
    if not predictions:
        raise ValueError("no predictions to score")
    for index, texts in enumerate(references):
        if not texts or isinstance(texts, str):
            raise ValueError(f"prediction {index} needs a non-empty list of references, not {texts!r}")
    return [split(text) for text in predictions], [[split(text) for text in texts] for texts in references]


def _per_sample(candidates: Sequence[Tokens], gold: Sequence[Sequence[Tokens]]) -> dict[str, np.ndarray]:
    """The scores that are means of one value per sample, (N,) each."""
    return {"ROUGE-L": np.array(list(map(_rouge_l, candidates, gold))), "CIDEr": np.array(_cider(candidates, gold))}


def bleu_counts(
    predictions: Sequence[str], references: Sequence[Sequence[str]], split: Split = ptb_tokens
) -> np.ndarray:
    """(N, 10) float64 for each of N captions: matched n-grams of orders 1 to 4, all of its n-grams of these orders, its
    length, the length of its closest reference. BLEU is made of their sums (`bleu_of`)."""
    return _bleu_counts(*_tokenized(predictions, references, split))


def _bleu_counts(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> np.ndarray:
    scorer = BLEU(tokenize="none", smooth_method="none", max_ngram_order=MAX_ORDER, force=True, effective_order=True)
    rows = []
    for tokens, texts in zip(candidates, references, strict=True):
        found = scorer.sentence_score(" ".join(tokens), [" ".join(text) for text in texts])
        rows.append([*found.counts, *found.totals, found.sys_len, found.ref_len])
    return np.array(rows, dtype=np.float64)


def bleu_of(counts: np.ndarray) -> np.ndarray:
    """(..., 10) sums of `bleu_counts` over a corpus -> (..., 4) BLEU of orders 1 to 4: closest reference length, no
    smoothing."""
    matched, total, ours, theirs = counts[..., :4], counts[..., 4:8], counts[..., 8:9], counts[..., 9:]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(matched > 0, np.log(matched / total), -np.inf)
        brevity = np.where(ours >= theirs, 1.0, np.where(ours > 0, np.exp(1 - theirs / ours), 0.0))
    return brevity * np.exp(logs.cumsum(axis=-1) / np.arange(1, MAX_ORDER + 1))


def _rouge_l(candidate: Tokens, references: Sequence[Tokens]) -> float:
    """F-measure (beta 1.2) of the best precision and the best recall of the longest common subsequence."""
    common = [_common_length(candidate, reference) for reference in references]
    if not any(common):
        return 0.0
    precision = max(common) / len(candidate)
    recall = max(length / len(reference) for length, reference in zip(common, references, strict=True) if reference)
    return (1 + ROUGE_BETA**2) * precision * recall / (recall + ROUGE_BETA**2 * precision)


def _common_length(first: Tokens, second: Tokens) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for token in first:
        diagonal = 0
        for column, other in enumerate(second, start=1):
            diagonal, row[column] = (
                row[column],
                diagonal + 1 if token == other else max(row[column], row[column - 1]),
            )
    return row[-1]


def _ngrams(tokens: Tokens) -> list[Counter]:
    """Counts of the n-grams of orders 1..4."""
    return [
        Counter(zip(*(tokens[start:] for start in range(order)), strict=False)) for order in range(1, MAX_ORDER + 1)
    ]


def _cider(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> list[float]:
    """CIDEr of each candidate (the clipped variant with a length penalty, CIDEr-D; Vedantam et al., CVPR 2015)."""
    # An n-gram weighs the more, the fewer reference sets hold it.
    gold = [[_ngrams(tokens) for tokens in texts] for texts in references]
    documents: Counter = Counter()
    for texts in gold:
        documents.update({gram for orders in texts for counts in orders for gram in counts})
    log_total = math.log(len(references))

    def weigh(counts: Counter) -> tuple[dict[tuple[str, ...], float], float]:
        vector = {gram: n * (log_total - math.log(max(1, documents[gram]))) for gram, n in counts.items()}
        return vector, math.sqrt(sum(value * value for value in vector.values()))

    scores = []
    for tokens, texts in zip(candidates, gold, strict=True):
        ours, total = _ngrams(tokens), 0.0
        for theirs in texts:
            # As in the field's scorer, length is the number of bigrams.
            difference = ours[1].total() - theirs[1].total()
            penalty = math.exp(-(difference**2) / (2 * CIDER_SIGMA**2))
            for mine, other in zip(map(weigh, ours), map(weigh, theirs), strict=True):
                if mine[1] > 0 and other[1] > 0:
                    product = sum(
                        min(value, other[0].get(gram, 0.0)) * other[0].get(gram, 0.0) for gram, value in mine[0].items()
                    )
                    total += penalty * product / (mine[1] * other[1])
        scores.append(CIDER_SCALE * total / (MAX_ORDER * len(texts)))
    return scores
