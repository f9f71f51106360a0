"""The layers of the motion VQ-VAE know which positions are valid.

A position past the end of a clip is set to zero before every convolution that looks at neighbours, which is exactly
the padding that a clip alone would see; so a clip gives the same numbers alone and in a batch.

Shape legend: x (B, C, 1, T) in channels-last order, so that a motion (B, T, C) in memory needs no copy; `valid`
(B, 1, 1, T) of 0/1, or None when every position counts.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.tokenizer.config import NORM_GROUPS

ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}


def _masked(x: Tensor, valid: Tensor | None) -> Tensor:
    return x if valid is None else x * valid


class Conv1d(nn.Conv1d):
    """A 1-D convolution with the published weight (C', C, K), computed as a 2-D one of height 1.

    In channels-last order that is a matrix product on the data as it lies: on a CPU 1.1 to 1.9 times as fast as the
    1-D kernels, most with dilation (tests/benchmarks/tokenizer_speed.py).
    """

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        return functional.conv2d(
            x, weight, self.bias, (1, *self.stride), (0, *self.padding), (1, *self.dilation), self.groups
        )


class Upsample(nn.Upsample):
    """Repeats every position `scale_factor` times (nearest)."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=(1, self.scale_factor), mode="nearest")


class Stack(nn.Sequential):
    """Modules one after the other; strides and upsampling change the mask along with the positions."""

    def forward(self, x: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """x (B, C, 1, T) -> (B, C', 1, T') and the mask of its positions."""
        for module in self:
            if isinstance(module, Stack | ResidualStack):
                x, valid = module(x, valid)
            elif isinstance(module, Conv1d):
                x = module(_masked(x, valid))
                if valid is not None:
                    valid = valid[..., :: module.stride[0]]
            elif isinstance(module, Upsample):
                x = module(x)
                if valid is not None:
                    valid = module(valid)
            else:
                x = module(x)
        return x, valid


class _ResidualBlock(nn.Module):
    """[norm, activation, dilated convolution of 3, norm, activation, convolution of 1] added to the input."""

    def __init__(self, width: int, dilation: int, activation: str, norm: str | None) -> None:
        super().__init__()
        self.norm1, self.norm2 = (_make_norm(norm, width) for _ in range(2))
        self.activation = ACTIVATIONS[activation]()
        self.conv1 = Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.conv2 = Conv1d(width, width, 1)

    def forward(self, x: Tensor, valid: Tensor | None) -> Tensor:
        hidden = self.conv1(_masked(self.activation(self.norm1(x, valid)), valid))
        return x + self.conv2(self.activation(self.norm2(hidden, valid)))


class ResidualStack(nn.Module):
    """Blocks whose dilation shrinks towards the last one (the published network does so in both directions)."""

    def __init__(self, width: int, depth: int, dilation_growth_rate: int, activation: str, norm: str | None) -> None:
        super().__init__()
        dilations = [dilation_growth_rate**power for power in reversed(range(depth))]
        self.model = nn.ModuleList(_ResidualBlock(width, dilation, activation, norm) for dilation in dilations)

    def forward(self, x: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor | None]:
        for block in self.model:
            x = block(x, valid)
        return x, valid


class _NoNorm(nn.Identity):
    def forward(self, x: Tensor, valid: Tensor | None) -> Tensor:
        return x


class _LayerNorm(nn.LayerNorm):
    """Layer norm over the channels of each frame."""

    def forward(self, x: Tensor, valid: Tensor | None) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class _BatchNorm(nn.BatchNorm1d):
    """Batch norm. Its statistics of training come from all positions, also from padding, which is rare there."""

    def forward(self, x: Tensor, valid: Tensor | None) -> Tensor:
        return super().forward(x.squeeze(2)).unsqueeze(2)


class _GroupNorm(nn.GroupNorm):
    """Group norm over groups of channels and the whole clip; padding does not enter the mean and variance."""

    def forward(self, x: Tensor, valid: Tensor | None) -> Tensor:
        if valid is None:  # the same sums as with a mask, so that a clip alone gives the same numbers to the last bit
            valid = x.new_ones(1, 1, 1, x.shape[-1])
        grouped = x.unflatten(1, (self.num_groups, -1))
        mask = valid.unsqueeze(1)
        count = mask.sum((2, 3, 4), keepdim=True) * grouped.shape[2]
        mean = (grouped * mask).sum((2, 3, 4), keepdim=True) / count
        variance = ((grouped - mean).square() * mask).sum((2, 3, 4), keepdim=True) / count
        normed = ((grouped - mean) * torch.rsqrt(variance + self.eps)).flatten(1, 2)
        return normed * self.weight[:, None, None] + self.bias[:, None, None]


def _make_norm(norm: str | None, width: int) -> nn.Module:
    if norm == "LN":
        return _LayerNorm(width)
    if norm == "GN":
        return _GroupNorm(NORM_GROUPS, width, eps=1e-6)
    if norm == "BN":
        return _BatchNorm(width, eps=1e-6)
    return _NoNorm()
