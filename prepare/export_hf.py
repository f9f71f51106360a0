"""Write a checkpoint as a standard transformers folder: merged model and tokenizer, nothing of ours needed to load it.

    python -m prepare.export_hf --ckpt experiments/morl_rlvr_t2m/motionllm_rlvr_best.pth --out-dir export

`AutoModelForCausalLM.from_pretrained(folder)` and vLLM load it; a motion is text (`<Motion><Motion_17>...</Motion>`).
The motion tokenizer that turns codes into motion is written beside it, and a model card with the prompt to use. What
was written is loaded again and must give the same logits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedModel

from models.inference.loading import TOKENIZER_FILE, write_about
from models.language.prompts import Query, render_query
from models.policy.checkpoint import Checkpoint, load_checkpoint, motion_tokenizer_of
from models.policy.policy import build_policy
from options.flags.parsing import flag, parse_flags, required_flag
from utils.errors import InputError
from utils.files.atomic import write_text
from utils.files.folders import unfinished_name, write_folder
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
    dtype: str = flag("float32", "number type of the weights: float32 or bfloat16")

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "bfloat16"):
            raise ValueError(f"--dtype must be float32 or bfloat16, got {self.dtype}")


def main() -> None:
    (flags,) = parse_flags(ExportFlags, description=__doc__)
    quiet_libraries()
    folder = Path(flags.out_dir)
    # The policy of one task, or of both where they share it.
    checkpoint = load_checkpoint(flags.ckpt)
    tasks = (flags.task,) if flags.task else checkpoint.tasks
    checkpoint.check_tasks(tasks, flags.ckpt)
    if not checkpoint.shared_by(tasks):
        raise InputError(f"{flags.ckpt} has a policy of its own for each of {' and '.join(tasks)}: give --task")
    # One query, to compare the written folder with, and to show.
    example = render_query(_example(tasks[0], checkpoint.config.nb_code), checkpoint.config.style)
    card = model_card(checkpoint, tasks, example, flags.dtype)
    if is_exported(folder, card):
        print(f"{folder}: exported already")
        return
    check_output_folder(folder, marker=unfinished_name(folder))  # of the same export, where it was killed
    policy = build_policy(checkpoint, tasks[0], backbone=flags.llm_backbone)
    model, vocabulary = policy.model, policy.language.vocabulary
    before = _logits(model.eval(), vocabulary.encode(example))
    model = model.to(getattr(torch, flags.dtype))
    # The backbone's own generation settings (a repetition penalty, say) would spoil motions.
    model.generation_config = GenerationConfig(
        eos_token_id=vocabulary.eos_id, pad_token_id=vocabulary.tokenizer.pad_token_id
    )
    differences = []

    def write(place: Path) -> None:
        model.save_pretrained(place)
        vocabulary.tokenizer.save_pretrained(place)
        if checkpoint.motion_tokenizer is not None:
            motion_tokenizer_of(checkpoint, None, flags.ckpt).save(place / TOKENIZER_FILE)
        write_about(place, checkpoint, tasks)
        write_text(place / CARD_FILE, card)
        differences.append(check(place, example, before))
        if flags.dtype == "float32" and not differences[0] <= TOLERANCE:
            raise InputError(
                f"{folder}: what was to be written gives other logits (by {differences[0]:.1e}): not written"
            )

    write_folder(folder, write, last=CARD_FILE)
    size = f"{model.num_parameters() / 1e6:.1f} M weights, {len(vocabulary.tokenizer)} tokens"
    print(f"{folder}: {size}; logits as those of the checkpoint to {differences[0]:.1e}")


def is_exported(folder: Path, card: str) -> bool:
    """Whether a folder is a finished export with this card: it is written whole, and the card names what it is of."""
    place = folder / CARD_FILE
    unfinished = (folder / unfinished_name(folder)).exists()
    return not unfinished and place.is_file() and place.read_bytes() == card.encode("utf-8")


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


def model_card(checkpoint: Checkpoint, tasks: Sequence[str], example: str, dtype: str) -> str:
    """The README.md of the folder, whose weights are numbers of type `dtype`."""
    config = checkpoint.config
    parts = checkpoint.parts_of(tasks[0])
    names = {"t2m": "text to motion", "m2t": "motion to text"}
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in (checkpoint.metrics or {}).items())
    stages = ", then ".join(f"`{part.stage}` ({part.finetune} fine-tuning)" for part in parts)
    reasoning = "with" if all(part.use_reasoning for part in parts) else "without"
    return f"""---
library_name: transformers
pipeline_tag: text-generation
---
# MoRL policy: {" and ".join(names[task] for task in tasks)}

Merged from a checkpoint: {stages} of `{config.backbone}`.

- fingerprint `{checkpoint.fingerprint(tasks[0])}`{f"; {metrics}" if metrics else ""}
- weights in {dtype}
- {config.nb_code} motion codes, written `<Motion_0>` to `<Motion_{config.nb_code - 1}>`
- {config.style.name} prompts of version {config.prompt_version}, {reasoning} reasoning

The prompt, to be continued by the model up to the end of sequence:

```
{example}
```

The reply is `reasoning</think><answer>...</answer>`; for text to motion the answer is
`<Motion><Motion_17>...</Motion>`. `{TOKENIZER_FILE}` turns codes into motion features:
`MotionTokenizer.load("{TOKENIZER_FILE}").decode(codes)` of the MoRL project.
"""


if __name__ == "__main__":
    run_command(main)
