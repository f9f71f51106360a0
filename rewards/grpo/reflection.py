"""Reflection prompts in GRPO: some questions show an attempt of the policy's own, so that refining is trained.

At test time Chain-of-Motion asks again with the best attempt in the prompt. Here the policy first writes one draft to
each of the chosen prompts, and the group of replies that is trained on answers the prompt with that draft in it. Drafts
are of the policy as it is at that step, and nothing but the trainer's random state decides them, so a resumed run
draws the drafts of a straight one.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from models.language.motion_language import MotionLanguage
from models.language.prompts import reflection_on
from rewards.grpo.prompts import DRAFT_SCORE, PROMPT, query_of_row
from rewards.lacking import Lacking
from rewards.mixture.weighted import WeightedRewards

# Prompts -> ids of one reply of the policy to each.
DrawReplies = Callable[[list[str]], list[list[int]]]


class Reflections:
    """Turns rows of a step into reflections.

    Args:
        share: of the prompts of a step, chosen by chance.
        seed: with the step and the prompt it decides which prompts are chosen, in every process alike.
        group_size: replies a prompt; the rows of a group stand in a row.
        rewards: score the drafts.
        language: reads the drafts and writes the prompts that show them.
    """

    def __init__(
        self, share: float, seed: int, group_size: int, rewards: WeightedRewards, language: MotionLanguage
    ) -> None:
        self._share, self._seed, self._group_size = share, seed, group_size
        self._rewards, self._language = rewards, language
        self._lacking = Lacking(language.motion_tokenizer.skeleton, language.motion_tokenizer.nb_code)

    def rewrite(self, rows: Sequence[dict], step: int, draw_replies: DrawReplies) -> list[dict]:
        """The rows (see `rewards.grpo.prompts.prompt_row`), some with a draft in the prompt and its score.

        Args:
            rows: of one step, each prompt `group_size` times in a row.
            step: optimiser steps taken.
            draw_replies: asks the policy.
        """
        firsts = rows[:: self._group_size]
        chosen = [index for index, row in enumerate(firsts) if self._is_chosen(row, step)]
        # Weights may be spread over processes, which then sample together: so each samples, chosen prompts or not.
        drafted = [firsts[index] for index in chosen] or list(firsts[:1])
        queries = [query_of_row(row) for row in drafted]
        replies = draw_replies([row[PROMPT] for row in drafted])
        drafts = self._language.read(queries, replies, [tuple(row["references"]) for row in drafted])
        rewritten = [{**row, DRAFT_SCORE: None} for row in rows]
        scores, lacking = self._rewards.total(drafts), self._lacking(drafts)
        for index, query, draft, score, words in zip(chosen, queries, drafts, scores, lacking, strict=False):
            shown = self._language.prompt(replace(query, reflection=reflection_on(draft, words)))
            for place in range(index * self._group_size, (index + 1) * self._group_size):
                rewritten[place] |= {PROMPT: shown, DRAFT_SCORE: score}
        return rewritten

    def _is_chosen(self, row: dict, step: int) -> bool:
        return random.Random(f"{self._seed} {step} {row[PROMPT]}").random() < self._share
