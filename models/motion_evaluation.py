"""From rollouts to the numbers of the field: text-to-motion and motion-to-text (design: evaluation protocol).

A reply that cannot be used stays in: it is a miss in R-precision and an empty caption, it has no part in the
metrics that need a motion (FID, MM-Dist, Diversity, physics), and its share is a metric of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dataset.humanml_layout import MotionRecord
from models.prompts import parse_reply
from models.real_motion_metrics import EmbeddedRecords
from models.rollout import Rollout
from models.text_motion_evaluator import TextMotionEvaluator, fit_length
from utils.caption_metrics import caption_scores
from utils.caption_tagger import Tagger
from utils.metric_report import MetricValue, collect_repeats
from utils.motion_features import joints_in_metres
from utils.motion_metrics import r_precision
from utils.physics_metrics import bone_length_drift, float_mm, mean_jerk, penetration_mm, skating_ratio
from utils.skeleton import Skeleton
from utils.text_motion_protocol import GROUP, evaluate_text_to_motion

# So far from everything that a missing motion or caption is no neighbour of the others.
_NOWHERE = 1e6

Metrics = dict[str, MetricValue]


@dataclass(frozen=True)
class Judge:
    """Who measures, how often, and from which seed."""

    evaluator: TextMotionEvaluator
    repeats: int
    seed: int


def is_well_formed(rollout: Rollout) -> bool:
    """The reply ended by itself and follows the grammar, and its codes (t2m) exist."""
    reply_ok = parse_reply(rollout.text, rollout.task).problem is None
    return reply_ok and rollout.finished and (rollout.task == "m2t" or rollout.motion is not None)


def text_to_motion_metrics(
    draws: Sequence[Sequence[Rollout]], captions: Sequence[Sequence[str]], real: Sequence[np.ndarray], judge: Judge
) -> Metrics:
    """Metrics of generated motions, averaged over draws and repeats.

    Args:
        draws: one list of rollouts per draw, each in the order of `captions`.
        captions: ``word/POS`` tokens of the caption that each rollout was asked for.
        real: real motions (T, D), the reference of FID.
    """
    text = _numpy(judge.evaluator.embed_captions(captions))
    real_embeddings = _numpy(judge.evaluator.embed_features(real))
    usable = [[_is_embeddable(rollout.motion) for rollout in rollouts] for rollouts in draws]
    motions = [
        _embed_where(judge.evaluator, [rollout.motion for rollout in rollouts], mask)
        for rollouts, mask in zip(draws, usable, strict=True)
    ]
    rng = np.random.default_rng(judge.seed)

    def measure(draw: int) -> dict[str, float]:
        mask, order = np.asarray(usable[draw]), rng.permutation(len(text))
        row = evaluate_text_to_motion(text[mask], motions[draw][mask], real_embeddings, rng)
        return {**row, **_ranks(text[order], motions[draw][order], mask[order])}

    metrics = _over_draws(measure, len(draws), judge.repeats, len(text))
    shares = [np.mean([is_well_formed(rollout) for rollout in rollouts]) for rollouts in draws]
    played = [rollout.motion for rollouts in draws for rollout in rollouts if rollout.motion is not None]
    return {
        **metrics,
        **physical_metrics(played, judge.evaluator.skeleton),
        "Well-formed": MetricValue.over_repeats(shares, len(text)),
    }


def real_motion_metrics(records: Sequence[MotionRecord], judge: Judge) -> Metrics:
    """The same metrics of the real motions themselves, a random caption each: what a perfect generator would score."""
    rows = EmbeddedRecords.of(judge.evaluator, records).repeats(judge.repeats, np.random.default_rng(judge.seed))
    real = [record.features for record in records]
    return {**collect_repeats(rows, len(records)), **physical_metrics(real, judge.evaluator.skeleton)}


def physical_metrics(motions: Sequence[np.ndarray], skeleton: Skeleton) -> Metrics:
    """Means over motions (T, D) of the metrics of `utils.physics_metrics`."""
    joints = [joints_in_metres(motion, skeleton) for motion in motions]
    functions = {
        "Skating": lambda clip: skating_ratio(clip, skeleton.fps),
        "Penetration-mm": penetration_mm,
        "Float-mm": float_mm,
        "Jerk": lambda clip: mean_jerk(clip, skeleton.fps),
        "Bone-drift": bone_length_drift,
    }
    return {
        name: MetricValue.over_repeats([float(np.mean([function(clip) for clip in joints]))], len(joints))
        for name, function in functions.items()
        if joints
    }


def motion_to_text_metrics(
    draws: Sequence[Sequence[Rollout]], real: Sequence[np.ndarray], tagger: Tagger, judge: Judge
) -> Metrics:
    """Caption scores against the references in the rollouts, and retrieval of the real motion by the caption.

    Args:
        draws: one list of rollouts per draw, each in the order of `real`; a malformed reply is an empty caption.
        real: the motions (T, D) that were described.
        tagger: makes ``word/POS`` tokens of predicted captions.
    """
    motion = _numpy(judge.evaluator.embed_features(real))
    scores, texts, masks = [], [], []
    for rollouts in draws:
        predictions = [rollout.answer if is_well_formed(rollout) else "" for rollout in rollouts]
        scores.append(caption_scores(predictions, [list(rollout.reference) for rollout in rollouts]))
        mask = np.array([bool(prediction.strip()) for prediction in predictions])
        embeddings = np.full(motion.shape, _NOWHERE)
        if mask.any():
            tokens = [tagger.tag(prediction) for prediction, usable in zip(predictions, mask, strict=True) if usable]
            embeddings[mask] = _numpy(judge.evaluator.embed_captions(tokens))
        texts.append(embeddings)
        masks.append(mask)
    metrics = collect_repeats(scores, len(real))
    rng = np.random.default_rng(judge.seed)

    def measure(draw: int) -> dict[str, float]:
        order = rng.permutation(len(real))
        distance = np.linalg.norm(texts[draw] - motion, axis=1)[masks[draw]]
        return {**_ranks(texts[draw][order], motion[order], masks[draw][order]), "MM-Dist": _mean(distance)}

    shares = [np.mean([is_well_formed(rollout) for rollout in rollouts]) for rollouts in draws]
    return {
        **metrics,
        # Its model cannot be assumed to be there: named, never counted as 0.
        "BERTScore": MetricValue(None, None, len(real), 0),
        **_over_draws(measure, len(draws), judge.repeats, len(real)),
        "Well-formed": MetricValue.over_repeats(shares, len(real)),
    }


def _over_draws(measure: Callable[[int], dict[str, float]], draws: int, repeats: int, n: int) -> Metrics:
    """Metrics over `repeats` shufflings, dealt out over the draws.

    What varies between evaluations is what was generated, not how it was shuffled: with several draws the interval
    is over the draws, each the mean of its shufflings. With one draw it can only be over the shufflings.
    """
    shufflings = -(-repeats // draws)
    rows = [[measure(draw) for _ in range(shufflings)] for draw in range(draws)]
    if draws == 1:
        return collect_repeats(rows[0], n)
    return collect_repeats([{name: float(np.mean([row[name] for row in own])) for name in own[0]} for own in rows], n)


def _ranks(text: np.ndarray, motion: np.ndarray, usable: np.ndarray) -> dict[str, float]:
    top = r_precision(text, motion, top_k=3, group=GROUP, usable=usable)
    return {f"R@{rank}": float(value) for rank, value in enumerate(top, start=1)}


def _embed_where(
    evaluator: TextMotionEvaluator, motions: Sequence[np.ndarray | None], mask: Sequence[bool]
) -> np.ndarray:
    embeddings = np.full((len(motions), evaluator.sizes.embedding_size), _NOWHERE)
    chosen = [motion for motion, usable in zip(motions, mask, strict=True) if usable]
    if chosen:
        embeddings[np.asarray(mask)] = _numpy(evaluator.embed_features(chosen))
    return embeddings


def _is_embeddable(motion: np.ndarray | None) -> bool:
    return motion is not None and fit_length(len(motion)) > 0


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float64)
