"""Flags of the published command lines that this project needs less than the published one, or not at all."""

from dataclasses import dataclass

from options.flags.parsing import flag
from options.flags.ranges import COUNT
from utils.errors import InputError


@dataclass
class TokenizerShapeFlags:
    """The motion tokenizer's shape. It is read from the tokenizer or checkpoint; a contradiction is an error."""

    _argument_group_name = "motion tokenizer shape (read from the file; give one only to have it checked)"

    nb_code: int | None = flag(None, "size of the codebook", within=COUNT)

    def check_against(self, nb_code: int, source: str) -> None:
        """Raise InputError where the flag contradicts the file."""
        if self.nb_code is not None and self.nb_code != nb_code:
            raise InputError(f"--nb-code {self.nb_code} contradicts {source}, whose codebook has {nb_code} codes")


_IGNORED_EVERYWHERE = {
    "the evaluator folder says it": ("reward-dataset-opt-path", "reward-glove-path"),
    "read from the tokenizer": (
        "code-dim",
        "down-t",
        "stride-t",
        "width",
        "depth",
        "dilation-growth-rate",
        "output-emb-width",
        "vq-act",
        "vq-norm",
        "quantizer",
    ),
    "see prepare.train_motion_tokenizer": ("mu", "beta"),
    "see --epochs-val-interval": ("eval-iter",),
}

# Reason -> flags that are accepted, with any values, so that published command lines run as they are.
IGNORED_IN_TRAINING = {
    **_IGNORED_EVERYWHERE,
    "see eval_mllm.py": ("com-candidates", "com-refine-steps"),
    "caches are bounded": ("reward-reset-cache-each-epoch", "reward-clear-cache-values"),
}
IGNORED_IN_EVALUATION = {
    **_IGNORED_EVERYWHERE,
    "see --eval-ckpt": ("model-ckpt",),
    "see --out-dir": ("save-dir",),
    "no worker is needed": ("m2t-eval-num-workers",),
    "see train_mllm.py": ("use-reasoning", "reasoning-weight", "motion-weight", "print-iter", "resume-gpt"),
    "see prepare.train_motion_tokenizer": (
        *_IGNORED_EVERYWHERE["see prepare.train_motion_tokenizer"],
        "window-size",
        "total-iter",
        "warm-up-iter",
        "lr",
        "lr-scheduler",
        "gamma",
        "weight-decay",
        "commit",
        "loss-vel",
        "recons-loss",
        "resume-pth",
    ),
    "see prepare.render_motion": ("results-dir", "visual-name", "vis-gt", "nb-vis"),
}

# Published command lines give these also where nothing reads them: to the other stage of training, and to evaluations.
# A warning says so.
PUBLISHED_FOR_BOTH_STAGES = frozenset(
    {
        "epochs_t2m", "epochs_m2t", "epochs_start_val", "epochs_val_interval", "use_reasoning", "reasoning_weight",
        "motion_weight", "use_sample_weight", "reward_clip", "normalize_reward", "min_sample_weight", "cot_num_workers",
        "lora_dropout", "rl_epochs", "rl_group_size", "rl_kl_coef", "rl_clip_eps", "disable_rl_component_norm",
        "rl_reference_ckpt", "rl_metrics_jsonl", "reward_format_weight", "reward_sem_weight", "reward_coh_weight",
        "reward_phys_weight", "reward_align_weight", "semantic_model_name", "nli_model_name", "reward_device",
        "reward_max_batch_size",
    }
)  # fmt: skip
PUBLISHED_FOR_EVALUATION = frozenset(
    {
        "com_candidates", "com_refine_steps", "lora_r_t2m", "lora_alpha_t2m", "lora_r_m2t", "lora_alpha_m2t",
        "lora_dropout", "max_text_len", "max_motion_len",
    }
)  # fmt: skip
# Flags of groups that evaluation has too, which only training reads.
ONLY_TRAINING = (
    "cot_train_jsonl", "cot_val_jsonl", "val_fraction", "cot_task_filter", "cot_num_workers", "skip_bad_lines",
    "finetune", "prompt_style", "token_rows", "load_in_4bit", "lora_r_t2m", "lora_alpha_t2m", "lora_r_m2t",
    "lora_alpha_m2t", "lora_dropout", "max_text_len", "max_motion_len",
)  # fmt: skip
