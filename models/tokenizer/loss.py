"""The loss of the motion tokenizer measures a reconstruction in several parts, each with a weight."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from utils.motion.skeleton import Skeleton

RECONSTRUCTION_LOSSES = {
    "l1_smooth": functional.smooth_l1_loss,
    "l1": functional.l1_loss,
    "l2": functional.mse_loss,
}
# Root turn and xz velocity, whose errors add up along the path; the fourth root channel, the height, is no change.
_PATH_COLUMNS = slice(0, 3)
# Brings frame-to-frame changes to the scale of the normalised features (their spread is 0.24 to 0.5 of it, measured).
_CHANGE_SCALE = 3.0


@dataclass(frozen=True)
class TrainingConfig:
    """Loss and schedule, set by flags of the same names; the defaults are the published ones.

    Attributes:
        loss_vel: weight of an additional loss on local joint positions (which is what this flag weights in the
            published code, whatever its name).
        root_weight: weight of the four root channels, whose errors add up along the path.
        path_weight: weight of the loss on the sum of root turn and velocity since the window's start.
        change_weight: weight of the loss on frame-to-frame changes of root and local positions.
        precision: ``fp32``, ``bf16``, or ``auto``: bf16 where the device computes it in hardware.
        max_minutes: time budget over all resumed parts; None: only `total_iter` counts.
    """

    batch_size: int = 256
    total_iter: int = 300_000
    warm_up_iter: int = 1000
    lr: float = 2e-4
    lr_scheduler: tuple[int, ...] = (200_000,)
    gamma: float = 0.05
    weight_decay: float = 0.0
    commit: float = 0.02
    loss_vel: float = 0.1
    recons_loss: str = "l1_smooth"
    root_weight: float = 1.0
    path_weight: float = 0.0
    change_weight: float = 0.0
    precision: str = "auto"
    max_minutes: float | None = None


def reconstruction_loss(
    predicted: Tensor,
    target: Tensor,
    lengths: Tensor | None,
    skeleton: Skeleton,
    config: TrainingConfig,
    frames: int | None = None,
) -> Tensor:
    """The mean loss over real frames and channels, plus the weighted parts that `config` asks for.

    Args:
        predicted, target: (B, T, D) normalised features; target is zero behind a clip's end.
        lengths: (B,) real frames; None when every window is full.
        frames: the real frames of the whole step, where these windows are only a share of it (several processes). The
            result is then their share of the step's loss.
    """
    # Padding: both sides are zero there, so it adds nothing, and the mean is over real frames.
    loss = RECONSTRUCTION_LOSSES[config.recons_loss]
    valid: Tensor | None = None
    if frames is None:
        frames = target.shape[0] * target.shape[1] if lengths is None else int(lengths.sum())
    if lengths is not None:
        positions = torch.arange(target.shape[1], device=target.device)
        valid = (positions[None] < lengths[:, None]).unsqueeze(2)
        predicted = predicted * valid

    def mean_over(part: Tensor, true: Tensor) -> Tensor:
        return loss(part, true, reduction="sum") / (frames * part.shape[2])

    local, root = skeleton.positions_slice, skeleton.root_slice
    # All features, then local positions and root once more by their weights.
    total = mean_over(predicted, target)
    if config.loss_vel:
        total = total + config.loss_vel * mean_over(predicted[..., local], target[..., local])
    if config.root_weight != 1:
        share = (root.stop - root.start) / skeleton.feature_dim
        total = total + (config.root_weight - 1) * share * mean_over(predicted[..., root], target[..., root])
    # Where the root has got to since the start of the window: small errors of its velocity add up.
    if config.path_weight:
        drift = torch.cumsum((predicted - target)[..., _PATH_COLUMNS], dim=1)
        drift = drift if valid is None else drift * valid
        total = total + config.path_weight * mean_over(drift, torch.zeros_like(drift))
    # Changes from frame to frame, which tell jitter.
    if config.change_weight:
        moving = slice(root.start, local.stop)
        steps = torch.diff(predicted[..., moving], dim=1), torch.diff(target[..., moving], dim=1)
        if valid is not None:
            steps = steps[0] * valid[:, 1:], steps[1] * valid[:, 1:]
        total = total + config.change_weight * mean_over(_CHANGE_SCALE * steps[0], _CHANGE_SCALE * steps[1])
    return total
