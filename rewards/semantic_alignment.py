"""`semantic`: does the answer say what the reference says? Cosine of sentence embeddings."""

from collections.abc import Sequence

from models.language.rollout import Rollout
from rewards.base import Reward, RewardContext
from rewards.cache import ResultCache
from rewards.text_models import SentenceEncoder
from utils.errors import InputError

WORST = -1.0


class SemanticAlignment(Reward):
    """Cosine of answer and reference in [-1, 1], the best of several references; -1 for a reply without an answer."""

    name = "semantic"
    tasks = ("m2t",)
    needs_reference = True

    def __init__(self, context: RewardContext) -> None:
        super().__init__(context)
        if not context.semantic_model_name:
            raise InputError("reward 'semantic' needs a sentence-embedding model: give --semantic-model-name")
        self._encoder = SentenceEncoder(context.semantic_model_name, context.device, context.max_batch_size)

    def caches(self) -> dict[str, ResultCache]:
        return {"sentences": self._encoder.cache}

    def score_applicable(self, rollouts: Sequence[Rollout]) -> list[float]:
        answers = [(rollout.answer or "").strip() for rollout in rollouts]
        usable = [index for index, answer in enumerate(answers) if answer]
        texts = [answers[index] for index in usable]
        for index in usable:
            texts.extend(rollouts[index].reference)
        scores = [WORST] * len(rollouts)
        if not usable:
            return scores
        embeddings = self._encoder.embed(texts)
        start = len(usable)
        for row, index in enumerate(usable):
            stop = start + len(rollouts[index].reference)
            best = (embeddings[start:stop] @ embeddings[row]).max().item()
            scores[index] = max(-1.0, min(1.0, best))
            start = stop
        return scores
