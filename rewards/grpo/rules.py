"""What GRPO does to the replies of a step beyond trl's own settings: grammar, reflections, clipped advantages."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.errors import InputError

if TYPE_CHECKING:
    from trl import GRPOConfig


@dataclass(frozen=True)
class Reflecting:
    """Which prompts become reflections, and how (`rewards.grpo.reflection`).

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


@dataclass(frozen=True)
class ReplyRules:
    """How the replies that are trained on are drawn and weighed. Validations never follow these rules.

    Attributes:
        constrain_grammar: sample motions under `models.language.grammar`. Log-probabilities stay those without it.
        reflecting: the share of prompts that show an earlier attempt.
        advantage_clip: advantages are clipped to +- this; None: not. A single malformed reply earns so much less than
            its group that it can make up most of a batch's gradient.
    """

    constrain_grammar: bool = False
    reflecting: Reflecting = Reflecting()
    advantage_clip: float | None = None

    def check(self, config: "GRPOConfig") -> None:
        """Raise InputError where replies are sampled by something that a rule does not reach."""
        if self.reflecting.share and config.use_vllm:
            raise InputError("--rl-reflection-share does not work with vLLM yet: leave one of them out")
        if self.constrain_grammar and config.use_vllm:
            raise InputError(
                "--constrain-grammar does not reach vLLM: leave it out, and give vllm_structured_outputs_regex in "
                "--trainer-config"
            )
        if self.constrain_grammar and config.use_transformers_continuous_batching:
            raise InputError(
                "--constrain-grammar does not reach transformers' continuous batching: leave one of them out"
            )


NO_RULES = ReplyRules()
