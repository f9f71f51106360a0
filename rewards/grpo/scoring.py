"""Our rewards as trl's reward functions: the replies of a step are read once, then every reward scores them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.language.motion_language import MotionLanguage
from rewards.grpo.logs import TEXT, cache_use, reply_shares, reward_terms
from rewards.grpo.prompts import DRAFT_SCORE, query_of_row
from rewards.mixture.weighted import WeightedRewards
from utils.errors import InputError

IMPROVEMENT = "improvement"


@dataclass
class Earned:
    """What this process has seen of the replies of an epoch so far.

    Attributes:
        totals: weighted sums of those that a reward applies to.
        replies, cut: how many there were, and how many of them did not come to their end.
    """

    totals: list[float] = field(default_factory=list)
    replies: int = 0
    cut: int = 0


class GrpoRewards:
    """Scores the replies of a step; the reward functions that trl calls then read one column each.

    What is scored is the ids that were sampled, not trl's decoded text.

    Args:
        rewards: the weighted rewards.
        language: reads the replies.
        with_improvement: one more column: what a reply to a reflection earns above the draft that it was shown.

    Attributes:
        earned: of the replies since `take_earned`.
    """

    def __init__(self, rewards: WeightedRewards, language: MotionLanguage, with_improvement: bool = False) -> None:
        self.rewards = rewards
        self.names = (*rewards.names, IMPROVEMENT) if with_improvement else rewards.names
        self._language = language
        self._with_improvement = with_improvement
        self._table: dict[str, list[float | None]] = {}
        self.earned = Earned()

    def functions(self) -> list[Callable[..., list[float | None]]]:
        """One callable per column, for ``reward_funcs``; its ``__name__`` is the metric's name in trl's logs."""
        return [self._function(name) for name in self.names]

    def _function(self, name: str) -> Callable[..., list[float | None]]:
        def column(**given: Any) -> list[float | None]:
            return self._table[name]

        column.__name__ = name
        return column

    def score(
        self, rows: Sequence[dict], replies: Sequence[Sequence[int]], with_terms: bool
    ) -> tuple[dict[str, float], dict[str, list[str]]]:
        """Score one batch; the functions give its columns until the next one.

        Args:
            rows: of the training set (`rewards.grpo.prompts.prompt_row`), one a reply.
            replies: token ids as sampled.
            with_terms: also log the terms of the rewards that have some: a second look at the motions.

        Returns:
            numbers to log (shares of well-formed replies and of None, use of the caches, terms), and columns for the
            log of replies
        """
        queries, references = [query_of_row(row) for row in rows], [tuple(row["references"]) for row in rows]
        rollouts = self._language.read(queries, replies, references)
        cached = self.rewards.cache_statistics()
        self._table = self.rewards.table(rollouts)
        totals = self.rewards.combine(self._table)
        self.earned.totals += [total for total in totals if total is not None]
        self.earned.replies += len(rollouts)
        self.earned.cut += sum(not rollout.finished for rollout in rollouts)
        if self._with_improvement:
            self._table[IMPROVEMENT] = [_gain(row[DRAFT_SCORE], total) for row, total in zip(rows, totals, strict=True)]
        numbers = reply_shares(rollouts, self._table) | cache_use(cached, self.rewards.cache_statistics())
        if with_terms:
            numbers |= reward_terms(self.rewards, rollouts)
        return numbers, {TEXT: [rollout.text for rollout in rollouts]}

    def take_earned(self) -> Earned:
        """What was earned since the last call."""
        earned, self.earned = self.earned, Earned()
        return earned


def refuse_useless_epoch(epoch: int, parts: Sequence[Earned], limit: int, rewards: Sequence[str]) -> None:
    """Raise InputError where nothing could be learned from an epoch: every reply was cut, or no reward judges any.

    Args:
        parts: what each process has seen of it.
        limit: most tokens of a reply.
        rewards: their names.
    """
    replies, cut = sum(part.replies for part in parts), sum(part.cut for part in parts)
    if replies and cut == replies:
        raise InputError(
            f"every one of the {replies} replies of epoch {epoch} was cut at {limit} tokens, before its end, so that "
            "none could be learned from: give a larger --max-text-len or --max-motion-len (the limit is their sum and "
            "a few tags), or a --rl-reference-ckpt that ends its replies"
        )
    if replies and not any(part.totals for part in parts):
        raise InputError(
            f"none of the {replies} replies of epoch {epoch} is judged by a reward ({', '.join(rewards)}), so that "
            "nothing was learned: give --rewards that apply to these prompts, or more prompts (--rl-prompts)"
        )


def _gain(draft: float | None, total: float | None) -> float | None:
    return None if draft is None or total is None else total - draft
