"""Layers of the motion VQ-VAE whose forward knows which positions are valid.

A position past the end of a clip is set to zero before every convolution that looks at neighbours, which is exactly
the padding that a clip alone would see; so a clip gives the same numbers alone and in a batch.
`valid` is (B, 1, T) of 0/1, or None when every position counts.
"""

import torch
from torch import Tensor, nn

ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}
NORMS = ("LN", "GN", "BN")
NORM_GROUPS = 32


def _masked(x: Tensor, valid: Tensor | None) -> Tensor:
    return x if valid is None else x * valid


class Stack(nn.Sequential):
    """Modules in order; up- and down-sampling change the mask."""

    def forward(self, x: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """x (B, C, T) -> (B, C', T') and the mask of its positions."""
        for module in self:
            if isinstance(module, Stack | ResidualStack):
                x, valid = module(x, valid)
            elif isinstance(module, nn.Conv1d):
                x = module(_masked(x, valid))
                if valid is not None:
                    valid = valid[..., :: module.stride[0]]
            elif isinstance(module, nn.Upsample):
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
        self.conv1 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(width, width, 1)

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
    """Over the channels of each frame."""

    def forward(self, x: Tensor, valid: Tensor | None) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class _BatchNorm(nn.BatchNorm1d):
    """Statistics of training come from all positions: padding is rare there."""

    def forward(self, x: Tensor, valid: Tensor | None) -> Tensor:
        return super().forward(x)


class _GroupNorm(nn.GroupNorm):
    """Over groups of channels and the whole clip, so padding must not enter the mean and variance."""

    def forward(self, x: Tensor, valid: Tensor | None) -> Tensor:
        if valid is None:
            return super().forward(x)
        grouped = x.unflatten(1, (self.num_groups, -1))
        mask = valid.unsqueeze(1)
        count = mask.sum((2, 3), keepdim=True) * grouped.shape[2]
        mean = (grouped * mask).sum((2, 3), keepdim=True) / count
        variance = ((grouped - mean).square() * mask).sum((2, 3), keepdim=True) / count
        normed = ((grouped - mean) * torch.rsqrt(variance + self.eps)).flatten(1, 2)
        return normed * self.weight[:, None] + self.bias[:, None]


def _make_norm(norm: str | None, width: int) -> nn.Module:
    if norm == "LN":
        return _LayerNorm(width)
    if norm == "GN":
        return _GroupNorm(NORM_GROUPS, width, eps=1e-6)
    if norm == "BN":
        return _BatchNorm(width, eps=1e-6)
    return _NoNorm()
