"""trl's GRPOTrainer with our prompts, our order of prompts, merged weights in sampling, and the grammar mask."""

import math
from contextlib import nullcontext
from typing import Any

from datasets import Dataset
from peft import PeftModel
from trl import GRPOConfig, GRPOTrainer
from trl.trainer.utils import RepeatSampler

from models.language.grammar import constrained_generation
from models.language.vocabulary import MotionVocabulary
from rewards.grpo.logs import ADVANTAGE, TEXT, advantage_summary
from rewards.grpo.reflection import Reflections
from rewards.grpo.sampling import merged_adapter
from utils.errors import InputError


class RenderedPromptTrainer(GRPOTrainer):
    """trl's trainer, but prompts become ids as everywhere else here: whole, with nothing added at the ends.

    Left alone it lets a tokenizer put its beginning-of-sequence token in front, which SFT and evaluation do not.

    Attributes:
        vocabulary: of the policy; to be set before training.
        constrain_grammar: sample motions under `models.language.grammar`. Log-probabilities stay those without it.
        reflections: turns some prompts of each step into reflections; None for none.
        advantage_clip: advantages are clipped to +- this; None: not. A single malformed reply earns so much less than
            its group that it can make up most of a batch's gradient.
    """

    vocabulary: MotionVocabulary
    constrain_grammar: bool = False
    reflections: Reflections | None = None
    advantage_clip: float | None = None

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        if self.reflections is not None:
            inputs = self.reflections.rewrite(inputs, self.state.global_step, self._one_reply_each)
        batch = super()._generate_and_score_completions(inputs)
        for name, value in advantage_summary(self._logs["advantages"]).items():
            self._metrics["train"][name].append(value)
        if self.advantage_clip is not None:
            batch["advantages"] = batch["advantages"].clamp(-self.advantage_clip, self.advantage_clip)
        return batch

    def _one_reply_each(self, prompts: list[str]) -> list[list[int]]:
        replies, _ = self._generate_single_turn(self._tokenize_prompts(prompts)[0], None, {}, num_generations=1)
        return replies

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict]:
        return [self.vocabulary.encode(prompt) for prompt in prompts], None, {}

    def _generate_single_turn(self, *given: Any, **named: Any) -> tuple[list[list[int]], list[list[float]] | None]:
        policy = self.accelerator.unwrap_model(self.model)
        base = policy.get_base_model() if isinstance(policy, PeftModel) else policy
        grammar = constrained_generation(base, self.vocabulary) if self.constrain_grammar else nullcontext()
        # vLLM gets its weights from trl, which merges them itself.
        with nullcontext() if self.use_vllm else merged_adapter(policy), grammar:
            return super()._generate_single_turn(*given, **named)

    def _get_train_sampler(self, dataset: Dataset | None = None) -> RepeatSampler:
        sampler = super()._get_train_sampler(dataset)
        return EpochSampler(
            sampler.data_source, sampler.mini_repeat_count, sampler.batch_size, sampler.repeat_count, sampler.shuffle,
            sampler.seed,
        )  # fmt: skip

    def last_replies(self) -> list[dict[str, Any]]:
        """The replies that were scored last, of all processes, replies to one prompt in a row.

        Each with ``prompt``, ``text``, ``rewards`` (name -> unweighted score, None where it does not apply) and
        ``advantage``.
        """
        kept = self._logs
        columns = {name: list(values) for name, values in kept["rewards"].items()}
        rows = zip(kept["prompt"], kept["extra"][TEXT], kept["advantages"], strict=True)
        return [
            {
                "prompt": prompt,
                "text": text,
                "rewards": {name: _or_none(values[index]) for name, values in columns.items()},
                ADVANTAGE: advantage,
            }
            for index, (prompt, text, advantage) in enumerate(rows)
        ]


class EpochSampler(RepeatSampler):
    """trl's order of prompts as a function of seed and epoch.

    trl's own goes on with its generator from epoch to epoch, so that a resumed run would see the prompts in another
    order than a straight one. The trainer calls `set_epoch` at the start of every epoch.
    """

    def set_epoch(self, epoch: int) -> None:
        if self.shuffle:
            self.generator.manual_seed(self.seed + epoch)


def check_can_constrain(config: GRPOConfig) -> None:
    """Raise InputError where the grammar mask would silently do nothing."""
    if config.use_vllm:
        raise InputError(
            "--constrain-grammar does not reach vLLM: leave it out, and give vllm_structured_outputs_regex in "
            "--trainer-config"
        )
    if config.use_transformers_continuous_batching:
        raise InputError("--constrain-grammar does not reach transformers' continuous batching: leave one of them out")


def _or_none(score: float) -> float | None:
    return None if math.isnan(score) else score
