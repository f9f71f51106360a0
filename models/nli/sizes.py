"""The sizes of the small NLI model: flags name them, and do not wait for torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NliSizes:
    """Shape of the model; the inner layers are twice as wide."""

    hidden_size: int = 128
    layers: int = 3
    heads: int = 4
    vocab_size: int = 1500
