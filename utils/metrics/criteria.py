"""What makes a checkpoint of supervised fine-tuning the best one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Criterion:
    """A number of a validation that decides.

    Attributes:
        name: as ``--best-by`` says it.
        task: the task it judges; None: every task.
        higher: higher is better.
    """

    name: str
    task: str | None
    higher: bool = False

    @property
    def logged(self) -> str:
        """Its name in the trainer's log."""
        return f"eval_{self.name}"

    def badness(self, metrics: Mapping[str, float]) -> float:
        """Lower is better, whatever the metric; infinite where the validation could not compute it."""
        value = metrics.get(self.logged)
        if value is None or not math.isfinite(value):
            return math.inf
        return -value if self.higher else value


CRITERIA = {
    criterion.name: criterion
    for criterion in (Criterion("loss", None), Criterion("FID", "t2m"), Criterion("CIDEr", "m2t", higher=True))
}
