"""What supervised fine-tuning starts from: a plain backbone, or what an earlier checkpoint made of it."""

from dataclasses import dataclass

import torch

from models.language.motion_language import MotionLanguage
from models.language.prompts import prompt_style
from models.policy.backbone import attention, four_bit, load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig, check_motion_tokenizer, motion_tokenizer_of
from models.policy.policy import Policy, continue_policy
from models.policy.rates import TINY
from models.policy.resumable import spread_weights
from models.policy.token_rows import ROW_MULTIPLE
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.errors import InputError


@dataclass(frozen=True)
class BackboneChoice:
    """How the language model is loaded.

    Attributes:
        name: hub id or folder; None: the checkpoint's own.
        finetune: ``full``, ``lora``, or ``auto``: full below `models.policy.rates.TINY`, or where the checkpoint was.
        dtype: precision of a frozen backbone; weights that are trained are float32 always.
        style: ``plain``, ``chat`` or ``auto``, see `models.language.prompts.prompt_style`.
        rows: first embeddings of motion tokens: ``noise``, ``codebook`` (see `models.policy.token_rows`) or ``auto``:
            codebook where the motion tokenizer is known.
        in_4bit: hold the frozen backbone in 4-bit numbers.
        seed: draws the first embeddings.
        device: the weights are read straight to it; None: the CPU.
        attention: how transformers computes it, see `models.policy.backbone.attention`.
    """

    name: str | None
    finetune: str = "auto"
    dtype: torch.dtype = torch.float32
    style: str = "auto"
    rows: str = "auto"
    in_4bit: bool = False
    seed: int = 0
    device: torch.device | None = None
    attention: str = "sdpa"

    def loading(self, full: bool) -> dict:
        """Arguments of `models.policy.backbone.load_backbone`."""
        # Weights that processes share are spread by the trainer, out of the memory of the host.
        where = {"device": self.device if spread_weights() is None else None, **attention(self.attention)}
        if self.in_4bit and not full:
            return {**where, **four_bit(self.dtype)}
        return {**where, "dtype": torch.float32 if full else self.dtype}


def start_fresh(choice: BackboneChoice, nb_code: int, motion_tokenizer: MotionTokenizer | None) -> tuple[Policy, bool]:
    """(policy, whether every weight is trained) from the backbone itself.

    Args:
        choice: `name` is needed.
        motion_tokenizer: goes into the checkpoint, where it is known.
    """
    codebook = None
    if choice.rows == "codebook" and motion_tokenizer is None:
        raise InputError("--token-rows codebook needs --motion-tokenizer")
    if choice.rows != "noise" and motion_tokenizer is not None:
        codebook = motion_tokenizer.codebook
    full = choice.finetune == "full"
    model, vocabulary, text_vocabulary = load_backbone(
        choice.name, nb_code, choice.seed, codebook, ROW_MULTIPLE, **choice.loading(full)
    )
    if choice.finetune == "auto" and not choice.in_4bit and model.num_parameters() < TINY:
        full, model = True, model.float()
    style = prompt_style(choice.style, vocabulary.tokenizer)
    state = motion_tokenizer.state() if motion_tokenizer else None
    config = PolicyConfig(choice.name, nb_code, text_vocabulary, choice.seed, style, row_multiple=ROW_MULTIPLE)
    language = MotionLanguage(vocabulary, motion_tokenizer, style)
    return Policy(model, language, Checkpoint(config, motion_tokenizer=state)), full


def start_from(
    checkpoint: Checkpoint,
    path: str,
    choice: BackboneChoice,
    tasks: tuple[str, ...],
    nb_code: int,
    motion_tokenizer: MotionTokenizer | None,
) -> tuple[Policy, bool]:
    """(policy, whether every weight is trained) from a checkpoint (--init-ckpt).

    Args:
        path: of the checkpoint, for messages.
        motion_tokenizer: the one that the data is encoded with; None: not known.

    Raises:
        InputError: the checkpoint speaks other codes or was trained with other prompts.
    """
    style = checkpoint.config.style
    if choice.style not in ("auto", style.name):
        raise InputError(f"--prompt-style {choice.style}: {path} was trained with {style.name} prompts")
    if checkpoint.config.nb_code != nb_code:
        raise InputError(f"{path} speaks {checkpoint.config.nb_code} motion codes, the data {nb_code}")
    if motion_tokenizer is not None:
        check_motion_tokenizer(checkpoint, motion_tokenizer, "the motion tokenizer of the data", path)
    elif checkpoint.motion_tokenizer is not None:
        motion_tokenizer = motion_tokenizer_of(checkpoint, None, path)
    was_full = any(part.lora is None for part in checkpoint.parts)
    full = choice.finetune == "full" or (choice.finetune == "auto" and was_full and not choice.in_4bit)
    return continue_policy(checkpoint, tasks, full, motion_tokenizer, choice.name, **choice.loading(full)), full
