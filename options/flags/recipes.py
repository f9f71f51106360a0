"""The recipe of reinforcement learning: what GRPO takes where no flag says another, by task.

It was measured (rewards/grpo/README.md). `PUBLISHED` are the values of the published command lines, for
`--published-rl`; their learning rate is in `models.policy.rates`, as all are.
"""

from dataclasses import dataclass, fields

# An args.json without this flag was written by a version that had other defaults, all of which it holds.
OF_THIS_VERSION = "published_rl"


@dataclass(frozen=True)
class Recipe:
    """Flags of GRPO whose defaults were measured; the names are those of the flags, which say what they mean."""

    rl_kl_coef: float
    rl_temperature: float
    disable_rl_component_norm: bool
    rl_scale_rewards: str
    lr_schedule: str
    rl_eval_samples: int
    rl_new_prompts: bool


PUBLISHED = Recipe(0.02, 1.0, False, "group", "constant_with_warmup", 1, False)
MEASURED = {
    "t2m": Recipe(0.3, 0.8, True, "batch", "linear", 8, True),
    "m2t": Recipe(0.05, 0.8, True, "group", "constant_with_warmup", 8, True),
}
MEASURED["both"] = MEASURED["t2m"]  # the KL that t2m needs holds m2t back too
RECIPE = tuple(field.name for field in fields(Recipe))


def both_defaults(name: str) -> str:
    """The measured and the published default of a flag, as `--help` shows them."""
    t2m, m2t = (_shown(getattr(MEASURED[task], name)) for task in ("t2m", "m2t"))
    measured = t2m if t2m == m2t else f"{t2m}, for m2t alone {m2t}"
    return f"default {measured}; published {_shown(getattr(PUBLISHED, name))}"


def _shown(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else f"{value}"
