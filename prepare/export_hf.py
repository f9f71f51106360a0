"""Write a checkpoint as a standard transformers folder: merged model and tokenizer, nothing of ours needed to load it.

    python -m prepare.export_hf --ckpt experiments/morl_rlvr_t2m/motionllm_rlvr_best.pth --out-dir export \\
      --results experiments/morl_rlvr_t2m/eval_t2m_motionllm_rlvr_best --push-to-hub me/walker --private

`AutoModelForCausalLM.from_pretrained(folder)` and vLLM load it; a motion is text (`<Motion><Motion_17>...</Motion>`).
The motion tokenizer that turns codes into motion, with its statistics, is written beside it, and a model card with the
prompt to use and the results of evaluations. What was written is loaded again and must give the same logits.
`MotionLLM.load` takes the folder, or its name on the hub.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from options.flags.parsing import flag, need, parse_flags, required_flag
from utils.run.command import quiet_libraries, run_command


@dataclass
class ExportFlags:
    """Flags: which checkpoint is exported, and where to."""

    _argument_group_name = "export"

    ckpt: str = required_flag("checkpoint of train_mllm.py")
    out_dir: str = required_flag("folder to write; must not exist or be empty")
    task: Literal["t2m", "m2t"] | None = flag(
        None, "whose policy, where the checkpoint has one of its own for each task; default: the only one"
    )
    llm_backbone: str | None = flag(None, "where the backbone lies now, if it has moved since training")
    dtype: str = flag(
        "float32",
        "number type of the weights: float32, or bfloat16, whose rounding can cost a short training: it is printed",
    )
    results: list[str] = field(
        default_factory=list, metadata={"help": "evaluations of this checkpoint (folders) whose numbers the card shows"}
    )
    push_to_hub: str | None = flag(None, "repository of the hub to put the folder into, such as me/walker")
    private: bool = flag(False, "make that repository a private one, where it is new")

    def __post_init__(self) -> None:
        need(not self.private or self.push_to_hub is not None, "--private goes with --push-to-hub")
        if self.dtype not in ("float32", "bfloat16"):
            raise ValueError(f"--dtype must be float32 or bfloat16, got {self.dtype}")


def main() -> None:
    (flags,) = parse_flags(ExportFlags, description=__doc__)
    quiet_libraries()
    # Late imports: `--help` and a mistyped flag must not wait for torch and transformers.
    from prepare.export.hub import check_hub, push_folder
    from prepare.export.write import Export, export

    if flags.push_to_hub is not None:
        check_hub(flags.push_to_hub)
    folder = Path(flags.out_dir)
    wanted = Export(flags.ckpt, flags.task, flags.llm_backbone, flags.dtype, tuple(flags.results))
    export(wanted, folder)
    if flags.push_to_hub is not None:
        address = push_folder(folder, flags.push_to_hub, flags.private)
        print(f'{address}: there; MotionLLM.load("{address.partition("//")[2].partition("/")[2]}") loads it')


if __name__ == "__main__":
    run_command(main)
