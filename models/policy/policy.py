"""From a checkpoint to a language model: the backbone with motion tokens, and the parts of a task merged into it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from models.language.motion_language import MotionLanguage
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint
from models.policy.merging import merge_parts
from models.policy.token_rows import copy_token_rows
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.errors import InputError


@dataclass(frozen=True, eq=False)
class Policy:
    """What SFT starts from, GRPO trains and evaluation asks.

    Attributes:
        model: the backbone with motion tokens, every part of its task merged into it; the last one may be an adapter on
            top (`build_policy`).
        language: how it is asked, and how its replies are read.
        checkpoint: what it was built from; a stage of training adds its part to it.
    """

    model: PreTrainedModel | PeftModel
    language: MotionLanguage
    checkpoint: Checkpoint

    def start(self, task: str) -> str:
        """Fingerprint of the checkpoint that a server of its model must have: without the adapter that lies on top.

        Raises:
            InputError: no export of a checkpoint has that model.
        """
        if not isinstance(self.model, PeftModel):
            return self.checkpoint.fingerprint(task)
        *below, last = self.checkpoint.parts_of(task)
        if last.lora.get("trainable_token_indices") or not below:
            raise InputError(
                "--engine-server: below float32 the adapter of SFT stays beside the model, and no server can take its "
                "rows of tokens: give --precision fp32, and a server with an export in float32, or leave the flag out"
            )
        return replace(self.checkpoint, parts=tuple(below)).fingerprint(task)


def build_policy(
    checkpoint: Checkpoint,
    task: str | None,
    motion_tokenizer: MotionTokenizer | None = None,
    backbone: str | None = None,
    as_trained: bool = False,
    **loading: Any,
) -> Policy:
    """The policy of a checkpoint for one task, ready to generate or to be trained further.

    Args:
        checkpoint: what to rebuild.
        task: whose policy; None: the backbone alone.
        motion_tokenizer: the one that its codes are of (`motion_tokenizer_of`); None: replies stay without motion.
        backbone: where the backbone lies now, when it has moved.
        as_trained: for asking only: below float32 the adapter of the last stage stays one, as it was in training. A
            short training changes weights by less than the grid of bfloat16: merged, most of it would be rounded away.
        loading: as in `load_backbone`. What parts add up to is rounded once, to the precision that is loaded.
    """
    config = checkpoint.config if backbone is None else replace(checkpoint.config, backbone=backbone)
    model, vocabulary, text_vocabulary = load_backbone(
        config.backbone, config.nb_code, config.seed, row_multiple=config.row_multiple, **loading
    )
    if text_vocabulary != config.text_vocabulary:
        raise InputError(
            f"backbone {config.backbone} has {text_vocabulary} text tokens, but the checkpoint was trained on one "
            f"with {config.text_vocabulary}"
        )
    try:
        apart = as_trained and model.dtype not in (torch.float32, torch.float64)
        model = merge_parts(model, () if task is None else checkpoint.parts_of(task), apart)
    except InputError as error:
        raise InputError(f"the checkpoint does not fit backbone {config.backbone}: {error}") from None
    return Policy(model, MotionLanguage(vocabulary, motion_tokenizer, config.style), checkpoint)


def continue_policy(
    checkpoint: Checkpoint,
    tasks: Sequence[str],
    full: bool,
    motion_tokenizer: MotionTokenizer | None = None,
    backbone: str | None = None,
    **loading: Any,
) -> Policy:
    """What supervised fine-tuning of `tasks` starts from, after the training that `checkpoint` holds.

        a task that it knows             goes on from its policy
        a new task, under LoRA           the plain backbone with the trained rows of the motion tokens, so that both
                                         tasks keep adapters of their own on one backbone
        a new task, in full              the other task's weights
        both tasks                       the one policy there is

    Raises:
        InputError: a joint run from two different policies, or a policy that would have to be merged into 4 bits.
    """
    known = [task for task in tasks if task in checkpoint.tasks]
    if not checkpoint.shared_by(known):
        raise InputError(
            f"the checkpoint has a policy of its own for each of {' and '.join(known)}: train one task at a time"
        )
    if len(tasks) > 1 and known:
        parts = tuple(replace(p, tasks=tuple(tasks)) if known[0] in p.tasks else p for p in checkpoint.parts)
        checkpoint, known = replace(checkpoint, parts=parts), list(tasks)
    if known and "quantization_config" in loading:
        raise InputError("--load-in-4bit cannot go on from a trained policy: 4-bit weights cannot take it up")
    source = known[0] if known else next(iter(checkpoint.tasks), None)
    if known or full or source is None:
        policy = build_policy(checkpoint, source, motion_tokenizer, backbone, **loading)
    else:
        # The other task's policy is built for its rows only; nothing is merged into 4 bits.
        whole = {name: value for name, value in loading.items() if name != "quantization_config"}
        trained = build_policy(checkpoint, source, motion_tokenizer, backbone, **whole)
        policy = build_policy(checkpoint, None, motion_tokenizer, backbone, **loading)
        copy_token_rows(trained.model, policy.model, policy.language.vocabulary)
    if full:
        policy.model.requires_grad_(True)  # a merged adapter leaves what it was merged into frozen
    return policy
