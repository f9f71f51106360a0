"""Flags of the motion tokenizer: its network, its training loss and schedule, and its training command.

Published flags keep their names and defaults. Commands that read a finished tokenizer take its shape from its file.
"""

from dataclasses import asdict, dataclass, field
from typing import Literal

from models.tokenizer.config import (
    Activation,
    NetworkConfig,
    Norm,
    QuantizerName,
    ReconstructionLoss,
    TrainingConfig,
)
from options.flags.parsing import flag, required_flag
from options.flags.ranges import COUNT, COUNT_OR_NONE, NOT_NEGATIVE, POSITIVE, Range


@dataclass
class TokenizerNetworkFlags:
    """Sizes of a new motion tokenizer; published defaults."""

    _argument_group_name = "motion tokenizer network"

    nb_code: int = flag(NetworkConfig.nb_code, "number of codes", within=COUNT)
    code_dim: int = flag(NetworkConfig.code_dim, "width of a code", within=COUNT)
    output_emb_width: int | None = flag(
        None, "width of the encoder's output; must equal --code-dim, its default", within=COUNT
    )
    width: int = flag(NetworkConfig.width, "channels of the convolutions", within=COUNT)
    depth: int = flag(NetworkConfig.depth, "residual blocks a step", within=Range(above=0, most=1000))
    down_t: int = flag(NetworkConfig.down_t, "down-sampling steps", within=Range(above=0, most=16))
    stride_t: int = flag(
        NetworkConfig.stride_t,
        "stride of a step: a code stands for STRIDE_T ** DOWN_T frames",
        within=Range(above=0, most=1000),
    )
    dilation_growth_rate: int = flag(
        NetworkConfig.dilation_growth_rate,
        "growth of the dilation from block to block",
        within=Range(above=0, most=1000),
    )
    vq_act: Activation = flag(NetworkConfig.vq_act, "activation of the residual blocks")
    vq_norm: Norm | None = flag(NetworkConfig.vq_norm, "normalisation in the residual blocks; default none")
    quantizer: QuantizerName = flag(NetworkConfig.quantizer, "how codes learn")
    mu: float = flag(
        NetworkConfig.mu, "share of the old codebook average that a step keeps", within=Range(least=0, below=1)
    )
    beta: float = flag(
        NetworkConfig.beta, "weight of the codebook loss of the quantizers orig and reset", within=NOT_NEGATIVE
    )

    def __post_init__(self) -> None:
        if self.output_emb_width is None:
            self.output_emb_width = self.code_dim
        self.network_config(NetworkConfig.feature_dim)  # refuses sizes that do not go together

    def network_config(self, feature_dim: int) -> NetworkConfig:
        """The network that the flags describe. Raises InputError for sizes that do not go together."""
        return NetworkConfig(feature_dim=feature_dim, **asdict(self))


@dataclass
class TokenizerLossFlags:
    """Windows, loss and schedule of the motion tokenizer's training."""

    _argument_group_name = "motion tokenizer training"

    window_size: int = flag(64, "frames of a training window", within=COUNT)
    total_iter: int = flag(TrainingConfig.total_iter, "training steps", within=COUNT)
    warm_up_iter: int = flag(
        TrainingConfig.warm_up_iter, "steps in which the learning rate rises to --lr", within=COUNT_OR_NONE
    )
    lr: float = flag(TrainingConfig.lr, "learning rate of AdamW", within=POSITIVE)
    lr_scheduler: list[int] = field(
        default_factory=lambda: list(TrainingConfig.lr_scheduler),
        metadata={"help": "steps at which the learning rate is multiplied by --gamma", "within": COUNT_OR_NONE},
    )
    gamma: float = flag(
        TrainingConfig.gamma, "factor of the learning rate at each --lr-scheduler step", within=POSITIVE
    )
    weight_decay: float = flag(TrainingConfig.weight_decay, "weight decay of AdamW", within=NOT_NEGATIVE)
    commit: float = flag(TrainingConfig.commit, "weight of the commitment loss", within=NOT_NEGATIVE)
    loss_vel: float = flag(
        TrainingConfig.loss_vel, "weight of the additional loss on local joint positions", within=NOT_NEGATIVE
    )
    recons_loss: ReconstructionLoss = flag(TrainingConfig.recons_loss, "reconstruction loss")
    resume_pth: str | None = flag(None, "start from the weights of this tokenizer (ours or a published vqvae.pth)")


@dataclass
class TrainTokenizerFlags:
    """What `prepare.train_motion_tokenizer` needs besides."""

    _argument_group_name = "motion tokenizer training run"

    data_root: str = required_flag("folder in HumanML3D layout")
    dataname: Literal["t2m", "kit"] = flag("t2m", "skeleton: t2m = HumanML3D, kit = KIT-ML")
    batch_size: int = flag(TrainingConfig.batch_size, "windows a step", within=COUNT)
    root_weight: float = flag(
        TrainingConfig.root_weight,
        "weight of the 4 root channels in the loss; above 1 the path through space is kept",
        within=POSITIVE,
    )
    path_weight: float = flag(
        TrainingConfig.path_weight,
        "weight of the loss on summed root turn and velocity: it keeps the path from drifting",
        within=NOT_NEGATIVE,
    )
    change_weight: float = flag(
        TrainingConfig.change_weight,
        "weight of the loss on frame-to-frame changes of root and local positions: less jitter and foot skating",
        within=NOT_NEGATIVE,
    )
    max_minutes: float | None = flag(
        TrainingConfig.max_minutes,
        "time budget: stops there, and lets the learning rate fall in the last part of it",
        within=POSITIVE,
    )
    precision: Literal["auto", "fp32", "bf16"] = flag(
        TrainingConfig.precision,
        "bf16: convolutions in training in bfloat16; auto: where the device has it in hardware",
    )
    eval_iter: int = flag(1000, "steps between validations; the state for --resume is saved then", within=COUNT)
    print_iter: int = flag(200, "steps between two rows of metrics.jsonl", within=COUNT)
    eval_evaluator: str | None = flag(
        None, "text-motion evaluator folder for FID and R-precision in the final report; default: they stay '-'"
    )
    resume: bool = flag(
        False, "go on from the latest state although the schedule changed (the same command goes on without it)"
    )
