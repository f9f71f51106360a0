"""Flags of GRPO: group size, KL, clipping, the replies that are trained on, validation."""

from dataclasses import dataclass
from typing import Literal

from options.flags.parsing import flag, need
from options.flags.ranges import COUNT, LARGEST, NOT_NEGATIVE, POSITIVE, SHARE, Range
from options.flags.recipes import both_defaults


@dataclass
class RlFlags:
    """GRPO."""

    _argument_group_name = "reinforcement learning (--train-stage rlvr)"

    rl_epochs: int = flag(3, "passes over the prompts; files motionllm_rlvr_epoch_0.pth .. are written", within=COUNT)
    published_rl: bool = flag(
        False, "the published values of the flags that have two defaults here; a flag that is given wins"
    )
    rl_prompts: int | None = flag(None, "prompts an epoch, drawn by the seed; default all", within=COUNT)
    rl_prompts_file: str | None = flag(
        None,
        "what to ask instead of --cot-train-jsonl: a .txt with one caption a line (t2m), or a .jsonl whose lines have "
        "a caption (t2m) or motion_tokens (m2t, as codes.jsonl). No answer is needed: rewards measure the replies. "
        "Lengths and held-out prompts are still those of the CoT files",
    )
    rl_new_prompts: bool | None = flag(
        None, f"each epoch draws other prompts, until all were asked; {both_defaults('rl_new_prompts')}"
    )
    rl_group_size: int = flag(
        8, "replies a prompt, at least 2: advantages compare them", within=Range(least=2, most=LARGEST)
    )
    rl_kl_coef: float | None = flag(
        None,
        f"weight of the KL divergence to the reference policy; {both_defaults('rl_kl_coef')}",
        within=NOT_NEGATIVE,
    )
    rl_clip_eps: float = flag(0.2, "clipping range of the importance ratio", within=POSITIVE)
    disable_rl_component_norm: bool | None = flag(
        None,
        "sum rewards before normalising, instead of normalising each first; "
        f"{both_defaults('disable_rl_component_norm')}",
    )
    rl_scale_rewards: Literal["group", "batch", "none"] | None = flag(
        None,
        "with --disable-rl-component-norm: what a reply earns above its group's mean is divided by the "
        "deviation of the group, of the whole batch, or not at all. By the group, prompts whose replies are equally "
        f"good but for noise count as much as the others; {both_defaults('rl_scale_rewards')}",
    )
    rl_advantage_clip: float | None = flag(
        None,
        "advantages beyond +- this are cut: else one malformed reply can outweigh the rest of its batch",
        within=POSITIVE,
    )
    rl_reference_ckpt: str | None = flag(None, "policy to start from; it is also the KL reference")
    rl_metrics_jsonl: str | None = flag(None, "also write one row of metrics a step to this file")
    rl_temperature: float | None = flag(
        None,
        f"sampling temperature of the replies that are trained on; {both_defaults('rl_temperature')}",
        within=POSITIVE,
    )
    rl_top_p: float = flag(1.0, "nucleus of the replies that are trained on", within=Range(above=0, most=1))
    constrain_grammar: bool = flag(
        False,
        "inside <Motion> of a reply sample only codes, then the closing tags and the end of sequence. Slightly "
        "off-policy: the log-probabilities trained on are those of the policy without this mask",
    )
    rl_reflection_share: float = flag(
        0.0,
        "share of the prompts that show an earlier attempt of the policy, as Chain-of-Motion does, so that "
        "refining is trained; each costs one more reply",
        within=SHARE,
    )
    rl_improvement_weight: float = flag(
        0.0,
        "weight of a further reward on those prompts: what a reply earns above the attempt that it was shown",
        within=NOT_NEGATIVE,
    )
    rl_eval_prompts: int = flag(64, "held-out prompts whose reward is measured after each epoch", within=COUNT)
    rl_eval_samples: int | None = flag(
        None,
        "replies to each of them: small differences of rewards need many; " + both_defaults("rl_eval_samples"),
        within=COUNT,
    )
    rl_val_epochs: int = flag(
        1, "epochs between two measurements of the held-out metrics by --val-evaluator", within=COUNT
    )
    rl_best_by: Literal["judge", "reward", "last"] | None = flag(
        None,
        "what makes an epoch motionllm_rlvr_best.pth: judge, by --val-evaluator (MM-Dist for t2m, CIDEr for m2t, their "
        "ratio for both); the reward of held-out prompts, which rises too where the policy only learns to please it; "
        "or the last epoch. Default: judge with --val-evaluator, else reward",
    )
    rl_stop_on_hacking: bool = flag(
        False,
        "end the training after an epoch at which the warning of reward hacking holds; the best checkpoint is one of "
        "those before",
    )

    def __post_init__(self) -> None:
        need(
            not self.rl_improvement_weight or self.rl_reflection_share > 0,
            "--rl-improvement-weight needs a --rl-reflection-share above 0: it rewards replies to reflections",
        )
