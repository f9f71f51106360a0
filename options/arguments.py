"""Every flag of eval_mllm.py, and those that train_mllm.py shares with it: name, default, meaning, bounds.

Each flag is declared once, here or in `options.training_arguments`; published flags keep their names. Groups are
dataclasses; `options.parsing.parse_flags` turns them into a command line. Checks are in `__post_init__` and name
the flag.
"""

from dataclasses import dataclass, field
from typing import Literal

from options.parsing import flag, need

DEFAULT_BACKBONE = "Qwen/Qwen3-4B-Instruct-2507"


@dataclass
class RunFlags:
    """Where a run is kept and what it runs on."""

    _argument_group_name = "run"

    device: str = flag("auto", "auto (a GPU if there is one), cpu, cuda, cuda:1, ...")
    seed: int = flag(123, "seed of everything random")
    out_dir: str = flag("experiments", "folder of all runs")
    exp_name: str | None = flag(
        None, "name of this run: files go to OUT_DIR/EXP_NAME; default: test, or beside the evaluated checkpoint"
    )


@dataclass
class DataFlags:
    """What is read."""

    _argument_group_name = "data"

    dataname: Literal["t2m", "kit"] = flag("t2m", "skeleton and protocol: t2m = HumanML3D, kit = KIT-ML")
    data_root: str | None = flag(
        None, "folder in HumanML3D layout; default data/HumanML3D or data/KIT-ML by --dataname (evaluation, rewards)"
    )
    cot_train_jsonl: str | None = flag(None, "CoT jsonl to train on (made by prepare.write_cot_jsonl)")
    cot_val_jsonl: str | None = flag(None, "CoT jsonl to validate on; default: --val-fraction of the training clips")
    val_fraction: float = flag(0.05, "share of the clips held out for validation without --cot-val-jsonl")
    cot_task_filter: Literal["t2m", "m2t"] | None = flag(None, "keep only the lines of this task")
    cot_num_workers: int = flag(0, "worker processes that prepare batches")
    skip_bad_lines: bool = flag(False, "drop and count malformed jsonl lines instead of stopping at the first")
    motion_tokenizer: str | None = flag(
        None, "motion tokenizer file; default: the one in the checkpoint, or the one named beside the jsonl"
    )

    def __post_init__(self) -> None:
        need(0 < self.val_fraction < 1, f"--val-fraction must be between 0 and 1, not {self.val_fraction}")
        need(self.cot_num_workers >= 0, "--cot-num-workers must not be negative")

    @property
    def data_root_or_default(self) -> str:
        return self.data_root or {"t2m": "data/HumanML3D", "kit": "data/KIT-ML"}[self.dataname]

    @property
    def default_evaluator(self) -> str:
        return f"checkpoints/{self.dataname}"


