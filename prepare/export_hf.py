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

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from models.engines.start_folder import save_model
from models.inference.loading import ABOUT_FILE, TOKENIZER_FILE, is_about, write_about
from models.language.prompts import Query, render_query
from models.policy.checkpoint import load_checkpoint, motion_tokenizer_of
from models.policy.policy import build_policy
from options.flags.parsing import flag, need, parse_flags, required_flag
from prepare.export.card import model_card, read_card_results
from prepare.export.hub import check_hub, push_folder
from utils.errors import InputError
from utils.files.atomic import unfinished_name, write_text
from utils.files.folders import write_folder
from utils.files.outputs import check_output_folder
from utils.files.pretrained import load_part, load_weights
from utils.run.command import quiet_libraries, run_command

CARD_FILE = "README.md"
# Largest difference of a logit between the checkpoint's policy and the folder.
TOLERANCE = 1e-4


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
        "float32", "number type of the weights: float32, or bfloat16, which rounds most of a short training away"
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
    if flags.push_to_hub is not None:
        check_hub(flags.push_to_hub)
    folder = Path(flags.out_dir)
    export(flags, folder)
    if flags.push_to_hub is not None:
        address = push_folder(folder, flags.push_to_hub, flags.private)
        print(f'{address}: there; MotionLLM.load("{address.partition("//")[2].partition("/")[2]}") loads it')


def export(flags: ExportFlags, folder: Path) -> None:
    """Write the folder; where it is finished already, only a card with other results is written anew."""
    # The policy of one task, or of both where they share it.
    checkpoint = load_checkpoint(flags.ckpt)
    tasks = (flags.task,) if flags.task else checkpoint.tasks
    checkpoint.check_tasks(tasks, flags.ckpt)
    if not checkpoint.shared_by(tasks):
        raise InputError(f"{flags.ckpt} has a policy of its own for each of {' and '.join(tasks)}: give --task")
    # One query, to compare the written folder with, and to show.
    example = render_query(_example(tasks[0], checkpoint.config.nb_code), checkpoint.config.style)
    card = model_card(checkpoint, tasks, example, flags.dtype, read_card_results(flags.results, checkpoint, tasks))
    unfinished = (folder / unfinished_name(folder.name)).exists()
    if not unfinished and is_about(folder, checkpoint, tasks, flags.dtype):
        if flags.results:
            write_text(folder / CARD_FILE, card)
        print(f"{folder}: exported already")
        return
    if not unfinished and (folder / ABOUT_FILE).is_file():
        raise InputError(
            f"--out-dir {folder}: is not empty: holds an export of another checkpoint, task or --dtype, and is left "
            "alone: give a new or an empty folder"
        )
    check_output_folder(folder, marker=unfinished_name(folder.name))  # of the same export, where it was killed
    policy = build_policy(checkpoint, tasks[0], backbone=flags.llm_backbone)
    model, vocabulary = policy.model, policy.language.vocabulary
    before = _logits(model.eval(), vocabulary.encode(example))
    model = model.to(getattr(torch, flags.dtype))
    differences = []

    def write(place: Path) -> None:
        save_model(place, model, vocabulary)
        if checkpoint.motion_tokenizer is not None:
            motion_tokenizer_of(checkpoint, None, flags.ckpt).save(place / TOKENIZER_FILE)
        write_text(place / CARD_FILE, card)
        write_about(place, checkpoint, tasks, flags.dtype)
        differences.append(check(place, example, before))
        if flags.dtype == "float32" and not differences[0] <= TOLERANCE:
            raise InputError(
                f"{folder}: what was to be written gives other logits (by {differences[0]:.1e}): not written"
            )

    write_folder(folder, write)
    size = f"{model.num_parameters() / 1e6:.1f} M weights, {len(vocabulary.tokenizer)} tokens"
    print(f"{folder}: {size}; logits as those of the checkpoint to {differences[0]:.1e}")


def check(folder: Path, example: str, before: torch.Tensor) -> float:
    """Load the folder with transformers alone; the largest difference of its logits from `before` (V,)."""
    tokenizer = load_part(AutoTokenizer, str(folder))
    ids = tokenizer(example, add_special_tokens=False)["input_ids"]
    model = load_weights(AutoModelForCausalLM, str(folder), dtype=torch.float32).eval()
    return float((_logits(model, ids) - before).abs().max())


@torch.no_grad()
def _logits(model: PreTrainedModel, ids: list[int]) -> torch.Tensor:
    """(V,) logits of the token after `ids`."""
    return model(torch.tensor([ids], device=model.device)).logits[0, -1].float().cpu()


def _example(task: str, nb_code: int) -> Query:
    if task == "t2m":
        return Query("t2m", caption="a person walks forward and waves.")
    return Query("m2t", codes=tuple(range(min(8, nb_code))))


if __name__ == "__main__":
    run_command(main)
