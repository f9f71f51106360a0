"""The published motion VQ-VAE is built here: a 1-D convolutional encoder and decoder around a quantizer.

State-dict keys and numbers are those of T2M-GPT's network (Zhang et al., CVPR 2023; `net` of its `vqvae.pth`).
Beyond it, clips of different lengths share a batch without seeing their padding (see `models.tokenizer.layers`).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.tokenizer.layers import ACTIVATIONS, NORM_GROUPS, NORMS, Conv1d, ResidualStack, Stack, Upsample
from models.tokenizer.quantizers import QUANTIZERS, QuantizerOutput
from utils.errors import InputError


@dataclass(frozen=True)
class NetworkConfig:
    """The sizes of the network, set by flags of the same names; the defaults are the published ones."""

    feature_dim: int = 263
    nb_code: int = 512
    code_dim: int = 512
    width: int = 512
    depth: int = 3
    down_t: int = 2
    stride_t: int = 2
    dilation_growth_rate: int = 3
    output_emb_width: int = 512
    vq_act: str = "relu"
    vq_norm: str | None = None
    quantizer: str = "ema_reset"
    mu: float = 0.99
    beta: float = 1.0

    @property
    def unit_length(self) -> int:
        """Frames that one code stands for."""
        return self.stride_t**self.down_t

    def __post_init__(self) -> None:
        if self.code_dim != self.output_emb_width:
            raise InputError(
                f"--code-dim {self.code_dim} and --output-emb-width {self.output_emb_width} must be equal: "
                "the quantizer takes the encoder's output as it is"
            )
        if self.stride_t % 2:
            raise InputError(f"--stride-t {self.stride_t} must be even")
        for name, value, allowed in (
            ("--vq-act", self.vq_act, tuple(ACTIVATIONS)),
            ("--vq-norm", self.vq_norm, (None, *NORMS)),
            ("--quantizer", self.quantizer, tuple(QUANTIZERS)),
        ):
            if value not in allowed:
                raise InputError(f"{name} {value}: expected one of {', '.join(str(choice) for choice in allowed)}")
        if self.vq_norm == "GN" and self.width % NORM_GROUPS:
            raise InputError(f"--vq-norm GN needs a --width that is a multiple of {NORM_GROUPS}, not {self.width}")


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
