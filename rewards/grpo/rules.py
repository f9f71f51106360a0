"""What GRPO does to the replies of a step beyond trl's own settings: grammar, reflections, clipped advantages."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.errors import InputError

if TYPE_CHECKING:
    from trl import GRPOConfig


# Settings of trl for sampling by transformers, with the values at which they do nothing.
_OF_TRANSFORMERS = {
    "top_k": (0, None),
    "min_p": (0, None),
    "repetition_penalty": (1, None),
    "generation_kwargs": (None, {}),
    "cache_implementation": (None,),
    "use_transformers_continuous_batching": (False,),
}


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

    def check(self, config: "GRPOConfig", by_vllm: bool = False) -> None:
        """Raise InputError where replies are sampled by something that a rule or a setting of trl does not reach."""
        given = [name for name, none in _OF_TRANSFORMERS.items() if getattr(config, name) not in none]
        if by_vllm and given:
            raise InputError(
                f"--trainer-config: {', '.join(given)} cannot be set with --engine vllm, which does not read it: leave "
                "it out, or give --engine transformers"
            )
        if self.constrain_grammar and config.use_transformers_continuous_batching:
            raise InputError(
                "--constrain-grammar does not reach transformers' continuous batching: leave one of them out"
            )


NO_RULES = ReplyRules()
