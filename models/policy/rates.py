"""How fast what learns: the learning rates of both stages without --learning-rate, in one table."""

from typing import Literal

Stage = Literal["sft", "rlvr"]

# A language model below so many parameters is a random one of ours, which adapters teach nothing: there is no
# pretrained one of this size.
TINY = 20_000_000
PUBLISHED_RL_RATE = 1e-5
# Peak learning rates of AdamW: (stage, what is trained) -> (of a pretrained language model, of a tiny one). Adapters
# take about ten times the rate of full weights. A tiny model was trained at its own in prepare/quickstart.sh, but for
# adapters in SFT, which were not tried; nor were the rates of pretrained ones: they are the field's. GRPO trains
# adapters only.
RATES: dict[tuple[Stage, str], tuple[float, float]] = {
    ("sft", "full"): (1e-5, 3e-3),
    ("sft", "lora"): (1e-4, 3e-3),
    ("rlvr", "lora"): (PUBLISHED_RL_RATE, 1e-3),
}


def learning_rate(stage: Stage, full: bool, parameters: int) -> float:
    """The peak learning rate.

    Args:
        full: every weight is trained, not an adapter.
        parameters: of the language model.
    """
    pretrained, tiny = RATES[stage, "full" if full else "lora"]
    return tiny if parameters < TINY else pretrained


def rates_in_words() -> str:
    """The table as `--help` shows it."""
    kinds = (f"{stage} {kind} {rates[0]:g} ({rates[1]:g})" for (stage, kind), rates in RATES.items())
    return f"{', '.join(kinds)}; in brackets: of a model below {TINY // 1_000_000} million parameters"
