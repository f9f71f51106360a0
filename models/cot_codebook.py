"""Which motion tokenizer the codes of a CoT jsonl belong to."""

from dataset.cot_source import read_cot_source
from models.motion_tokenizer import MotionTokenizer
from utils.errors import InputError


def tokenizer_of(cot_jsonl: str, given: str | None) -> MotionTokenizer | None:
    """The tokenizer at `given` or, without it, the one named beside the jsonl; None where neither says one.

    Raises:
        InputError: the jsonl was encoded by another tokenizer.
    """
    source = read_cot_source(cot_jsonl)
    path = given or (source.motion_tokenizer if source else None)
    if path is None:
        return None
    tokenizer = MotionTokenizer.load(path)
    if source is not None and source.fingerprint != tokenizer.fingerprint:
        raise InputError(
            f"{cot_jsonl} was encoded by tokenizer {source.fingerprint}, but {path} is {tokenizer.fingerprint}"
        )
    return tokenizer
