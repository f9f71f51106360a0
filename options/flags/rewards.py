"""Which rewards count how much, and the models behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from options.flags.parsing import flag
from options.flags.ranges import COUNT, NOT_NEGATIVE
from rewards.models import RewardModels
from utils.run.devices import resolve_device

# Measured in com/README.md: facts take away two of three contradictions, and R@1 rises; a reply without a contradiction
# comes before any with one, which takes away more than a third of the rest.
FACTS_IN_SEARCH, CONTRADICTION_IN_SEARCH = 0.5, 1.0


@dataclass
class RewardFlags:
    """Rewards of GRPO and scorers of Chain-of-Motion. A weight of 0 leaves the reward out."""

    _argument_group_name = "rewards"

    rewards: str | None = flag(None, "name=weight,... or file.py:Class=weight,...: replaces the weights below")
    reward_format_weight: float = flag(0.2, "well-formed replies", within=NOT_NEGATIVE)
    reward_phys_weight: float = flag(0.5, "physical plausibility (t2m)", within=NOT_NEGATIVE)
    reward_align_weight: float = flag(0.5, "text-motion consistency, by --reward-evaluator", within=NOT_NEGATIVE)
    reward_sem_weight: float = flag(0.5, "semantic alignment with the true caption (m2t)", within=NOT_NEGATIVE)
    reward_coh_weight: float = flag(0.8, "the reasoning entails the answer (m2t)", within=NOT_NEGATIVE)
    reward_facts_weight: float | None = flag(
        None,
        f"what the caption claims holds for the motion (t2m); default {FACTS_IN_SEARCH} in Chain-of-Motion, 0 in "
        "training",
        within=NOT_NEGATIVE,
    )
    reward_contradiction_weight: float | None = flag(
        None,
        "-1 where a claim of the caption fails for the motion (t2m), so that in a search replies without a "
        f"contradiction come first; default {CONTRADICTION_IN_SEARCH:g} in Chain-of-Motion, 0 in training",
        within=NOT_NEGATIVE,
    )
    reward_grounding_weight: float = flag(
        0.0, "what reasoning and answer claim holds for the motion (m2t)", within=NOT_NEGATIVE
    )
    reward_evaluator: str | None = flag(None, "text-motion evaluator that rewards: a folder of prepare.train_evaluator")
    semantic_model_name: str = flag(
        "sentence-transformers/all-MiniLM-L6-v2", "sentence embedding model: hub id, folder or installed package"
    )
    nli_model_name: str = flag(
        "MoritzLaurer/DeBERTa-v3-large-mnli-fever-anli-ling-wanli", "natural language inference model: hub id or folder"
    )
    reward_device: str | None = flag(None, "device of reward models; default --device")
    reward_max_batch_size: int = flag(RewardModels.max_batch_size, "largest batch of a reward model", within=COUNT)

    def go_on(self, before: Mapping[str, Any]) -> None:
        """Take the default of the version that began an evaluation, whose args.json is `before` (empty: this one)."""
        for name in ("reward_facts_weight", "reward_contradiction_weight"):
            if before and name not in before and getattr(self, name) is None:
                setattr(self, name, 0.0)

    def weights(self, searches: bool = False) -> dict[str, float]:
        """Weight by reward name, those of weight 0 left out.

        Args:
            searches: of scorers of Chain-of-Motion, not of rewards of training.
        """
        facts, contradiction = self.reward_facts_weight, self.reward_contradiction_weight
        if facts is None:
            facts = FACTS_IN_SEARCH if searches else 0.0
        if contradiction is None:
            contradiction = CONTRADICTION_IN_SEARCH if searches else 0.0
        by_name = {
            "format": self.reward_format_weight,
            "physical": self.reward_phys_weight,
            "consistency": self.reward_align_weight,
            "semantic": self.reward_sem_weight,
            "coherence": self.reward_coh_weight,
            "facts": facts,
            "contradiction": contradiction,
            "grounding": self.reward_grounding_weight,
        }
        return {name: weight for name, weight in by_name.items() if weight != 0}

    def models(self, device: str, evaluator: str | None = None) -> RewardModels:
        """The models behind the rewards, on `device` unless --reward-device says another.

        Args:
            evaluator: text-motion evaluator without --reward-evaluator.
        """
        if self.reward_device is not None:
            device = str(resolve_device(self.reward_device, "--reward-device"))
        return RewardModels(
            evaluator=self.reward_evaluator or evaluator,
            semantic=self.semantic_model_name,
            nli=self.nli_model_name,
            device=device,
            max_batch_size=self.reward_max_batch_size,
        )
