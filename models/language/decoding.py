"""How replies are drawn from a language model: temperature, nucleus, length, batch, seed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """How replies are drawn.

    Attributes:
        temperature: 0 = greedy.
        top_p: nucleus; 1 = the whole distribution.
        max_new_tokens: longer replies are cut and count as unfinished.
        batch_size: replies generated together.
        seed: same seed and queries = same replies, whatever the batch size; up to draws so close that the rounding
            of the logits, which does depend on the batch, decides them (rare in float32, less so in bfloat16).
    """

    temperature: float = 0.7
    top_p: float = 1.0
    max_new_tokens: int = 512
    batch_size: int = 128
    seed: int = 0
