"""Flags of train_mllm.py that both of its stages share."""

from dataclasses import dataclass
from typing import Literal

from models.policy.rates import PUBLISHED_RL_RATE, rates_in_words
from options.flags.parsing import flag
from options.flags.ranges import COUNT, NOT_NEGATIVE, POSITIVE
from options.flags.recipes import both_defaults


@dataclass
class TrainingFlags:
    """What both training stages share."""

    _argument_group_name = "training"

    train_stage: Literal["sft", "rlvr"] = flag("sft", "supervised fine-tuning, or GRPO under verifiable rewards")
    training_task: Literal["t2m", "m2t", "both"] = flag("t2m", "text to motion, motion to text, or one model for both")
    learning_rate: float | None = flag(
        None,
        f"peak learning rate; default by stage and by what is trained: {rates_in_words()}; with --published-rl "
        f"{PUBLISHED_RL_RATE:g}",
        within=POSITIVE,
    )
    batch_size: int = flag(6, "samples (rlvr: prompts) a step", within=COUNT)
    gradient_accumulation: int = flag(1, "micro-batches an optimiser step", within=COUNT)
    lr_schedule: Literal["cosine", "linear", "constant_with_warmup"] | None = flag(
        None, f"how the learning rate falls; default of sft: cosine, of rlvr: {both_defaults('lr_schedule')}"
    )
    warm_up: float = flag(
        0.05, "steps in which the learning rate rises from 0; below 1: share of all steps", within=NOT_NEGATIVE
    )
    max_grad_norm: float = flag(1.0, "gradients are scaled down to this norm", within=POSITIVE)
    weight_decay: float = flag(0.0, "weight decay of AdamW", within=NOT_NEGATIVE)
    resume: bool = flag(
        True, "go on where an interrupted run of this name stopped; --no-resume sets it aside as EXP_NAME.old-N"
    )
    save_minutes: float = flag(
        30.0, "minutes after which the state to go on from is saved inside an epoch too; two are kept", within=POSITIVE
    )
    report_to: str = flag(
        "none", "further trackers, with commas: tensorboard, wandb, mlflow, ... (their packages must be installed)"
    )
    print_iter: int | None = flag(
        None, "steps between two lines of metrics; default: 200 in SFT, 1 in GRPO, whose steps are long", within=COUNT
    )
    val_evaluator: str | None = flag(
        None,
        "text-motion evaluator (a folder of prepare.train_evaluator) that judges replies to clips of the data "
        "set's val split. sft: behind --best-by FID or CIDEr, default checkpoints/DATANAME. rlvr: for held-out metrics "
        "beside the held-out reward, and behind --rl-best-by judge, so it must not be --reward-evaluator; default: "
        "no such metrics",
    )
    val_clips: int = flag(256, "clips of the data set's val split that --val-evaluator judges replies to", within=COUNT)
    trainer_config: str | None = flag(None, "yaml file with further fields of trl's SFTConfig / GRPOConfig")