@dataclass
class ModelFlags:
    """The language model and what of it is trained."""

    _argument_group_name = "language model"

    llm_backbone: str | None = flag(None, f"hub id or folder; default {DEFAULT_BACKBONE}, or the checkpoint's own")
    finetune: Literal["lora", "full", "auto"] = flag(
        "auto", "lora: adapters and the new token rows; full: every weight (right for a tiny random backbone); "
        "auto: full below 20 million parameters"
    )  # fmt: skip
    precision: Literal["auto", "fp32", "bf16"] = flag(
        "auto", "numbers that the language model computes with; auto: bf16 on a GPU that has it, else fp32"
    )
    prompt_style: Literal["auto", "plain", "chat"] = flag(
        "auto", "what stands around a question: nothing (base models) or the backbone's chat template (instruct "
        "models); auto: chat where there is a template. A checkpoint keeps its own"
    )  # fmt: skip
    token_rows: Literal["auto", "noise", "codebook"] = flag(
        "auto", "first embeddings of the motion tokens: mean of all tokens plus noise, or plus a projection of the "
        "codebook's vectors; auto: codebook where the motion tokenizer is known"
    )  # fmt: skip
    load_in_4bit: bool = flag(
        False, "hold the frozen backbone in 4-bit NF4 numbers (QLoRA; needs the package bitsandbytes and lora)"
    )
    lora_r_t2m: int = flag(64, "rank of the t2m adapter")
    lora_alpha_t2m: int = flag(64, "scale of the t2m adapter")
    lora_r_m2t: int = flag(32, "rank of the m2t adapter")
    lora_alpha_m2t: int = flag(32, "scale of the m2t adapter")
    lora_dropout: float = flag(0.1, "dropout inside adapters")
    max_text_len: int = flag(256, "most tokens of reasoning; longer reasoning is shortened")
    max_motion_len: int = flag(200, "most motion codes; longer samples are dropped and counted")

    def __post_init__(self) -> None:
        for name in ("lora_r_t2m", "lora_alpha_t2m", "lora_r_m2t", "lora_alpha_m2t", "max_text_len", "max_motion_len"):
            need(vars(self)[name] > 0, f"--{name.replace('_', '-')} must be positive")
        need(0 <= self.lora_dropout < 1, f"--lora-dropout must be in [0, 1), not {self.lora_dropout}")
        need(not (self.load_in_4bit and self.finetune == "full"), "--load-in-4bit goes with --finetune lora")

    def lora_size(self, tasks: tuple[str, ...]) -> tuple[int, int, float]:
        """(rank, scale, dropout) of an adapter for `tasks`; one for both tasks has t2m's size."""
        r, alpha = self.lora_r_t2m, self.lora_alpha_t2m
        if tasks == ("m2t",):
            r, alpha = self.lora_r_m2t, self.lora_alpha_m2t
        return r, alpha, self.lora_dropout


@dataclass
class RewardFlags:
    """Rewards of GRPO and scorers of Chain-of-Motion. A weight of 0 leaves the reward out."""

    _argument_group_name = "rewards"

    rewards: str | None = flag(None, "name=weight,... or file.py:Class=weight,...: replaces the weights below")
    reward_format_weight: float = flag(0.2, "well-formed replies")
    reward_phys_weight: float = flag(0.5, "physical plausibility (t2m)")
    reward_align_weight: float = flag(0.5, "text-motion consistency, by --reward-evaluator")
    reward_sem_weight: float = flag(0.5, "semantic alignment with the true caption (m2t)")
    reward_coh_weight: float = flag(0.8, "the reasoning entails the answer (m2t)")
    reward_evaluator: str | None = flag(None, "text-motion evaluator that rewards: a folder of prepare.train_evaluator")
    semantic_model_name: str = flag(
        "sentence-transformers/all-MiniLM-L6-v2", "sentence embedding model: hub id, folder or installed package"
    )
    nli_model_name: str = flag(
        "MoritzLaurer/DeBERTa-v3-large-mnli-fever-anli-ling-wanli", "natural language inference model: hub id or folder"
    )
    reward_device: str | None = flag(None, "device of reward models; default --device")
    reward_max_batch_size: int = flag(64, "largest batch of a reward model")

    def __post_init__(self) -> None:
        need(self.reward_max_batch_size > 0, "--reward-max-batch-size must be positive")

    def weights(self) -> dict[str, float]:
        """Weight by reward name, those of weight 0 left out."""
        by_name = {
            "format": self.reward_format_weight,
            "physical": self.reward_phys_weight,
            "consistency": self.reward_align_weight,
            "semantic": self.reward_sem_weight,
            "coherence": self.reward_coh_weight,
        }
        return {name: weight for name, weight in by_name.items() if weight != 0}


