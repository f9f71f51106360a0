"""The published motion VQ-VAE is built here: a 1-D convolutional encoder and decoder around a quantizer.

State-dict keys and numbers are those of T2M-GPT's network (Zhang et al., CVPR 2023; `net` of its `vqvae.pth`).
Beyond it, clips of different lengths share a batch without seeing their padding (see `models.tokenizer.layers`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.tokenizer.config import NetworkConfig
from models.tokenizer.layers import Conv1d, ResidualStack, Stack, Upsample
from models.tokenizer.quantizers import QUANTIZERS, QuantizerOutput


def _residual_stack(config: NetworkConfig) -> ResidualStack:
    return ResidualStack(config.width, config.depth, config.dilation_growth_rate, config.vq_act, config.vq_norm)


def _channels_last(x: Tensor) -> Tensor:
    """(B, T, C) -> (B, C, 1, T) over the same memory."""
    return x.transpose(1, 2).unsqueeze(2)


def _time_first(x: Tensor) -> Tensor:
    """(B, C, 1, T) -> (B, T, C)."""
    return x.squeeze(2).transpose(1, 2)


class Encoder(nn.Module):
    """Normalised features (B, T, D) -> latents (B, T / unit_length, code_dim)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width, stride = config.width, config.stride_t
        steps = (
            Stack(Conv1d(width, width, 2 * stride, stride, stride // 2), _residual_stack(config))
            for _ in range(config.down_t)
        )
        self.model = Stack(
            Conv1d(config.feature_dim, width, 3, padding=1),
            nn.ReLU(),
            *steps,
            Conv1d(width, config.output_emb_width, 3, padding=1),
        )

    def forward(self, x: Tensor, valid: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        x, valid = self.model(_channels_last(x), None if valid is None else valid[:, None, None])
        return _time_first(x), None if valid is None else valid[:, 0, 0]


class Decoder(nn.Module):
    """Codes as vectors (B, N, code_dim) -> normalised features (B, N * unit_length, D)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width = config.width
        steps = (
            Stack(
                _residual_stack(config),
                Upsample(scale_factor=config.stride_t),
                Conv1d(width, width, 3, padding=1),
            )
            for _ in range(config.down_t)
        )
        self.model = Stack(
            Conv1d(config.output_emb_width, width, 3, padding=1),
            nn.ReLU(),
            *steps,
            Conv1d(width, width, 3, padding=1),
            nn.ReLU(),
            Conv1d(width, config.feature_dim, 3, padding=1),
        )

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        return _time_first(self.model(_channels_last(x), None if valid is None else valid[:, None, None])[0])


class MotionVQ(nn.Module):
    """Encoder, quantizer and decoder under the published prefix ``vqvae.``."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.vqvae = nn.ModuleDict(
            {
                "encoder": Encoder(config),
                "decoder": Decoder(config),
                "quantizer": QUANTIZERS[config.quantizer](config.nb_code, config.code_dim, config.mu, config.beta),
            }
        )

    def _valid_mask(self, lengths: Tensor, frames: int) -> Tensor:
        """(B,) lengths in frames -> (B, frames) of 0/1."""
        positions = torch.arange(frames, device=lengths.device)
        return (positions[None] < lengths[:, None]).to(torch.float32)

    def forward(self, normalized: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, QuantizerOutput]:
        """Reconstruct (B, T, D) normalised features; T and lengths are multiples of `unit_length`."""
        valid = None if lengths is None else self._valid_mask(lengths, normalized.shape[1])
        latents, code_valid = self.vqvae["encoder"](normalized, valid)
        quantized = self.vqvae["quantizer"](latents.float(), None if code_valid is None else code_valid[:, None])
        decoded = self.vqvae["decoder"](quantized.latents, code_valid)
        return decoded.float(), quantized

    def encode(self, normalized: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, T, D) -> (B, T / unit_length) int64 codes; those behind the end of a clip mean nothing."""
        valid = None if lengths is None else self._valid_mask(lengths, normalized.shape[1])
        latents, _ = self.vqvae["encoder"](normalized, valid)
        return self.vqvae["quantizer"].nearest(latents.float())

    def encode_with_margin(self, normalized: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As `encode`, with the margin (B, T / unit_length) of each choice (see `nearest_with_margin`)."""
        valid = None if lengths is None else self._valid_mask(lengths, normalized.shape[1])
        latents, _ = self.vqvae["encoder"](normalized, valid)
        return self.vqvae["quantizer"].nearest_with_margin(latents.float())

    def decode(self, codes: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, N) codes, (B,) valid counts -> (B, N * unit_length, D) normalised features."""
        valid = None if lengths is None else self._valid_mask(lengths, codes.shape[1])
        return self.vqvae["decoder"](functional.embedding(codes, self.vqvae["quantizer"].table()), valid)
