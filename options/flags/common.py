"""Flags that train_mllm.py and eval_mllm.py share: where a run is kept, what it reads, which language model it uses.

Every flag is declared once, in one of the files of this room, with its default, meaning and bounds; published flags
keep their names. A default that the library has too is read from there. Groups are dataclasses, which
`options.flags.parsing` turns into a command line; their checks are in `__post_init__` and name the flag.
"""

from dataclasses import dataclass
from typing import Literal

from options.flags.parsing import flag, need
from options.flags.ranges import COUNT, SEED, Range

DEFAULT_BACKBONE = "Qwen/Qwen3-4B-Instruct-2507"


@dataclass
class RunFlags:
    """Where a run is kept and what it runs on."""

    _argument_group_name = "run"

    device: str = flag("auto", "auto (a GPU if there is one), cpu, cuda, cuda:1, ...")
    seed: int = flag(123, "seed of everything random", within=SEED)
    out_dir: str = flag("experiments", "folder of all runs")
    exp_name: str | None = flag(
        None, "name of this run: files go to OUT_DIR/EXP_NAME; default: test, or beside the evaluated checkpoint"
    )


@dataclass
class EngineFlags:
    """What draws the replies."""

    _argument_group_name = "engine"

    engine: Literal["auto", "transformers", "vllm"] = flag(
        "auto",
        "what draws replies: transformers, or vLLM, which is faster on a GPU and has other draws; auto: vLLM where it "
        "is installed and a GPU is used (demo.py: transformers, which starts at once)",
    )
    engine_server: str | None = flag(
        None,
        "address of a vLLM server that draws replies instead, such as http://node7:8000; many processes may share it. "
        "options/accelerate/vllm_server.sh starts one, with an export of the checkpoint that is asked or trained",
    )

    def __post_init__(self) -> None:
        if self.engine_server is not None:
            need(self.engine != "transformers", "--engine transformers draws here, and --engine-server elsewhere")
            self.engine = "vllm"  # what a run is known by; the address may be another one when it goes on


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
    val_fraction: float = flag(
        0.05, "share of the clips held out for validation without --cot-val-jsonl", within=Range(above=0, below=1)
    )
    cot_task_filter: Literal["t2m", "m2t"] | None = flag(None, "keep only the lines of this task")
    cot_num_workers: int = flag(0, "worker processes that prepare batches", within=Range(least=0, most=1024))
    skip_bad_lines: bool = flag(False, "drop and count malformed jsonl lines instead of stopping at the first")
    motion_tokenizer: str | None = flag(
        None, "motion tokenizer file; default: the one in the checkpoint, or the one named beside the jsonl"
    )

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
        "auto",
        "lora: adapters and the new token rows; full: every weight (right for a tiny random backbone); "
        "auto: full below 20 million parameters",
    )
    precision: Literal["auto", "fp32", "bf16"] = flag(
        "auto", "numbers that the language model computes with; auto: bf16 on a GPU that has it, else fp32"
    )
    attn_implementation: Literal["sdpa", "eager", "flash_attention_2"] = flag(
        "sdpa",
        "how the language model computes attention; flash_attention_2 needs its package, a GPU and bf16. sdpa is eager "
        "where the architecture has no sdpa",
    )
    prompt_style: Literal["auto", "plain", "chat"] = flag(
        "auto",
        "what stands around a question: nothing (base models) or the backbone's chat template (instruct "
        "models); auto: chat where there is a template. A checkpoint keeps its own",
    )
    token_rows: Literal["auto", "noise", "codebook"] = flag(
        "auto",
        "first embeddings of the motion tokens: mean of all tokens plus noise, or plus a projection of the "
        "codebook's vectors; auto: codebook where the motion tokenizer is known",
    )
    load_in_4bit: bool = flag(
        False, "hold the frozen backbone in 4-bit NF4 numbers (QLoRA; needs the package bitsandbytes and lora)"
    )
    lora_r_t2m: int = flag(64, "rank of the t2m adapter", within=COUNT)
    lora_alpha_t2m: int = flag(64, "scale of the t2m adapter", within=COUNT)
    lora_r_m2t: int = flag(32, "rank of the m2t adapter", within=COUNT)
    lora_alpha_m2t: int = flag(32, "scale of the m2t adapter", within=COUNT)
    lora_dropout: float = flag(0.1, "dropout inside adapters", within=Range(least=0, below=1))
    max_text_len: int | None = flag(
        None,
        "most tokens of reasoning; longer reasoning is shortened. Default: those of 99.9 % of the jsonl's reasonings, "
        "to the next multiple of 8",
        within=COUNT,
    )
    max_motion_len: int | None = flag(
        None,
        "most motion codes; longer samples are dropped and counted. Default: those of the jsonl's longest motion (for "
        "m2t also the tokens of 99.9 % of its captions), to the next multiple of 8",
        within=COUNT,
    )

    def lora_size(self, tasks: tuple[str, ...]) -> tuple[int, int, float]:
        """(rank, scale, dropout) of an adapter for `tasks`; one for both tasks has t2m's size."""
        r, alpha = self.lora_r_t2m, self.lora_alpha_t2m
        if tasks == ("m2t",):
            r, alpha = self.lora_r_m2t, self.lora_alpha_m2t
        return r, alpha, self.lora_dropout
