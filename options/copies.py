"""The baseline of --baseline: what nearness is measured by, and what the signature says of it.

Imports are late: `--help` and a mistyped path must not wait for torch.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from utils.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from dataset.humanml.layout import MotionRecord
    from models.evaluation.judge import Judge
    from models.evaluation.predictions import Replies
    from models.evaluation.questions import Questions
    from options.evaluate import EvalSettings

SOURCE = "train"  # the split that is copied from


def copied_replies(settings: "EvalSettings", questions: "Questions", draws: int, judge: "Judge | None") -> "Replies":
    """For every question what the nearest of the training clips has.

    Args:
        draws: sets of captions that are asked for (t2m).
        judge: who will judge; None: nobody.

    Raises InputError where the judge would also choose, and that is not allowed.
    """
    from dataset.humanml.layout import read_split
    from models.evaluation.nearest_copy import NN_COPY, copied_captions, copied_motions
    from models.evaluation.predictions import Replies
    from utils.files.fingerprints import fingerprint

    train = read_split(settings.data.data_root_or_default, SOURCE, settings.skeleton, True)
    near, chosen_by = _nearness(settings, train)
    evaluator = None if judge is None else judge.evaluator
    if None not in (chosen_by, evaluator) and chosen_by == evaluator.fingerprint:
        _refuse_judge(settings)
    logging.info("each answer is copied from the nearest of %d training clips, by %s", len(train), near.label)
    if settings.evaluation.eval_task == "t2m":
        rows = copied_motions(questions, train, draws, near.place)
    else:
        rows = copied_captions(questions, train, near.place)
    clips = fingerprint(*(part for record in train for part in (record.id, *(c.text for c in record.captions))))
    notes = (f"baseline={NN_COPY}", f"nearest={near.label}", f"copied-from={SOURCE}:{len(train)}:{clips}")
    return Replies(rows, ranked_by=chosen_by, notes=notes)


def _refuse_judge(settings: "EvalSettings") -> None:
    if not settings.com.allow_judge_as_ranker:
        raise InputError(
            "the evaluator that judges would also choose what is copied, and the numbers flatter: give another "
            "--reward-evaluator, leave it out (nearest by features), or give --allow-judge-as-ranker"
        )


@dataclass(frozen=True)
class _Near:
    """What nearness is measured in (`models.evaluation.nearest_copy`), and what the signature calls it."""

    place: Callable[[Sequence[Any]], "np.ndarray"]
    label: str


def _nearness(settings: "EvalSettings", train: "Sequence[MotionRecord]") -> "tuple[_Near, str | None]":
    """By meaning (t2m), by --reward-evaluator or by features (m2t); and the fingerprint of the evaluator that chose."""
    from models.evaluation.nearest_copy import by_features
    from models.text_motion.evaluator import TextMotionEvaluator
    from rewards.text_models import SentenceEncoder

    models = settings.rewards.models(str(settings.device))
    if settings.evaluation.eval_task == "t2m":
        encoder = SentenceEncoder(models.semantic, models.device, models.max_batch_size)
        return _Near(lambda texts: encoder.embed(texts).double().numpy(), f"sentence:{models.semantic}"), None
    if models.evaluator is None:
        return _Near(by_features(train), "features"), None
    evaluator = TextMotionEvaluator.load(models.evaluator, device=models.device)
    settings.check_skeleton("evaluator", evaluator.skeleton)
    return (
        _Near(lambda motions: evaluator.embed_features(motions).cpu().double().numpy(), "evaluator"),
        evaluator.fingerprint,
    )
