"""A motion tokenizer is judged by its reconstructions: in joint space, and by a text-motion evaluator."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from models.text_motion.evaluator import TextMotionEvaluator
from models.text_motion.real_motion import EmbeddedRecords
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.quantizers import perplexity
from utils.metrics.criteria import RETRIEVAL
from utils.metrics.physics import mean_jerk, skating_ratio
from utils.metrics.report import MetricValue, collect_repeats
from utils.metrics.text_motion import frechet_distance, samples_used
from utils.motion.features import joints_in_metres
from utils.progress import Progress

MM_PER_METRE = 1000.0
# Motions whose reconstructions are in memory at a time, however large the data set.
_CLIPS_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class ReconstructionReport:
    """How well N clips were reconstructed. Errors are means over the joints and frames of a clip, in mm.

    Attributes:
        aligned_mm: (N,) errors with the pelvis of every frame put on the true one ("root-aligned").
        global_mm: (N,) errors in space, where the drift of the root adds up.
        usage: share of the codebook that these clips use.
        perplexity: exp of the entropy of their codes.
        skating_real, skating_rebuilt: (N,) foot-skating ratio before and after.
        jerk_real, jerk_rebuilt: (N,) mean jerk before and after, in m/s^3: how rough the motion is.
    """

    aligned_mm: np.ndarray
    global_mm: np.ndarray
    usage: float
    perplexity: float
    skating_real: np.ndarray
    skating_rebuilt: np.ndarray
    jerk_real: np.ndarray
    jerk_rebuilt: np.ndarray

    @property
    def mpjpe_mm(self) -> float:
        """Root-aligned mean per-joint position error."""
        return float(self.aligned_mm.mean())

    def numbers(self) -> dict[str, float]:
        """The report as plain numbers by name."""
        return {
            "mpjpe_mm": self.mpjpe_mm,
            "global_mean_mm": float(self.global_mm.mean()),
            "global_median_mm": float(np.median(self.global_mm)),
            "usage": self.usage,
            "perplexity": self.perplexity,
            "skating_real": float(self.skating_real.mean()),
            "skating_rebuilt": float(self.skating_rebuilt.mean()),
            "jerk_real": float(self.jerk_real.mean()),
            "jerk_rebuilt": float(self.jerk_rebuilt.mean()),
        }


def reconstruction_report(
    tokenizer: MotionTokenizer, clips: Sequence[np.ndarray], progress: str | None = None
) -> ReconstructionReport:
    """Encode and decode (T, D) denormalised clips in batches and compare joints.

    Frames behind the last whole code are not compared, since no code stands for them. `progress` names a progress bar.
    """
    skeleton = tokenizer.skeleton
    aligned, free, skating, jerk = [], [], [], []
    counts = torch.zeros(tokenizer.nb_code, dtype=torch.float64)
    for part in _reconstruct(tokenizer, clips, progress):
        counts += torch.bincount(torch.from_numpy(np.concatenate(part.codes)), minlength=tokenizer.nb_code)
        for real, rebuilt in zip(part.real, part.rebuilt, strict=True):
            true, found = joints_in_metres(real, skeleton), joints_in_metres(rebuilt, skeleton)
            free.append(_mean_distance(true, found))
            aligned.append(_mean_distance(true - true[:, :1], found - found[:, :1]))
            skating.append([skating_ratio(joints, skeleton.fps) for joints in (true, found)])
            jerk.append([mean_jerk(joints, skeleton.fps) for joints in (true, found)])
    skating_real, skating_rebuilt = np.array(skating).T
    jerk_real, jerk_rebuilt = np.array(jerk).T
    return ReconstructionReport(
        aligned_mm=np.array(aligned) * MM_PER_METRE,
        global_mm=np.array(free) * MM_PER_METRE,
        usage=float((counts > 0).double().mean()),
        perplexity=float(perplexity(counts)),
        skating_real=skating_real,
        skating_rebuilt=skating_rebuilt,
        jerk_real=jerk_real,
        jerk_rebuilt=jerk_rebuilt,
    )


@dataclass(frozen=True, eq=False)
class CaptionedMotions:
    """Clips with their captions.

    Attributes:
        motions: N clips (T, D), denormalised.
        captions: for each motion the ``word/POS`` tokens of its captions, at least one; None: there are none.
    """

    motions: Sequence[np.ndarray]
    captions: Sequence[Sequence[Sequence[str]]] | None = None


def evaluator_metrics(
    tokenizer: MotionTokenizer,
    evaluator: TextMotionEvaluator,
    clips: CaptionedMotions,
    repeats: int,
    seed: int,
    progress: str | None = None,
) -> dict[str, dict[str, MetricValue]]:
    """The metrics of the real motions and of their reconstructions, as rows ``real`` and ``reconstructed``.

    Both sides are cut to the frames that were encoded. FID compares the embeddings of all motions of both sides:
    nothing is drawn, so it has no interval. R-precision and MM-Dist are means over `repeats` draws of captions
    and groups, the same draws for both rows.

    Args:
        evaluator: of the tokenizer's skeleton.
        clips: without captions there is no R-precision and no MM-Dist.
        progress: names a progress bar.
    """
    # Embed both sides, and compare all of them at once (FID).
    embedded: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for part in _reconstruct(tokenizer, clips.motions, progress):
        for rows, motions in zip(embedded, (part.real, part.rebuilt), strict=True):
            rows.append(evaluator.embed_features(motions).cpu().numpy())
    real, rebuilt = (np.concatenate(rows) for rows in embedded)
    metrics: dict[str, dict[str, MetricValue]] = {"real": {}, "reconstructed": {}}
    metrics["reconstructed"]["FID"] = MetricValue.over_repeats([frechet_distance(real, rebuilt)], len(real))
    if clips.captions is None:
        return metrics
    # Match each side with the captions, by the same draws (a new generator of the same seed).
    text = evaluator.embed_captions([tokens for own in clips.captions for tokens in own]).cpu().numpy()
    owners = np.repeat(np.arange(len(clips.captions)), [len(own) for own in clips.captions])
    for name, motion in (("real", real), ("reconstructed", rebuilt)):
        draws = EmbeddedRecords(text, owners, motion).repeats(repeats, np.random.default_rng(seed))
        found = collect_repeats(draws, samples_used(len(real)))
        metrics[name] |= {metric: found[metric] for metric in RETRIEVAL}
    return metrics


@dataclass(frozen=True, eq=False)
class _Part:
    """Some clips, cut to whole codes, with their codes and the motions decoded from these."""

    real: list[np.ndarray]
    codes: list[np.ndarray]
    rebuilt: list[np.ndarray]


def _reconstruct(tokenizer: MotionTokenizer, clips: Sequence[np.ndarray], progress: str | None) -> Iterator[_Part]:
    with Progress(total=len(clips), desc=progress, disable=progress is None, unit="motion", dynamic_ncols=True) as bar:
        for start in range(0, len(clips), _CLIPS_AT_ONCE):
            chunk = clips[start : start + _CLIPS_AT_ONCE]
            codes = tokenizer.encode_batch(chunk)
            rebuilt = tokenizer.decode_batch(codes)
            real = [clip[: len(found)] for clip, found in zip(chunk, rebuilt, strict=True)]
            yield _Part(real, codes, rebuilt)
            bar.update(len(chunk))


def _mean_distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b, axis=-1).mean())
