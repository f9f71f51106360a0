"""Reflection prompts in GRPO: some questions show an attempt of the policy's own, so that refining is trained.

At test time Chain-of-Motion asks again with the best attempt in the prompt. Here the policy first writes one draft to
each of the chosen prompts, and the group of replies that is trained on answers the prompt with that draft in it. Drafts
are of the policy as it is at that step, and nothing but the trainer's random state decides them, so a resumed run
draws the drafts of a straight one.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from trl import GRPOConfig

from models.language.motion_language import rollouts_of
from models.language.prompts import PromptStyle, reflection_on, render_query
from models.language.vocabulary import MotionVocabulary
from models.tokenizer.motion_tokenizer import MotionTokenizer
from rewards.grpo.prompts import DRAFT_SCORE, PROMPT, query_of_row
from rewards.lacking import Lacking
from rewards.mixture.weighted import WeightedRewards
from utils.errors import InputError

Sample = Callable[[list[str]], list[list[int]]]


@dataclass(frozen=True)
class Reflecting:
    """Which prompts become reflections, and how.

    Attributes:
        share: of the prompts of a step, chosen by chance.
        improvement_weight: factor of the further reward `improvement`: the weighted sum of a reply less that of its
            draft. Replies of one group share the draft, so within it this weighs reflections more and orders nothing
            anew. 0 = no such reward.
    """

    share: float = 0.0
    improvement_weight: float = 0.0

    @property
    def rewards_improvement(self) -> bool:
        return self.share > 0 and self.improvement_weight > 0


NO_REFLECTIONS = Reflecting()


class Reflections:
    """Turns rows of a step into reflections.

    Args:
        share: see `Reflecting`.
        seed: with the step and the prompt it decides which prompts are chosen, in every process alike.
        group_size: replies a prompt; the rows of a group stand in a row.
        rewards: score the drafts.
        vocabulary, motion_tokenizer, style: read and write replies.
    """

    def __init__(
        self,
        share: float,
        seed: int,
        group_size: int,
        rewards: WeightedRewards,
        vocabulary: MotionVocabulary,
        motion_tokenizer: MotionTokenizer,
        style: PromptStyle,
    ) -> None:
        self._share, self._seed, self._group_size = share, seed, group_size
        self._rewards, self._vocabulary = rewards, vocabulary
        self._motion_tokenizer, self._style = motion_tokenizer, style
        self._lacking = Lacking(motion_tokenizer.skeleton, motion_tokenizer.nb_code)

    def rewrite(self, rows: Sequence[dict], step: int, sample: Sample) -> list[dict]:
        """The rows (see `rewards.grpo.prompts.prompt_row`), some with a draft in the prompt and its score.

        Args:
            rows: of one step, each prompt `group_size` times in a row.
            step: optimiser steps taken.
            sample: prompts -> ids of one reply of the policy to each.
        """
        firsts = rows[:: self._group_size]
        chosen = [index for index, row in enumerate(firsts) if self._is_chosen(row, step)]
        # Weights may be spread over processes, which then sample together: so each samples, chosen prompts or not.
        drafted = [firsts[index] for index in chosen] or list(firsts[:1])
        queries = [query_of_row(row) for row in drafted]
        drafts = rollouts_of(
            queries, sample([row[PROMPT] for row in drafted]), self._vocabulary, self._motion_tokenizer, self._style,
            [tuple(row["references"]) for row in drafted],
        )  # fmt: skip
        rewritten = [{**row, DRAFT_SCORE: None} for row in rows]
        scores, lacking = self._rewards.total(drafts), self._lacking(drafts)
        for index, query, draft, score, words in zip(chosen, queries, drafts, scores, lacking, strict=False):
            shown = render_query(replace(query, reflection=reflection_on(draft, words)), self._style)
            for place in range(index * self._group_size, (index + 1) * self._group_size):
                rewritten[place] |= {PROMPT: shown, DRAFT_SCORE: score}
        return rewritten

    def _is_chosen(self, row: dict, step: int) -> bool:
        return random.Random(f"{self._seed} {step} {row[PROMPT]}").random() < self._share


def check_can_reflect(config: GRPOConfig) -> None:
    """Raise InputError where drafts cannot be sampled on their own."""
    if config.use_vllm:
        raise InputError("--rl-reflection-share does not work with vLLM yet: leave one of them out")
