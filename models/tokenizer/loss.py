"""The loss of the motion tokenizer measures a reconstruction in several parts, each with a weight."""

import torch
from torch import Tensor
from torch.nn import functional

from models.tokenizer.config import TrainingConfig
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
