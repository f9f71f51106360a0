"""What an evaluation leaves on disk: every prediction with its scores, and the signed results."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.evaluation.evaluate import Evaluation
from models.evaluation.predictions import Replies, failures
from models.evaluation.predictions_file import PREDICTIONS_FILE
from utils.files.json_files import write_jsonl
from utils.metrics.report import Signature, write_results

logger = logging.getLogger(__name__)


def write_evaluation(
    folder: Path, replies: Replies, evaluation: Evaluation, signature: Signature, about: Mapping[str, Any]
) -> dict[str, Any]:
    """Write predictions.jsonl (scores beside each reply) and results.json; returns what both say in short.

    What could not be used is counted by reason in results.json and logged, and so is what a reader must know.
    """
    lines = [
        {**prediction.row(), "scores": scores}
        for row, own in zip(replies.draws, evaluation.samples, strict=True)
        for prediction, scores in zip(row, own, strict=True)
    ]
    write_jsonl(folder / PREDICTIONS_FILE, lines)
    failed = failures(prediction for row in replies.draws for prediction in row)
    for reason, count in failed.items():
        logger.info("%d of %d replies could not be used: %s", count, len(lines), reason)
    for remark in evaluation.about.get("remarks", ()):
        logger.warning("%s", remark)
    counts = {"replies": len(lines), "malformed": sum(failed.values()), "failures": failed}
    extra = {**about, **evaluation.about, **counts}
    write_results(folder / "results.json", evaluation.rows, signature, extra)
    return extra
