"""Our rewards as trl's reward functions: replies are parsed and decoded once, then every reward scores them."""

from collections.abc import Callable

from transformers import TrainerState

from models.language.motion_language import rollouts_of
from models.language.prompts import PromptStyle
from models.language.vocabulary import MotionVocabulary
from models.tokenizer.motion_tokenizer import MotionTokenizer
from rewards.grpo.logs import TEXT, cache_use, reply_shares, reward_terms
from rewards.grpo.prompts import DRAFT_SCORE, query_of_row
from rewards.mixture.weighted import WeightedRewards

IMPROVEMENT = "improvement"


class GrpoRewards:
    """Reward functions for `trl.GRPOTrainer`, one for each column of `rewards`.

    The training set must have the columns of `prompt_row`. What is scored is `completion_ids` (the ids that were
    sampled), not trl's decoded text. Each batch adds to trl's log: shares of well-formed replies and of None, use of
    the caches, and, in steps that are logged, the terms of the rewards that have some.

    Args:
        rewards: the weighted rewards.
        vocabulary: reads replies.
        motion_tokenizer: decodes their codes.
        style: what stands around the queries.
        steps_per_batch: optimiser steps that learn from the same replies.
        with_improvement: one more function: what a reply to a reflection earns above the draft that it was shown.
    """

    def __init__(
        self,
        rewards: WeightedRewards,
        vocabulary: MotionVocabulary,
        motion_tokenizer: MotionTokenizer,
        style: PromptStyle,
        steps_per_batch: int = 1,
        with_improvement: bool = False,
    ) -> None:
        self.rewards = rewards
        self.vocabulary = vocabulary
        self.motion_tokenizer = motion_tokenizer
        self.style = style
        self.steps_per_batch = steps_per_batch
        self.with_improvement = with_improvement
        self._batch: object = None
        self._table: dict[str, list[float | None]] = {}
        self._totals: list[float] = []

    def take_totals(self) -> list[float]:
        """Weighted sums of all replies that this process scored since the last call."""
        totals, self._totals = self._totals, []
        return totals

    def functions(self) -> list[Callable[..., list[float | None]]]:
        """One callable per reward; its name is the metric's name in trl's logs."""
        names = (*self.rewards.names, IMPROVEMENT) if self.with_improvement else self.rewards.names
        return [self._function(name) for name in names]

    def _function(self, name: str) -> Callable[..., list[float | None]]:
        def score(completion_ids: list[list[int]], **given: object) -> list[float | None]:
            # trl hands the same list object to every reward function of a step: score once, read per column.
            if self._batch is not completion_ids:
                self._table = self._score(completion_ids, **given)
                self._batch = completion_ids
            return self._table[name]

        score.__name__ = name
        return score

    def _score(
        self,
        completion_ids: list[list[int]],
        *,
        log_metric: Callable[[str, float], None],
        log_extra: Callable[[str, list], None],
        trainer_state: TrainerState,
        **columns: list,
    ) -> dict[str, list[float | None]]:
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        queries = [query_of_row(row) for row in rows]
        references = [tuple(items) for items in columns["references"]]
        rollouts = rollouts_of(queries, completion_ids, self.vocabulary, self.motion_tokenizer, self.style, references)
        cached = self.rewards.cache_statistics()
        table = self.rewards.table(rollouts)
        totals = self.rewards.combine(table)
        self._totals += [total for total in totals if total is not None]
        if self.with_improvement:
            table[IMPROVEMENT] = [_gain(row[DRAFT_SCORE], total) for row, total in zip(rows, totals, strict=True)]
        numbers = reply_shares(rollouts, table) | cache_use(cached, self.rewards.cache_statistics())
        step, interval = trainer_state.global_step, max(trainer_state.logging_steps, 1)
        if (step + self.steps_per_batch) // interval > step // interval:  # terms cost a second look at the motions
            numbers |= reward_terms(self.rewards, rollouts)
        for name, value in numbers.items():
            log_metric(name, value)
        log_extra(TEXT, [rollout.text for rollout in rollouts])
        return table


def _gain(draft: float | None, total: float | None) -> float | None:
    return None if draft is None or total is None else total - draft
