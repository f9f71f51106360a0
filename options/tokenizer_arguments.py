"""Flags of the motion tokenizer: its network, its training loss and schedule, and its training command.

Published flags keep their names. The network's defaults stand in `models.vq_network.NetworkConfig` alone: here None
means "not given", so that a command that reads a finished tokenizer can tell a wish from a default.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from options.parsing import flag, required_flag


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _need_positive(flags: Any, *names: str) -> None:
    for name in names:
        value = vars(flags)[name]
        _need(value is None or value > 0, f"--{name.replace('_', '-')} must be positive, not {value}")


@dataclass
class TokenizerNetworkFlags:
    """Sizes of the motion tokenizer."""

    _argument_group_name = (
        "motion tokenizer network (default: the tokenizer file's, or the published size for a new one)"
    )

    nb_code: int | None = flag(None, "number of codes (published: 512)")
    code_dim: int | None = flag(None, "width of a code (512)")
    output_emb_width: int | None = flag(None, "width of the encoder's output, equal to --code-dim (512)")
    width: int | None = flag(None, "channels of the convolutions (512)")
    depth: int | None = flag(None, "residual blocks a step (3)")
    down_t: int | None = flag(None, "down-sampling steps (2)")
    stride_t: int | None = flag(None, "stride of a step (2): a code stands for STRIDE_T ** DOWN_T frames")
    dilation_growth_rate: int | None = flag(None, "growth of the dilation from block to block (3)")
    vq_act: Literal["relu", "silu", "gelu"] | None = flag(None, "activation of the residual blocks (relu)")
    vq_norm: Literal["LN", "GN", "BN"] | None = flag(None, "normalisation in the residual blocks (none)")
    quantizer: Literal["ema_reset", "ema", "orig", "reset"] | None = flag(None, "how codes learn (ema_reset)")
    mu: float | None = flag(None, "share of the old codebook average that a step keeps (0.99)")
    beta: float | None = flag(None, "weight of the codebook loss of the quantizers orig and reset (1.0)")

    def __post_init__(self) -> None:
        _need_positive(self, "nb_code", "code_dim", "output_emb_width", "width", "depth", "down_t", "stride_t")
        _need_positive(self, "dilation_growth_rate")
        _need(self.mu is None or 0 <= self.mu < 1, f"--mu must be in [0, 1), not {self.mu}")
        _need(self.beta is None or self.beta >= 0, f"--beta must not be negative, not {self.beta}")

    def given(self) -> dict[str, Any]:
        """The flags that were set, by name."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass
class TokenizerLossFlags:
    """Windows, loss and schedule of the motion tokenizer's training."""

    _argument_group_name = "motion tokenizer training"

    window_size: int = flag(64, "frames of a training window")
    total_iter: int = flag(300_000, "training steps")
    warm_up_iter: int = flag(1000, "steps in which the learning rate rises to --lr")
    lr: float = flag(2e-4, "learning rate of AdamW")
    lr_scheduler: list[int] = field(
        default_factory=lambda: [200_000],
        metadata={"help": "steps at which the learning rate is multiplied by --gamma"},
    )
    gamma: float = flag(0.05, "factor of the learning rate at each --lr-scheduler step")
    weight_decay: float = flag(0.0, "weight decay of AdamW")
    commit: float = flag(0.02, "weight of the commitment loss")
    loss_vel: float = flag(0.1, "weight of the additional loss on local joint positions")
    recons_loss: Literal["l1_smooth", "l1", "l2"] = flag("l1_smooth", "reconstruction loss")
    resume_pth: str | None = flag(None, "start from the weights of this tokenizer (ours or a published vqvae.pth)")

    def __post_init__(self) -> None:
        _need_positive(self, "window_size", "total_iter", "lr", "gamma")
        for name in ("warm_up_iter", "weight_decay", "commit", "loss_vel"):
            _need(vars(self)[name] >= 0, f"--{name.replace('_', '-')} must not be negative")


@dataclass
class TrainTokenizerFlags:
    """What `prepare.train_motion_tokenizer` needs besides."""

    _argument_group_name = "motion tokenizer training run"

    data_root: str = required_flag("folder in HumanML3D layout")
    dataname: Literal["t2m", "kit"] = flag("t2m", "skeleton: t2m = HumanML3D, kit = KIT-ML")
    batch_size: int = flag(256, "windows a step")
    root_weight: float = flag(1.0, "weight of the 4 root channels in the loss; above 1 the path through space is kept")
    max_minutes: float | None = flag(
        None, "time budget: stops there, and lets the learning rate fall in the last part of it"
    )
    precision: Literal["auto", "fp32", "bf16"] = flag(
        "auto", "bf16 convolutions in training; auto: where the device has them in hardware"
    )
    eval_iter: int = flag(1000, "steps between validations; the state for --resume is saved then")
    print_iter: int = flag(200, "steps between two rows of metrics.jsonl")
    resume: bool = flag(
        False, "go on from the latest state although the schedule changed (the same command goes on by itself)"
    )

    def __post_init__(self) -> None:
        _need_positive(self, "batch_size", "root_weight", "max_minutes", "eval_iter", "print_iter")
