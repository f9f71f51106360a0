"""A checkpoint is written as a standard transformers folder, and what was written is loaded again and compared."""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from models.engines.start_folder import save_model
from models.inference.loading import ABOUT_FILE, TOKENIZER_FILE, is_about, write_about
from models.language.prompts import Query, render_query
from models.policy.checkpoint import Part, load_checkpoint, motion_tokenizer_of
from models.policy.policy import build_policy
from prepare.export.card import model_card, read_card_results
from utils.errors import InputError
from utils.files.atomic import unfinished_name, write_text
from utils.files.folders import write_folder
from utils.files.outputs import check_output_folder
from utils.files.pretrained import load_part, load_weights

CARD_FILE = "README.md"
# Largest difference of a logit between the checkpoint's policy and the folder.
TOLERANCE = 1e-4
_OF_PEFT, _LORA_A = "base_model.model.", ".lora_A.weight"
# Where rounding is as large as this beside what was trained, it is said; half of a change is then noise or more.
_MUCH = 0.5
_KEEPS_IT = "--dtype float32 keeps it, and so does asking the checkpoint itself, which leaves the adapter unmerged"


@dataclass(frozen=True)
class Export:
    """What is exported: the flags of `prepare.export_hf` of these names.

    Attributes:
        ckpt: checkpoint file.
        task: whose policy; None: the only one.
        llm_backbone: where the backbone lies now; None: where it was.
        dtype: number type of the weights, ``float32`` or ``bfloat16``.
        results: folders of evaluations whose numbers the card shows.
    """

    ckpt: str
    task: str | None
    llm_backbone: str | None
    dtype: str
    results: tuple[str, ...] = ()


def export(wanted: Export, folder: Path) -> None:
    """Write the folder; where it is finished already, only a card with other results is written anew."""
    # The policy of one task, or of both where they share it.
    checkpoint = load_checkpoint(wanted.ckpt)
    tasks = (wanted.task,) if wanted.task else checkpoint.tasks
    checkpoint.check_tasks(tasks, wanted.ckpt)
    if not checkpoint.shared_by(tasks):
        raise InputError(f"{wanted.ckpt} has a policy of its own for each of {' and '.join(tasks)}: give --task")
    # One query, to compare the written folder with, and to show.
    example = render_query(_example(tasks[0], checkpoint.config.nb_code), checkpoint.config.style)
    card = model_card(checkpoint, tasks, example, wanted.dtype, read_card_results(wanted.results, checkpoint, tasks))
    unfinished = (folder / unfinished_name(folder.name)).exists()
    if not unfinished and is_about(folder, checkpoint, tasks, wanted.dtype):
        if wanted.results:
            write_text(folder / CARD_FILE, card)
        print(f"{folder}: exported already")
        return
    if not unfinished and (folder / ABOUT_FILE).is_file():
        raise InputError(
            f"--out-dir {folder}: is not empty: holds an export of another checkpoint, task or --dtype, and is left "
            "alone: give a new or an empty folder"
        )
    check_output_folder(folder, marker=unfinished_name(folder.name))  # of the same export, where it was killed
    policy = build_policy(checkpoint, tasks[0], backbone=wanted.llm_backbone)
    model, vocabulary = policy.model, policy.language.vocabulary
    before = _logits(model.eval(), vocabulary.encode(example))
    last = checkpoint.parts_of(tasks[0])[-1]
    lost = rounding_beside_update(model, last) if wanted.dtype == "bfloat16" else None
    model = model.to(getattr(torch, wanted.dtype))  # once: parts were added up in float32
    differences = []

    def write(place: Path) -> None:
        save_model(place, model, vocabulary)
        if checkpoint.motion_tokenizer is not None:
            motion_tokenizer_of(checkpoint, None, wanted.ckpt).save(place / TOKENIZER_FILE)
        write_text(place / CARD_FILE, card)
        write_about(place, checkpoint, tasks, wanted.dtype)
        differences.append(check(place, example, before))
        if wanted.dtype == "float32" and not differences[0] <= TOLERANCE:
            raise InputError(
                f"{folder}: what was to be written gives other logits (by {differences[0]:.1e}): not written"
            )

    write_folder(folder, write)
    size = f"{model.num_parameters() / 1e6:.1f} M weights, {len(vocabulary.tokenizer)} tokens"
    print(f"{folder}: {size}; logits as those of the checkpoint to {differences[0]:.1e}")
    if lost is not None:
        print(
            f"bfloat16: rounding moves the weights {lost:.2g} times as far as the last training ({last.stage}) did"
            + ("" if lost < _MUCH else f": much of it is lost, {_KEEPS_IT}")
        )


@torch.no_grad()
def rounding_beside_update(model: PreTrainedModel, part: Part) -> float | None:
    """How far rounding to bfloat16 moves the weights that `part` trained, by how far it did (both as norms).

    Args:
        model: in float32, with `part` merged into it.
        part: an adapter; of all weights (None then) it is not known what they were before.
    """
    if part.lora is None:
        return None
    rounding = update = 0.0
    for name in (name for name in part.weights if name.endswith(_LORA_A)):
        first, second = part.weights[name].double(), part.weights[name.replace("lora_A", "lora_B")].double()
        # |B A|^2 without the product: both factors are narrow.
        update += float(((first @ first.T) * (second.T @ second)).sum())
        weight = model.get_parameter(name.removeprefix(_OF_PEFT).removesuffix(_LORA_A) + ".weight")
        rounding += float((weight.bfloat16().float() - weight).double().square().sum())
    moved = part.lora["lora_alpha"] / part.lora["r"] * update**0.5
    return rounding**0.5 / moved if moved else None


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
