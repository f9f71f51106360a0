"""The sizes of the motion tokenizer and of its training, with the published defaults. Nothing heavy is imported."""

from dataclasses import dataclass
from typing import Literal, get_args

from utils.errors import InputError

Activation = Literal["relu", "silu", "gelu"]
Norm = Literal["LN", "GN", "BN"]
QuantizerName = Literal["ema_reset", "ema", "orig", "reset"]
ReconstructionLoss = Literal["l1_smooth", "l1", "l2"]

NORM_GROUPS = 32  # of GN


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
            ("--vq-act", self.vq_act, get_args(Activation)),
            ("--vq-norm", self.vq_norm, (None, *get_args(Norm))),
            ("--quantizer", self.quantizer, get_args(QuantizerName)),
        ):
            if value not in allowed:
                raise InputError(f"{name} {value}: expected one of {', '.join(str(choice) for choice in allowed)}")
        if self.vq_norm == "GN" and self.width % NORM_GROUPS:
            raise InputError(f"--vq-norm GN needs a --width that is a multiple of {NORM_GROUPS}, not {self.width}")


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
