"""transformers draws replies here: in padded batches, every draw a function of seed, key and step alone."""

from collections.abc import Sequence

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from models.engines.decoding import Prompts, draw
from models.engines.engine import Drawn
from models.language.decoding import Sampling
from models.language.grammar import MotionGrammar
from models.language.guidance import ReplyGuide, Wanted
from models.language.sampling import SeededSampling
from models.language.vocabulary import MotionVocabulary


class TransformersEngine:
    """A model in this process.

    Args:
        model: causal language model whose vocabulary includes the motion tokens; put into evaluation mode.
        vocabulary: its tokens.
        tells: replies of a temperature above 0 come with the log-probabilities of their tokens.
    """

    label = None
    batches_at_once = 1

    def __init__(self, model: PreTrainedModel, vocabulary: MotionVocabulary, tells: bool = False) -> None:
        self.model = model.eval()
        self.vocabulary = vocabulary
        self._tells = tells

    @property
    def device(self) -> torch.device:
        return self.model.device

    def generate(
        self,
        prompts: Sequence[list[int]],
        keys: Sequence[int],
        sampling: Sampling,
        adapter: PreTrainedModel | None = None,
        wanted: Sequence[Wanted] | None = None,
        grammar: bool = False,
    ) -> list[Drawn]:
        """All prompts as one batch (see `models.engines.engine`)."""
        model = self.model if adapter is None else adapter
        model = model.get_base_model() if isinstance(model, PeftModel) else model  # its layers hold the adapter
        batch = Prompts.padded(prompts, self.vocabulary.tokenizer.pad_token_id, model.device)
        length = batch.ids.shape[1]
        steps = []
        if wanted is not None:
            steps.append(ReplyGuide(self.vocabulary, wanted, length))
        if grammar:
            steps.append(MotionGrammar(self.vocabulary, length))
        sampled = None
        if sampling.temperature > 0:
            sampled = SeededSampling(
                sampling.temperature, sampling.top_p, sampling.seed, keys, length, model.device, self._tells
            )
            steps.append(sampled)
        # What is computed for a policy in training must not become a constant of its next step.
        with torch.no_grad() if self._tells else torch.inference_mode():
            replies = draw(model, batch, steps, sampling.max_new_tokens, self.vocabulary.eos_id)
        if sampled is None or not self._tells:
            return [Drawn(reply) for reply in replies]
        told = sampled.told()
        return [Drawn(reply, row[: len(reply)]) for reply, row in zip(replies, told, strict=True)]
