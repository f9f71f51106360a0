"""Flags of supervised fine-tuning."""

from dataclasses import dataclass
from typing import Literal

from models.sft.config import SupervisionConfig
from options.flags.parsing import flag
from options.flags.ranges import COUNT, COUNT_OR_NONE, NOT_NEGATIVE, POSITIVE, SHARE, Range


@dataclass
class SftFlags:
    """Supervised fine-tuning."""

    _argument_group_name = "supervised fine-tuning (--train-stage sft)"

    init_ckpt: str | None = flag(
        None, "checkpoint to go on from; its other task is kept, so t2m and m2t can be trained one after the other"
    )
    epochs_t2m: int = flag(10, "epochs for t2m (and for both)", within=COUNT)
    epochs_m2t: int = flag(10, "epochs for m2t", within=COUNT)
    t2m_share: float | None = flag(
        None,
        "share of t2m in an epoch of both tasks; the rarer task is repeated. Default: as many as there are",
        within=Range(least=0.05, most=0.95),
    )
    epochs_start_val: int = flag(0, "first epoch that is validated", within=COUNT_OR_NONE)
    epochs_val_interval: int = flag(1, "epochs between validations", within=COUNT)
    best_by: Literal["loss", "FID", "CIDEr"] = flag(
        "loss",
        "what makes a validation the best: loss, or a metric of replies to clips of --data-root: FID (t2m), "
        "CIDEr (m2t)",
    )
    patience: int | None = flag(
        None, "validations in a row without a gain after which to stop; default: never", within=COUNT
    )
    token_learning_rate: float | None = flag(
        None,
        "with LoRA: peak learning rate of the rows of the motion tokens, which adapters train beside themselves; "
        "default: --learning-rate",
        within=POSITIVE,
    )
    length_groups: bool = flag(
        False, "samples of a step are of about one length, drawn anew each epoch: less of a batch is padding"
    )
    tokens_per_step: int | None = flag(
        None,
        "add up as many batches to a step as come nearest to so many tokens, padding not counted; instead of "
        "--gradient-accumulation",
        within=COUNT,
    )
    use_reasoning: bool = flag(
        SupervisionConfig.use_reasoning, "train on the chain of thought; without it the reasoning is empty"
    )
    reasoning_weight: float = flag(
        SupervisionConfig.reasoning_weight, "loss weight of reasoning tokens", within=NOT_NEGATIVE
    )
    motion_weight: float = flag(SupervisionConfig.motion_weight, "loss weight of answer tokens", within=NOT_NEGATIVE)
    use_sample_weight: bool = flag(
        SupervisionConfig.use_sample_weight, "multiply losses by the line's sample_weight, reward or advantage"
    )
    reward_clip: float = flag(SupervisionConfig.weight_clip, "sample weights are clipped to this", within=POSITIVE)
    min_sample_weight: float = flag(SupervisionConfig.min_sample_weight, "smallest sample weight", within=NOT_NEGATIVE)
    normalize_reward: bool = flag(False, "divide sample weights by their mean over the file")
    reflection_share: float = flag(
        SupervisionConfig.reflection_share,
        "share of samples that show an earlier attempt, as Chain-of-Motion does",
        within=SHARE,
    )
    show_samples: int = flag(
        0, "print this many samples with what is learned of them, and do nothing else", within=COUNT_OR_NONE
    )
