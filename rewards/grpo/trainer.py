"""trl's GRPOTrainer with our prompts, our scores, our order of prompts, merged weights in sampling, and our rules."""

import logging
import math
from contextlib import nullcontext
from dataclasses import asdict
from itertools import chain
from statistics import fmean
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from models.engines.engine import Engine
from models.engines.transformers_engine import TransformersEngine
from models.language.decoding import Sampling
from models.language.grammar import constrained_generation
from models.language.motion_language import MotionLanguage
from models.language.prompts import Query
from models.policy.resumable import ResumableTrainer, settings_of_trl
from rewards.grpo.epochs import EpochSampler
from rewards.grpo.logs import ADVANTAGE, TEXT, advantage_summary
from rewards.grpo.reflection import Reflections
from rewards.grpo.rules import NO_RULES, ReplyRules
from rewards.grpo.sampling import DrawnLogprobs, draws_plainly, merged_adapter, noting_draws
from rewards.grpo.scoring import Earned, GrpoRewards

# Log-probabilities of the drawn tokens in a batch: trl's name, by which it learns from them, and ours, to compare only.
_OF_TRL, _DRAWN = "sampling_per_token_logps", "drawn_logps"


class MotionGRPOTrainer(ResumableTrainer, GRPOTrainer):
    """trl's trainer, which differs here in five points.

    1. Prompts become ids as in SFT and evaluation: whole, without the beginning-of-sequence token that some
       tokenizers put in front.
    2. The replies of a step are scored once by `scorer`, before trl asks each reward function for its column.
    3. Replies are drawn by an engine of ours, from merged weights where that is exact, and under the grammar where
       `rules` say so: by seed, step and row alone. How far the sampler is from the policy that learns is logged.
    4. Some prompts become reflections, and advantages are clipped, where `rules` say so.
    5. Which prompts an epoch asks and in which order is a function of seed and epoch, so that a resumed run sees those
       of a straight one, and an epoch need not ask all.

    Args:
        language: how the policy is asked.
        scorer: judges its replies.
        rules: how the replies that are trained on are drawn and weighed.
        reflections: turns some prompts of each step into reflections; None for none.
        prompts_an_epoch: how many of the rows an epoch asks, the next ones each time; None: all.
        engine: draws the replies, and tells the log-probability of each token: what is learned from it is weighed by
            truncated importance sampling, as trl does with its own vLLM; None: transformers, from the weights that
            learn.
        args: trl's settings.
        named: further arguments of trl's trainer.
    """

    def __init__(
        self,
        *,
        language: MotionLanguage,
        scorer: GrpoRewards,
        args: GRPOConfig,
        rules: ReplyRules = NO_RULES,
        reflections: Reflections | None = None,
        prompts_an_epoch: int | None = None,
        engine: Engine | None = None,
        **named: Any,
    ) -> None:
        self._language = language
        self._scorer = scorer
        self._rules = rules
        self._reflections = reflections
        self._prompts_an_epoch = prompts_an_epoch
        self._told_of_cuts = False
        self._compared: dict[str, Any] | None = None
        text_tokenizer = language.vocabulary.tokenizer
        super().__init__(reward_funcs=scorer.functions(), args=args, processing_class=text_tokenizer, **named)
        self._engine = engine
        self._turns = (-1, 0)  # the step in which replies were drawn last, and how often in it
        # From here on it means that the sampler is another program. trl would have loaded the plain backbone into it.
        self.use_vllm = engine is not None

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        if self._reflections is not None:
            inputs = self._reflections.rewrite(inputs, self.state.global_step, self._one_reply_each)
        batch = super()._generate_and_score_completions(inputs)
        for name in ("mean", "max"):  # as sampling/logp_difference, which every engine has
            self._metrics["train"].pop(f"sampling/sampling_logp_difference/{name}", None)
        if _OF_TRL in batch:
            batch[_DRAWN] = batch[_OF_TRL] if self.use_vllm else batch.pop(_OF_TRL)
        for name, value in advantage_summary(self._logs["advantages"]).items():
            self._metrics["train"][name].append(value)
        if (limit := self._rules.advantage_clip) is not None:
            batch["advantages"] = batch["advantages"].clamp(-limit, limit)
        return batch

    def _calculate_rewards(
        self, inputs: list[dict[str, Any]], prompts: list[str], completions: list[str], completion_ids_list: list
    ) -> Tensor:
        # All columns at once, before trl asks the reward functions for theirs one by one.
        seen, cut = self._scorer.earned.replies, self._scorer.earned.cut
        numbers, columns = self._scorer.score(inputs, completion_ids_list, self._is_logged())
        self._tell_of_cuts(self._scorer.earned.replies - seen, self._scorer.earned.cut - cut)
        for name, value in numbers.items():
            self._log_metric(name, value)
        for name, values in columns.items():
            self._log_completion_extra(name, values)
        of_trl = logging.getLogger(GRPOTrainer.__module__)
        level = of_trl.level
        of_trl.setLevel(logging.ERROR)  # a reply that no reward applies to is no fault, and its share is logged
        try:
            return super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        finally:
            of_trl.setLevel(level)

    def compute_loss(self, *given: Any, **named: Any) -> Tensor:
        # What trl refuses of its settings it refuses at once; later on an error is one.
        with settings_of_trl() if self.state.global_step == 0 else nullcontext():
            return super().compute_loss(*given, **named)

    def _tell_of_cuts(self, replies: int, cut: int) -> None:
        """Warn, once, of a step whose replies were all cut at the limit of their length."""
        if replies and cut == replies and not self._told_of_cuts:
            self._told_of_cuts = True
            logging.warning(
                "step %d: all %d replies were cut at %d tokens, before their end (--max-text-len and --max-motion-len "
                "make the limit); training stops where this is so for a whole epoch",
                self.state.global_step + 1,
                replies,
                self.args.max_completion_length,
            )

    def since_log(self) -> dict[str, Any]:
        return {**super().since_log(), "earned": asdict(self._scorer.earned)}

    def go_on(self, since_log: dict[str, Any]) -> None:
        super().go_on(since_log)
        self._scorer.earned = Earned(**since_log["earned"])

    def _is_logged(self) -> bool:
        """Whether one of the steps that learn from this batch is logged."""
        step, interval = self.state.global_step, max(self.state.logging_steps, 1)
        return (step + steps_per_batch(self.args)) // interval > step // interval

    def _one_reply_each(self, prompts: list[str]) -> list[list[int]]:
        replies, _ = self._generate_single_turn(self._tokenize_prompts(prompts)[0], None, {}, num_generations=1)
        return replies

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict]:
        return [self._language.vocabulary.encode(prompt) for prompt in prompts], None, {}

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], *given: Any, **named: Any
    ) -> tuple[list[list[int]], list[list[float]] | None]:
        policy = self.accelerator.unwrap_model(self.model)
        if self._engine is not None:
            return self._drawn_by(self._engine, prompt_ids, policy)
        base = policy.get_base_model() if isinstance(policy, PeftModel) else policy
        with merged_adapter(policy):
            if not draws_plainly(self.args):
                return self._drawn_by_trl(base, prompt_ids, *given, **named)
            learning = policy.training
            try:
                return self._drawn_by(TransformersEngine(base, self._language.vocabulary, tells=True), prompt_ids, base)
            finally:
                policy.train(learning)

    def _drawn_by(
        self, engine: Engine, prompt_ids: list[list[int]], policy: torch.nn.Module
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Replies and the log-probabilities of their tokens."""
        keys, constrain = self._keys(len(prompt_ids)), self._rules.constrain_grammar
        drawn = engine.generate(prompt_ids, keys, self._sampling, policy, grammar=constrain)
        told = [one.logprobs for one in drawn]
        if isinstance(engine, TransformersEngine) and any(map(math.isnan, chain.from_iterable(told))):
            self.refuse_no_number("probability of a token", math.nan)
        return [one.ids for one in drawn], told

    def _drawn_by_trl(
        self, base: torch.nn.Module, prompt_ids: list[list[int]], *given: Any, **named: Any
    ) -> tuple[list[list[int]], list[list[float]] | None]:
        """As `_drawn_by`, in ways that only transformers' own loop knows."""
        constrain = self._rules.constrain_grammar
        grammar = constrained_generation(base, self._language.vocabulary) if constrain else nullcontext()
        # transformers' own queue (continuous batching) draws elsewhere, and tells nothing of it.
        queued = self.args.use_transformers_continuous_batching
        with grammar, nullcontext(DrawnLogprobs()) if queued else noting_draws(base) as noted:
            try:
                replies, _ = super()._generate_single_turn(prompt_ids, *given, **named)
            except RuntimeError as error:
                if "probability tensor" in str(error):  # torch's words for what it cannot draw from
                    self.refuse_no_number("probability of a token", math.nan)
                raise
        return replies, noted.of(replies)

    @property
    def _sampling(self) -> Sampling:
        return Sampling(self.args.temperature, self.args.top_p, self.args.max_completion_length, seed=self.args.seed)

    def _keys(self, count: int) -> list[int]:
        """What the draws of `count` replies hang on: the step, how often it has drawn before, process and row."""
        step, turn = self.state.global_step, self._turns[1] + 1 if self._turns[0] == self.state.global_step else 0
        self._turns = (step, turn)
        first = ((step << 8 | turn) << 10 | self.accelerator.process_index) << 20
        return list(range(first, first + count))

    def _compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any]) -> Tensor:
        self._compared = inputs if _DRAWN in inputs else None
        return super()._compute_loss(model, inputs)

    def _get_per_token_logps_and_entropies(self, *given: Any, **named: Any) -> tuple[Tensor, ...]:
        found = super()._get_per_token_logps_and_entropies(*given, **named)
        if (inputs := self._compared) is not None:
            self._compared = None
            # Where several steps learn from the same replies, it is the policy before the first of them that drew.
            self._log_difference(inputs, inputs.get("old_per_token_logps", found[0].detach()))
        return found

    def _log_difference(self, inputs: dict[str, Tensor], learning: Tensor) -> None:
        """Log by how much the log-probabilities of sampler and trainer differ, over the drawn tokens (B, T)."""
        apart = (learning - inputs[_DRAWN]).abs()
        told = inputs["completion_mask"].bool() & ~apart.isnan()  # not a number: the sampler did not tell
        apart = apart.where(told, 0.0)
        numbers = torch.stack([apart.sum() / told.sum().clamp_min(1), apart.max()])
        means, most = self.accelerator.gather(numbers).view(-1, 2).T.tolist()
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["sampling/logp_difference/mean"].append(fmean(means))
        metrics["sampling/logp_difference/max"].append(max(most))

    @torch.no_grad()
    def refuse_divergence(self, query: Query) -> None:
        """Raise InputError where the policy can no longer answer: drawn from such numbers, a reply looks like one."""
        model = self.accelerator.unwrap_model(self.model)
        ids = torch.tensor([self._language.ask(query)], device=model.device)
        self.refuse_no_number("sum of the logits", model(ids).logits.float().sum().item())

    def _get_train_sampler(self, dataset: Dataset | None = None) -> EpochSampler:
        of_trl = super()._get_train_sampler(dataset)
        return EpochSampler(
            of_trl.data_source,
            of_trl.mini_repeat_count,
            of_trl.batch_size,
            of_trl.repeat_count,
            of_trl.shuffle,
            of_trl.seed,
            self._prompts_an_epoch,
        )

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


def steps_per_batch(config: GRPOConfig) -> int:
    """Optimiser steps that learn from the same replies; these are not saved, so only after the last can one resume."""
    return max(1, config.steps_per_generation * config.num_iterations // config.gradient_accumulation_steps)


def _or_none(score: float) -> float | None:
    return None if math.isnan(score) else score
