"""Flags of train_mllm.py alone: what both stages share, supervised fine-tuning, reinforcement learning."""

from dataclasses import dataclass
from typing import Literal

from models.sft.supervision import SupervisionConfig
from options.flags.parsing import flag, need


@dataclass
class TrainingFlags:
    """What both training stages share."""

    _argument_group_name = "training"

    train_stage: Literal["sft", "rlvr"] = flag("sft", "supervised fine-tuning, or GRPO under verifiable rewards")
    training_task: Literal["t2m", "m2t", "both"] = flag("t2m", "text to motion, motion to text, or one model for both")
    learning_rate: float = flag(1e-5, "peak learning rate (1e-5 suits LoRA on a 4B model; 2e-3 a tiny one)")
    batch_size: int = flag(6, "samples (rlvr: prompts) a step")
    gradient_accumulation: int = flag(1, "micro-batches an optimiser step")
    lr_schedule: Literal["cosine", "linear", "constant_with_warmup"] | None = flag(
        None, "how the learning rate falls; default: cosine for sft, constant_with_warmup for rlvr"
    )
    warm_up: float = flag(0.05, "steps in which the learning rate rises from 0; below 1: share of all steps")
    max_grad_norm: float = flag(1.0, "gradients are scaled down to this norm")
    weight_decay: float = flag(0.0, "weight decay of AdamW")
    resume: bool = flag(
        True, "go on where an interrupted run of this name stopped; --no-resume sets it aside as EXP_NAME.old-N"
    )
    report_to: str = flag(
        "none", "further trackers, with commas: tensorboard, wandb, mlflow, ... (their packages must be installed)"
    )
    print_iter: int = flag(200, "steps between two lines of metrics")
    val_evaluator: str | None = flag(
        None,
        "text-motion evaluator (a folder of prepare.train_evaluator) that judges replies to clips of the data "
        "set's val split. sft: behind --best-by FID or CIDEr, default checkpoints/DATANAME. rlvr: for held-out metrics "
        "beside the held-out reward, so it must not be --reward-evaluator; default: no such metrics",
    )
    val_clips: int = flag(256, "clips of the data set's val split that --val-evaluator judges replies to")
    trainer_config: str | None = flag(None, "yaml file with further fields of trl's SFTConfig / GRPOConfig")

    def __post_init__(self) -> None:
        need(self.learning_rate > 0, "--learning-rate must be positive")
        need(self.warm_up >= 0, "--warm-up must not be negative")
        need(self.max_grad_norm > 0, "--max-grad-norm must be positive")
        need(self.weight_decay >= 0, "--weight-decay must not be negative")
        for name in ("batch_size", "gradient_accumulation", "print_iter", "val_clips"):
            need(vars(self)[name] > 0, f"--{name.replace('_', '-')} must be positive")


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


@dataclass
class RlFlags:
    """GRPO."""

    _argument_group_name = "reinforcement learning (--train-stage rlvr)"

    rl_epochs: int = flag(3, "passes over the prompts; files motionllm_rlvr_epoch_0.pth .. are written")
    rl_prompts: int | None = flag(None, "prompts an epoch, drawn by the seed; default all")
    rl_group_size: int = flag(8, "replies a prompt")
    rl_kl_coef: float = flag(0.02, "weight of the KL divergence to the reference policy")
    rl_clip_eps: float = flag(0.2, "clipping range of the importance ratio")
    disable_rl_component_norm: bool = flag(False, "sum rewards before normalising, instead of normalising each first")
    rl_scale_rewards: Literal["group", "batch", "none"] = flag(
        "group",
        "with --disable-rl-component-norm: what a reply earns above its group's mean is divided by the "
        "deviation of the group, of the whole batch, or not at all. By the group, prompts whose replies are equally "
        "good but for noise count as much as the others",
    )
    rl_advantage_clip: float | None = flag(
        None, "advantages beyond +- this are cut: else one malformed reply can outweigh the rest of its batch"
    )
    rl_reference_ckpt: str | None = flag(None, "policy to start from; it is also the KL reference")
    rl_metrics_jsonl: str | None = flag(None, "also write one row of metrics a step to this file")
    rl_temperature: float = flag(1.0, "sampling temperature of the replies that are trained on")
    rl_top_p: float = flag(1.0, "nucleus of the replies that are trained on")
    constrain_grammar: bool = flag(
        False,
        "inside <Motion> of a reply sample only codes, then the closing tags and the end of sequence. Slightly "
        "off-policy: the log-probabilities trained on are those of the policy without this mask",
    )
    rl_reflection_share: float = flag(
        0.0,
        "share of the prompts that show an earlier attempt of the policy, as Chain-of-Motion does, so that "
        "refining is trained; each costs one more reply",
    )
    rl_improvement_weight: float = flag(
        0.0, "weight of a further reward on those prompts: what a reply earns above the attempt that it was shown"
    )
    rl_eval_prompts: int = flag(64, "held-out prompts whose reward chooses motionllm_rlvr_best.pth")
    rl_eval_samples: int = flag(1, "replies to each of them: small differences of rewards need many")
    rl_val_epochs: int = flag(1, "epochs between two measurements of the held-out metrics by --val-evaluator")

    def __post_init__(self) -> None:
        need(self.rl_epochs > 0, "--rl-epochs must be positive")
        need(self.rl_prompts is None or self.rl_prompts > 0, "--rl-prompts must be positive")
        need(self.rl_group_size >= 2, "--rl-group-size must be at least 2: advantages compare replies of one prompt")
        need(
            self.rl_scale_rewards == "group" or self.disable_rl_component_norm,
            f"--rl-scale-rewards {self.rl_scale_rewards} needs --disable-rl-component-norm: normalised components are "
            "not scaled again",
        )
        need(self.rl_advantage_clip is None or self.rl_advantage_clip > 0, "--rl-advantage-clip must be positive")
        need(self.rl_kl_coef >= 0, "--rl-kl-coef must not be negative")
        need(self.rl_clip_eps > 0, "--rl-clip-eps must be positive")
        need(self.rl_temperature > 0, "--rl-temperature must be positive")
        need(0 < self.rl_top_p <= 1, "--rl-top-p must be in (0, 1]")
        need(0 <= self.rl_reflection_share <= 1, "--rl-reflection-share must be in [0, 1]")
        need(self.rl_improvement_weight >= 0, "--rl-improvement-weight must not be negative")
        need(
            not self.rl_improvement_weight or self.rl_reflection_share > 0,
            "--rl-improvement-weight needs a --rl-reflection-share above 0: it rewards replies to reflections",
        )
        need(self.rl_eval_prompts > 0, "--rl-eval-prompts must be positive")
        need(self.rl_eval_samples > 0, "--rl-eval-samples must be positive")
        need(self.rl_val_epochs > 0, "--rl-val-epochs must be positive")
