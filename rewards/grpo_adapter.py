"""Our rewards as trl's reward functions: replies are parsed and decoded once, then every reward scores them."""

from collections.abc import Callable, Sequence

from models.motion_llm import rollouts_of
from models.motion_tokenizer import MotionTokenizer
from models.motion_vocabulary import MotionVocabulary
from models.prompts import PromptStyle, Query
from rewards.build import WeightedRewards


class GrpoRewards:
    """Reward functions for `trl.GRPOTrainer`, one for each column of `rewards`.

    The training set must have the columns of `prompt_row`. What is scored is `completion_ids` (the ids that were
    sampled), not trl's decoded text.

    Args:
        rewards: the weighted rewards.
        vocabulary: reads replies.
        motion_tokenizer: decodes their codes.
        style: what stands around the queries.
    """

    def __init__(
        self,
        rewards: WeightedRewards,
        vocabulary: MotionVocabulary,
        motion_tokenizer: MotionTokenizer,
        style: PromptStyle,
    ) -> None:
        self.rewards = rewards
        self.vocabulary = vocabulary
        self.motion_tokenizer = motion_tokenizer
        self.style = style
        self._batch: object = None
        self._table: dict[str, list[float | None]] = {}

    def functions(self) -> list[Callable[..., list[float | None]]]:
        """One callable per reward; its name is the metric's name in trl's logs."""
        return [self._function(name) for name in self.rewards.names]

    def _function(self, name: str) -> Callable[..., list[float | None]]:
        def score(completion_ids: list[list[int]], **columns: list) -> list[float | None]:
            # trl hands the same list object to every reward function of a step: score once, read per column.
            if self._batch is not completion_ids:
                self._table = self._score(completion_ids, columns)
                self._batch = completion_ids
            return self._table[name]

        score.__name__ = name
        return score

    def _score(self, completion_ids: list[list[int]], columns: dict[str, list]) -> dict[str, list[float | None]]:
        fields = zip(columns["task"], columns["caption"], columns["codes"], columns["clip"], strict=True)
        queries = [Query(task, caption, tuple(codes), id=clip) for task, caption, codes, clip in fields]
        references = [tuple(items) for items in columns["references"]]
        return self.rewards.table(
            rollouts_of(queries, completion_ids, self.vocabulary, self.motion_tokenizer, self.style, references)
        )


def prompt_row(query: Query, prompt: str, references: Sequence[str]) -> dict:
    """A row of the GRPO training set."""
    return {
        "prompt": prompt,
        "task": query.task,
        "caption": query.caption,
        "codes": list(query.codes),
        "references": list(references),
        "clip": query.id,
    }
