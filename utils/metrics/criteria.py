"""Every metric by its name: which task it judges, which way is better, its unit; and what makes a checkpoint the best.

Who lists metrics, compares them or asks which of two numbers is better reads it here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

T2M, M2T, BOTH = ("t2m",), ("m2t",), ("t2m", "m2t")
Better = Literal["higher", "lower", "nearer real"]
ARROWS: dict[Better, str] = {"higher": "↑", "lower": "↓", "nearer real": "→"}


@dataclass(frozen=True)
class Metric:
    """What a number means.

    Attributes:
        name: as results.json has it.
        tasks: which it judges.
        better: the way that is better; ``nearer real``: the value of real motion is the best one.
        unit: of the value; empty for a pure number.
        title: what stands above it in a table, where that is not its name.
    """

    name: str
    tasks: tuple[str, ...]
    better: Better
    unit: str = ""
    title: str = ""


METRICS = {
    metric.name: metric
    for metric in (
        Metric("R@1", BOTH, "higher", "share"),
        Metric("R@2", BOTH, "higher", "share"),
        Metric("R@3", BOTH, "higher", "share"),
        Metric("MM-Dist", BOTH, "lower", "distance of embeddings"),
        Metric("FID", T2M, "lower", "squared distance of embeddings"),
        Metric("FID-norm", T2M, "lower", "squared distance of embeddings of length 1"),
        Metric("Diversity", T2M, "nearer real", "distance of embeddings"),
        Metric("MultiModality", T2M, "nearer real", "distance of embeddings"),
        Metric("Skating", T2M, "lower", "share of frames"),
        Metric("Penetration-mm", T2M, "lower", "mm"),
        Metric("Float-mm", T2M, "lower", "mm"),
        Metric("Jerk", T2M, "lower", "m/s3"),
        Metric("Bone-drift", T2M, "lower", "share of a bone's length"),
        Metric("Facts", T2M, "higher", "share"),
        Metric("Contradicted", T2M, "lower", "share"),
        Metric("Wrong-side", BOTH, "lower", "share", "says left, goes right"),
        Metric("Grounding", M2T, "higher", "share"),
        Metric("Told", M2T, "higher", "share"),
        Metric("BLEU@1", M2T, "higher", "share"),
        Metric("BLEU@2", M2T, "higher", "share"),
        Metric("BLEU@3", M2T, "higher", "share"),
        Metric("BLEU@4", M2T, "higher", "share"),
        Metric("ROUGE-L", M2T, "higher", "share"),
        Metric("CIDEr", M2T, "higher", "0 to 10"),
        Metric("BERTScore", M2T, "higher"),
        Metric("Well-formed", BOTH, "higher", "share"),
        Metric("loss", BOTH, "lower", "nats a token"),
    )
}

# What an evaluator says of pairs of captions and motions, and of real motions alone.
RETRIEVAL = ("R@1", "R@2", "R@3", "MM-Dist")
OF_REAL_MOTION = (*RETRIEVAL, "Diversity")
# What each task is read by: beside other evaluations, by rounds of a search, in its plot, in
# the figure of a paper, in the course of training.
COMPARED = {
    "t2m": (
        "R@1",
        "R@3",
        "FID",
        "FID-norm",
        "MM-Dist",
        "Diversity",
        "MultiModality",
        "Skating",
        "Jerk",
        "Facts",
        "Contradicted",
        "Wrong-side",
        "Well-formed",
    ),
    "m2t": (
        "BLEU@1",
        "BLEU@4",
        "ROUGE-L",
        "CIDEr",
        "BERTScore",
        "R@1",
        "R@3",
        "Grounding",
        "Told",
        "Wrong-side",
        "Well-formed",
    ),
}
# Of fewer replies than the others: how many is said below the table.
COUNTED = ("Wrong-side",)
# Shown only where somebody asked for it.
ON_REQUEST = ("MultiModality",)
SWEPT = {
    "t2m": (
        "R@1",
        "R@3",
        "FID",
        "MM-Dist",
        "Skating",
        "Penetration-mm",
        "Float-mm",
        "Bone-drift",
        "Facts",
        "Contradicted",
        "Wrong-side",
        "Well-formed",
    ),
    "m2t": ("BLEU@4", "ROUGE-L", "CIDEr", "R@1", "R@3", "Grounding", "Well-formed"),
}
DRAWN = {"t2m": ("R@1", "MM-Dist", "FID", "Bone-drift"), "m2t": ("CIDEr", "BLEU@4", "ROUGE-L", "R@1")}
PRINTED = {"t2m": ("R@1", "R@3", "FID", "MM-Dist"), "m2t": ("BLEU@4", "ROUGE-L", "CIDEr", "R@1")}
VALIDATED = {"t2m": ("FID", "R@3", "MM-Dist"), "m2t": ("CIDEr", "BLEU@4", "ROUGE-L")}


def with_arrow(name: str) -> str:
    """What stands above a metric in a table: its title with its arrow; the name as it is where it is none."""
    return f"{METRICS[name].title or name} {ARROWS[METRICS[name].better]}" if name in METRICS else name


def lower_is_better(name: str) -> bool:
    """True where a smaller value of the metric is better; False also for what is no metric, such as a reward."""
    return name in METRICS and METRICS[name].better == "lower"


@dataclass(frozen=True)
class Criterion:
    """A number of a validation that decides which checkpoint is the best.

    Attributes:
        name: as ``--best-by`` says it.
        task: the task it judges; None: every task.
    """

    name: str
    task: str | None

    @property
    def logged(self) -> str:
        """Its name in the trainer's log."""
        return f"eval_{self.name}"

    def badness(self, metrics: Mapping[str, float]) -> float:
        """Lower is better, whatever the metric; infinite where the validation could not compute it."""
        value = metrics.get(self.logged)
        if value is None or not math.isfinite(value):
            return math.inf
        return value if lower_is_better(self.name) else -value


CRITERIA = {
    criterion.name: criterion
    for criterion in (Criterion("loss", None), Criterion("FID", "t2m"), Criterion("CIDEr", "m2t"))
}