@dataclass
class ComFlags:
    """Chain-of-Motion: sample, rank, reflect, refine."""

    _argument_group_name = "Chain-of-Motion"

    use_com: bool = flag(False, "wrap Chain-of-Motion around the model")
    com_candidates: int = flag(8, "replies a round")
    com_refine_steps: int = flag(2, "rounds; every round after the first reflects on the best reply so far")
    com_scorers: str | None = flag(
        None, "name=weight,... of what ranks replies: rewards that read no true caption, file.py:Class, and for m2t "
        "agreement (of a caption with the others); default: the reward flags, physical x 4, with agreement for semantic"
    )  # fmt: skip
    com_patience: int | None = flag(None, "stop a query after so many rounds without a better reply; default: never")
    com_temperature: list[float] = field(
        default_factory=list,
        metadata={"help": "sampling temperature of each round, the last for all further ones; default --temperature"},
    )
    com_max_new_tokens: int | None = flag(None, "longest reply of a round; default --max-new-tokens")
    com_oracle: bool = flag(
        False, "let scorers read the true captions: an upper bound, no result (every signature says oracle)"
    )
    show_trace: int = flag(0, "print what became of the candidates of the first N clips")

    def __post_init__(self) -> None:
        for name in ("com_candidates", "com_refine_steps", "com_patience", "com_max_new_tokens"):
            value = vars(self)[name]
            need(value is None or value > 0, f"--{name.replace('_', '-')} must be positive")
        need(all(value >= 0 for value in self.com_temperature), "--com-temperature must not be negative")
        need(self.show_trace >= 0, "--show-trace must not be negative")

    @property
    def label(self) -> str | None:
        """What signatures say of it."""
        oracle = "-oracle" if self.com_oracle else ""
        return f"{self.com_candidates}x{self.com_refine_steps}{oracle}" if self.use_com else None


@dataclass
class EvalFlags:
    """Evaluation."""

    _argument_group_name = "evaluation"

    eval_task: Literal["t2m", "m2t"] = flag("t2m", "text to motion, or motion to text")
    eval_ckpt: str | None = flag(None, "checkpoint to evaluate, for example experiments/NAME/motionllm_t2m_best.pth")
    eval_split: str = flag("test", "split of the data set", "--m2t-eval-split")
    eval_evaluator: str | None = flag(
        None, "text-motion evaluator that judges: a folder of prepare.train_evaluator; default checkpoints/DATANAME"
    )
    eval_batch_size: int = flag(128, "replies generated together", "--m2t-eval-batch-size", "--batch-size")
    samples: int = flag(1, "replies a prompt; metrics are averaged over them")
    repeats: int = flag(20, "repeats of the metrics (captions and order are drawn anew), for 95 % intervals")
    limit: int | None = flag(None, "evaluate only the first N clips")
    temperature: float = flag(0.7, "sampling temperature; 0 = greedy")
    top_p: float = flag(1.0, "nucleus")
    max_new_tokens: int = flag(512, "longest reply")
    mm_repeats: int | None = flag(
        None, "t2m: replies to one caption that MultiModality compares, 0 = leave it out; default 30, 0 with --use-com"
    )
    mm_texts: int = flag(100, "t2m: captions that MultiModality is averaged over")
    m2t_protocol: Literal["raw", "lemmatized"] = flag(
        "raw", "m2t: compare captions as written, or as the lemmatised words of earlier papers"
    )
    bertscore_model: str = flag(
        "roberta-large", "m2t: hub id or folder of the model behind BERTScore; none leaves it out"
    )
    from_predictions: str | None = flag(
        None,
        "judge these instead of generating: a predictions.jsonl, ours or another system's (format: "
        "models/predictions_file.py), or for t2m a folder of <id>.npy features or joints; codes are decoded by "
        "--motion-tokenizer or that of --eval-ckpt",
    )
    compare: list[str] = field(
        default_factory=list,
        metadata={"help": "print these results.json side by side, with differences clip by clip, and do nothing else"},
    )
    profile: bool = flag(False, "print where the time went")

    def __post_init__(self) -> None:
        need(self.mm_repeats is None or (self.mm_repeats >= 0 and self.mm_repeats != 1), "--mm-repeats: 0, 2 or more")
        for name in ("eval_batch_size", "samples", "repeats", "max_new_tokens", "mm_texts"):
            need(vars(self)[name] > 0, f"--{name.replace('_', '-')} must be positive")
        need(self.limit is None or self.limit > 0, "--limit must be positive")
        need(self.temperature >= 0, "--temperature must not be negative")
        need(0 < self.top_p <= 1, "--top-p must be in (0, 1]")
