"""Import the published checkpoint of the language model (LoRA + embeddings + lm_head in one flat .pth).

    python -m prepare.import_checkpoint --published motionllm.pth --llm-backbone google/gemma-2-2b-it \\
        --motion-tokenizer vqvae.pth --stats-root data/HumanML3D --out checkpoints/published.pth

says what of the file found its place, and writes a checkpoint of this project: adapters t2m and m2t on one backbone.
It was trained with other prompts than this project's, so go on with `train_mllm.py --train-stage sft --init-ckpt`
before you evaluate it.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from options.flags.parsing import flag, parse_flags, required_flag
from options.flags.ranges import COUNT
from utils.errors import InputError
from utils.files.outputs import check_output_file
from utils.run.command import quiet_libraries, run_command


@dataclass
class ImportCheckpointFlags:
    """Flags: what is imported, and where to."""

    _argument_group_name = "published checkpoint"

    published: str = required_flag("flat .pth of LoRA tensors, embeddings and lm_head")
    llm_backbone: str = required_flag("language model that it was trained on: hub id or folder")
    out: str = required_flag("checkpoint file to write")
    motion_tokenizer: str | None = flag(None, "tokenizer of its codes (ours or vqvae.pth), to ride along")
    stats_root: str | None = flag(None, "folder of Mean.npy and Std.npy that a published vqvae.pth goes with")
    lora_alpha_t2m: int = flag(64, "scale of the t2m adapter, which the file does not say", within=COUNT)
    lora_alpha_m2t: int = flag(32, "scale of the m2t adapter", within=COUNT)
    prompt_style: str = flag("auto", "what will stand around questions from now on: plain, chat or auto")


def main() -> None:
    (flags,) = parse_flags(ImportCheckpointFlags, description=__doc__)
    quiet_libraries()
    check_output_file(flags.out, [])
    if Path(flags.out).exists():
        raise InputError(f"{flags.out} exists: give another --out (nothing was changed)")
    # Late imports: `--help` and a mistyped flag must not wait for torch.
    import torch

    from models.language.prompts import prompt_style
    from models.policy.backbone import load_backbone
    from models.policy.checkpoint import Checkpoint, PolicyConfig, save_checkpoint
    from models.policy.published import EMBEDDINGS, HEAD, codes_of, import_adapter, tasks_of
    from models.tokenizer.loading import load_any_tokenizer
    from utils.files.torch_files import read_torch_file

    # What the file holds, and the tokenizer that its codes are of.
    state = read_torch_file(flags.published)
    nb_code, tasks = codes_of(state, flags.published), tasks_of(state, flags.published)
    tokenizer = None
    if flags.motion_tokenizer is not None:
        root = flags.stats_root or ""
        tokenizer = load_any_tokenizer(flags.motion_tokenizer, root, flags.stats_root, torch.device("cpu"))
        if tokenizer.nb_code != nb_code:
            raise InputError(f"{flags.motion_tokenizer} has {tokenizer.nb_code} codes, {flags.published} {nb_code}")
    # An adapter for each task goes into the checkpoint; a line each says what found its place.
    model, vocabulary, text_vocabulary = load_backbone(flags.llm_backbone, nb_code, seed=0)
    style = prompt_style(flags.prompt_style, vocabulary.tokenizer)
    config = PolicyConfig(flags.llm_backbone, nb_code, text_vocabulary, 0, style)
    checkpoint = Checkpoint(config, motion_tokenizer=tokenizer and tokenizer.state())
    lines = []
    for task in tasks:
        alpha = flags.lora_alpha_t2m if task == "t2m" else flags.lora_alpha_m2t
        found = import_adapter(state, task, alpha, model, vocabulary, flags.published)
        checkpoint = checkpoint.with_part(found.part)
        lines.append(f"  {task:<10}  {found.matched} LoRA tensors matched, rank {found.part.lora['r']}, scale {alpha}")
        if found.untouched:
            kinds = Counter(name.rpartition(".")[2] for name in found.untouched)
            shown = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
            lines.append(f"  {'':<10}  not in the file, left as in the backbone: {shown}")
    lines.append(f"  rows        <Motion>, </Motion> and {nb_code} codes matched; our other tags start untrained")
    if model.config.tie_word_embeddings and not torch.equal(state[EMBEDDINGS], state[HEAD]):
        lines.append(f"  rows        {HEAD} differs from {EMBEDDINGS}, but the backbone ties them: not used")
    used = {name for name in state if any(f".{task}.weight" in str(name) for task in tasks)} | {EMBEDDINGS, HEAD}
    lines.append(f"  not used    {', '.join(sorted(map(str, set(state) - used))) or 'nothing'}")
    lines.append(f"  tokenizer   {flags.motion_tokenizer or 'none: give --motion-tokenizer where it is used'}")
    save_checkpoint(flags.out, checkpoint)
    print(f"imported {flags.published} -> {flags.out} (policies {', '.join(tasks)} on {flags.llm_backbone})")
    print("\n".join(lines))
    print("  prompts     trained with others than ours: fine-tune it with train_mllm.py --init-ckpt before evaluation")


if __name__ == "__main__":
    run_command(main)
