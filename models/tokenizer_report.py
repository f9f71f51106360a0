"""How well a motion tokenizer reconstructs motions, measured in joint space."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from models.motion_tokenizer import MotionTokenizer
from models.quantizers import perplexity
from utils.motion_features import joints_in_metres
from utils.physics_metrics import skating_ratio

MM_PER_METRE = 1000.0


@dataclass(frozen=True, eq=False)
class ReconstructionReport:
    """Reconstruction of N clips. Errors are means over the joints and frames of a clip, in mm.

    Attributes:
        aligned_mm: (N,) with the pelvis of every frame put on the true one ("root-aligned").
        global_mm: (N,) as they stand in space, where the drift of the root adds up.
        usage: share of the codebook that these clips use.
        perplexity: exp of the entropy of their codes.
        skating_real, skating_rebuilt: (N,) foot-skating ratio before and after.
    """

    aligned_mm: np.ndarray
    global_mm: np.ndarray
    usage: float
    perplexity: float
    skating_real: np.ndarray
    skating_rebuilt: np.ndarray

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
        }


def reconstruction_report(tokenizer: MotionTokenizer, clips: Sequence[np.ndarray]) -> ReconstructionReport:
    """Encode and decode (T, D) denormalised clips in batches and compare joints.

    The frames beyond the last whole code are not compared: no code stands for them.
    """
    skeleton = tokenizer.skeleton
    codes = tokenizer.encode_batch(clips)
    aligned, free, skating = [], [], []
    for clip, rebuilt in zip(clips, tokenizer.decode_batch(codes), strict=True):
        true = joints_in_metres(clip[: len(rebuilt)], skeleton)
        found = joints_in_metres(rebuilt, skeleton)
        free.append(_mean_distance(true, found))
        aligned.append(_mean_distance(true - true[:, :1], found - found[:, :1]))
        skating.append([skating_ratio(joints, skeleton.fps) for joints in (true, found)])
    counts = torch.bincount(torch.from_numpy(np.concatenate(codes)), minlength=tokenizer.nb_code).double()
    real, rebuilt = np.array(skating).T
    return ReconstructionReport(
        aligned_mm=np.array(aligned) * MM_PER_METRE,
        global_mm=np.array(free) * MM_PER_METRE,
        usage=float((counts > 0).double().mean()),
        perplexity=float(perplexity(counts)),
        skating_real=real,
        skating_rebuilt=rebuilt,
    )


def _mean_distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b, axis=-1).mean())
