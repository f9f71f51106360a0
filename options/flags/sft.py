"""Flags of supervised fine-tuning."""

from dataclasses import dataclass
from typing import Literal

from models.sft.config import SupervisionConfig
from options.flags.parsing import flag, need


@dataclass
class SftFlags:
    """Supervised fine-tuning."""

    _argument_group_name = "supervised fine-tuning (--train-stage sft)"

    init_ckpt: str | None = flag(
        None, "checkpoint to go on from; its other task is kept, so t2m and m2t can be trained one after the other"
    )
    epochs_t2m: int = flag(10, "epochs for t2m (and for both)")
    epochs_m2t: int = flag(10, "epochs for m2t")
    t2m_share: float | None = flag(
        None, "share of t2m in an epoch of both tasks; the rarer task is repeated. Default: as many as there are"
    )
    epochs_start_val: int = flag(0, "first epoch that is validated")
    epochs_val_interval: int = flag(1, "epochs between validations")
    best_by: Literal["loss", "FID", "CIDEr"] = flag(
        "loss",
        "what makes a validation the best: loss, or a metric of replies to clips of --data-root: FID (t2m), "
        "CIDEr (m2t)",
    )
    patience: int | None = flag(None, "validations in a row without a gain after which to stop; default: never")
    use_reasoning: bool = flag(
        SupervisionConfig.use_reasoning, "train on the chain of thought; without it the reasoning is empty"
    )
    reasoning_weight: float = flag(SupervisionConfig.reasoning_weight, "loss weight of reasoning tokens")
    motion_weight: float = flag(SupervisionConfig.motion_weight, "loss weight of answer tokens")
    use_sample_weight: bool = flag(
        SupervisionConfig.use_sample_weight, "multiply losses by the line's sample_weight, reward or advantage"
    )
    reward_clip: float = flag(SupervisionConfig.weight_clip, "sample weights are clipped to this")
    min_sample_weight: float = flag(SupervisionConfig.min_sample_weight, "smallest sample weight")
    normalize_reward: bool = flag(False, "divide sample weights by their mean over the file")
    reflection_share: float = flag(
        SupervisionConfig.reflection_share, "share of samples that show an earlier attempt, as Chain-of-Motion does"
    )
    show_samples: int = flag(0, "print this many samples with what is learned of them, and do nothing else")

    def __post_init__(self) -> None:
        for name in ("epochs_t2m", "epochs_m2t", "epochs_val_interval"):
            need(vars(self)[name] > 0, f"--{name.replace('_', '-')} must be positive")
        for name in ("reasoning_weight", "motion_weight", "min_sample_weight"):
            need(vars(self)[name] >= 0, f"--{name.replace('_', '-')} must not be negative")
        need(self.reward_clip > 0, "--reward-clip must be positive")
        need(0 <= self.reflection_share <= 1, "--reflection-share must be in [0, 1]")
        need(self.show_samples >= 0, "--show-samples must not be negative")
        need(self.patience is None or self.patience > 0, "--patience must be positive")
        need(self.t2m_share is None or 0.05 <= self.t2m_share <= 0.95, "--t2m-share must be in [0.05, 0.95]")
