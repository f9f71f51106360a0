"""What an evaluation judges, and what its signature must say of where it came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.evaluation.predictions import Prediction
from utils.metrics.report import MetricValue


@dataclass(frozen=True, eq=False)
class Replies:
    """Predictions, one list a draw, and their origin.

    Attributes:
        checkpoint: fingerprint of the policy that wrote them; None for predictions that were given.
        com: label of Chain-of-Motion, such as ``8x2``; None without.
        notes: further words of the signature, such as ``judge=ranker``.
        multimodality: of further replies (t2m); None where it was left out.
        com_cost: weights of the scorers, and what each round cost; None without Chain-of-Motion.
    """

    draws: list[list[Prediction]]
    checkpoint: str | None = None
    com: str | None = None
    notes: tuple[str, ...] = ()
    multimodality: MetricValue | None = None
    com_cost: Mapping[str, Any] | None = None
