"""A motion tokenizer is measured on a split here, after its training or by a command of its own -> results.json."""

import logging
from pathlib import Path

import numpy as np
import torch

from dataset.humanml.layout import MotionRecord, read_split
from models.text_motion.evaluator import TextMotionEvaluator
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.report import (
    CaptionedMotions,
    ReconstructionReport,
    evaluator_metrics,
    reconstruction_report,
)
from utils.errors import InputError
from utils.metrics.criteria import RETRIEVAL
from utils.metrics.report import NORMAL_95, MetricValue, Signature, format_table, transposed, write_results
from utils.metrics.text_motion import too_few
from utils.motion.skeleton import Skeleton

# Draws of captions and groups behind R-precision, as in the published protocol, and their seed. The seed is fixed, so
# that a tokenizer gets the same numbers from its training and from prepare.evaluate_motion_tokenizer.
REPEATS = 20
SEED = 123


def load_evaluator(folder: str, name: str, skeleton: Skeleton, device: torch.device) -> TextMotionEvaluator:
    """The evaluator that the flag `name` names. Raises InputError, with the flag, for none or one of other features."""
    try:
        evaluator = TextMotionEvaluator.load(folder, device)
    except InputError as error:
        raise InputError(f"{name} {error}") from error
    if evaluator.skeleton != skeleton:
        raise InputError(f"{name} {folder} is for --dataname {evaluator.skeleton.name}, not {skeleton.name}")
    return evaluator


def report_tokenizer(
    path: str | Path,
    tokenizer: MotionTokenizer,
    clips: list[np.ndarray],
    data_root: str,
    split: str,
    evaluator: TextMotionEvaluator | None = None,
) -> tuple[ReconstructionReport, str]:
    """Measure a tokenizer on a split and write results.json to `path`; the report, and the same as a table.

    Args:
        clips: the motions of the split (`read_motions`); joint errors, codes and physics are of all of them.
        evaluator: measures the captioned motions of the split (`read_split`), as published; where the split has no
            captions, FID is of `clips` and R-precision stays "-". Without one all of its metrics stay "-".
    """
    # Joints, codes and physics of all clips; what an evaluator says of those with captions.
    report = reconstruction_report(tokenizer, clips, progress="reconstruct")
    rows = _joint_rows(report)
    if evaluator is not None:
        records = _captioned(data_root, split, tokenizer.skeleton)
        motions = [record.features for record in records] or clips
        captions = [[caption.tokens for caption in record.captions] for record in records] or None
        if evaluator.words is None:  # it reads motions only
            captions = None
        captioned = CaptionedMotions(motions, captions)
        judged = evaluator_metrics(tokenizer, evaluator, captioned, REPEATS, SEED, progress="evaluator")
        for name, metrics in judged.items():
            rows[name] |= metrics
    not_computed = MetricValue(None, None, len(clips), 0)
    for name, expected in (("real", RETRIEVAL), ("reconstructed", ("FID", *RETRIEVAL))):
        rows[name] |= {metric: not_computed for metric in expected if metric not in rows[name]}
    signature = Signature(
        data=tokenizer.skeleton.name,
        split=split,
        seed=SEED,
        evaluator=evaluator.fingerprint if evaluator is not None else None,
        checkpoint=tokenizer.fingerprint,
    )
    # What a reader must know of these numbers.
    few = None if evaluator is None else too_few(rows["reconstructed"]["FID"].n, evaluator.sizes.embedding_size)
    remarks = [] if few is None else [few]
    write_results(path, rows, signature, {"data_root": str(data_root), "remarks": remarks})
    return report, "\n".join([format_table(transposed(rows), columns=list(rows)), *remarks])


def _captioned(root: str, split: str, skeleton: Skeleton) -> list[MotionRecord]:
    """The captioned motions of a split; none where nothing of it has a caption."""
    try:
        return read_split(root, split, skeleton)
    except InputError as error:
        logging.warning("no R-precision: %s", error)
        return []


def _joint_rows(report: ReconstructionReport) -> dict[str, dict[str, MetricValue]]:
    clips = len(report.aligned_mm)

    def over_clips(values: np.ndarray) -> MetricValue:
        return MetricValue(float(values.mean()), NORMAL_95 * float(values.std()) / clips**0.5, clips, 1)

    def one(value: float) -> MetricValue:
        return MetricValue(value, None, clips, 1)

    return {
        "real": {"skating": over_clips(report.skating_real), "jerk m/s3": over_clips(report.jerk_real)},
        "reconstructed": {
            "MPJPE mm": over_clips(report.aligned_mm),
            "global mean mm": over_clips(report.global_mm),
            "global median mm": one(float(np.median(report.global_mm))),
            "usage %": one(100 * report.usage),
            "perplexity": one(report.perplexity),
            "skating": over_clips(report.skating_rebuilt),
            "jerk m/s3": over_clips(report.jerk_rebuilt),
        },
    }
