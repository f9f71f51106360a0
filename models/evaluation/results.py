"""What an evaluation leaves on disk: every prediction with its scores, and the signed results."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.evaluation.judge import Judged, Metrics
from models.evaluation.predictions import Prediction, failures
from utils.files.atomic import write_jsonl
from utils.metrics.report import MetricValue, Signature, write_results

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replies:
    """What is judged and what its signature must say of where it came from."""

    draws: list[list[Prediction]]
    checkpoint: str | None
    com: str | None
    notes: tuple[str, ...]
    multimodality: MetricValue | None = None
    com_cost: Mapping[str, Any] | None = None


def write_evaluation(
    folder: Path, replies: Replies, judged: Judged, rows: Mapping[str, Metrics], signature: Signature,
    about: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Write predictions.jsonl (scores beside each reply) and results.json; returns what both say in short.

    What could not be used is counted by reason in results.json and logged.
    """
    lines = [
        {**prediction.row(), "scores": scores}
        for row, own in zip(replies.draws, judged.samples, strict=True)
        for prediction, scores in zip(row, own, strict=True)
    ]
    write_jsonl(folder / "predictions.jsonl", lines)
    failed = failures(prediction for row in replies.draws for prediction in row)
    for reason, count in failed.items():
        logger.info("%d of %d replies could not be used: %s", count, len(lines), reason)
    extra = {**about, "replies": len(lines), "malformed": sum(failed.values()), "failures": failed}
    write_results(folder / "results.json", rows, signature, extra)
    return extra
