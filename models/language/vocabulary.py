"""Where motion codes become ids of the language model's vocabulary, and back. Nowhere else.

A motion inside text is written ``<Motion><Motion_17><Motion_4>...</Motion>``; every code has one token of its
own. The tokens are added, not special: libraries that strip special tokens must not strip the motion.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tokenizers import AddedToken

from dataset.captions.tags import MARKERS, MOTION_CLOSE, MOTION_OPEN
from utils.errors import InputError

if TYPE_CHECKING:  # rewards and flags name rollouts, and so this file, without loading transformers
    from transformers import PreTrainedTokenizerBase

# No codebook has codes of ten digits, and Python reads no number of more than 4,300.
_CODE_TOKEN = re.compile(r"<Motion_([0-9]{1,9})>")


def write_codes(codes: Sequence[int]) -> str:
    """Codebook indices -> the text of a motion, with its tags."""
    return MOTION_OPEN + "".join(f"<Motion_{int(code)}>" for code in codes) + MOTION_CLOSE


def read_codes(text: str) -> list[int]:
    """Every codebook index written in `text`, in order; empty when there is none. Range is not checked."""
    return [int(code) for code in _CODE_TOKEN.findall(text)]


def is_motion_text(text: str) -> bool:
    """Whether `text` is exactly one tagged, non-empty motion (surrounding space allowed)."""
    return re.fullmatch(rf"\s*{MOTION_OPEN}({_CODE_TOKEN.pattern})+{MOTION_CLOSE}\s*", text) is not None


class MotionVocabulary:
    """The motion tokens of one tokenizer.

    Args:
        tokenizer: extended in place with the tokens it lacks.
        nb_code: size of the codebook; codes are in [0, nb_code).
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", nb_code: int) -> None:
        wanted = [*MARKERS, *(f"<Motion_{code}>" for code in range(nb_code))]
        known = tokenizer.get_vocab()
        base_size = len(tokenizer)
        tokenizer.add_tokens(
            [AddedToken(token, special=False, normalized=False) for token in wanted if token not in known]
        )
        if tokenizer.eos_token_id is None:
            raise InputError(f"the tokenizer of {tokenizer.name_or_path!r} has no end-of-sequence token")
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self.tokenizer = tokenizer
        self.nb_code = nb_code
        self.code_ids: list[int] = tokenizer.convert_tokens_to_ids([f"<Motion_{code}>" for code in range(nb_code)])
        self.new_ids: list[int] = list(range(base_size, len(tokenizer)))

    @property
    def eos_id(self) -> int:
        return self.tokenizer.eos_token_id

    def marker_id(self, marker: str) -> int:
        return self.tokenizer.convert_tokens_to_ids(marker)

    def encode(self, text: str) -> list[int]:
        """Text with motion in it -> token ids, nothing added at the ends."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def decode(self, token_ids: Sequence[int]) -> str:
        """Reply ids -> text; stops at the end of sequence, keeps every tag."""
        ids = list(token_ids)
        if self.eos_id in ids:
            ids = ids[: ids.index(self.eos_id)]
        return self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
