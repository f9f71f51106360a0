"""`coherence`: does the answer follow from the reasoning? P(entailment) of a natural-language-inference model."""

import re
from collections.abc import Callable, Sequence

from models.rollout import Rollout
from rewards.base import Reward, RewardContext
from rewards.cache import ResultCache
from rewards.text_models import EntailmentModel
from utils.errors import InputError

WORST = 0.0
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


class ReasoningCoherence(Reward):
    """P(entailment | premise = reasoning, hypothesis = answer) in [0, 1]; 0 where either is missing.

    Reasoning too long for the model is read in windows of whole sentences, and the window that supports the answer
    best counts: nothing is cut away unread.
    """

    name = "coherence"
    tasks = ("m2t",)

    def __init__(self, context: RewardContext) -> None:
        super().__init__(context)
        if not context.nli_model_name:
            raise InputError("reward 'coherence' needs a natural-language-inference model: give --nli-model-name")
        self._model = EntailmentModel(context.nli_model_name, context.device, context.max_batch_size)

    def caches(self) -> dict[str, ResultCache]:
        return {"entailments": self._model.cache}

    def score_applicable(self, rollouts: Sequence[Rollout]) -> list[float]:
        pairs: list[tuple[str, str]] = []
        owners: list[int] = []
        for index, rollout in enumerate(rollouts):
            reasoning, answer = (rollout.reasoning or "").strip(), (rollout.answer or "").strip()
            if reasoning and answer:
                windows = sentence_windows(reasoning, answer, self._model)
                pairs.extend((window, answer) for window in windows)
                owners.extend([index] * len(windows))
        scores = [WORST] * len(rollouts)
        for index, probability in zip(owners, self._model.probabilities(pairs), strict=True):
            scores[index] = max(scores[index], probability)
        return scores


def sentence_windows(reasoning: str, answer: str, model: EntailmentModel) -> list[str]:
    """Runs of whole sentences that fit the model beside `answer`, together covering `reasoning`."""

    def fits(text: str) -> bool:
        return model.count_tokens(text, answer) <= model.max_tokens

    if fits(reasoning):
        return [reasoning]
    windows: list[str] = []
    for sentence in filter(None, (part.strip() for part in _SENTENCE_END.split(reasoning))):
        for piece in _pieces(sentence, fits):
            longer = f"{windows[-1]} {piece}" if windows else piece
            if windows and fits(longer):
                windows[-1] = longer
            else:
                windows.append(piece)
    return windows


def _pieces(sentence: str, fits: Callable[[str], bool]) -> list[str]:
    """The sentence itself, or its halves (by words, and so on) where it is too long alone."""
    words = sentence.split()
    if len(words) < 2 or fits(sentence):
        return [sentence]
    middle = len(words) // 2
    return _pieces(" ".join(words[:middle]), fits) + _pieces(" ".join(words[middle:]), fits)
