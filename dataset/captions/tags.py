"""The tags of replies are written and found here: no caption and no reasoning may hold one.

A reply is ``{reasoning}</think><answer>{answer}</answer>``, and the answer of text to motion a motion between its tags
(`models.language.replies`). A tag inside a text would end the part that it stands in, so that the model is taught a
reply which our own parser calls malformed.
"""

import re
from collections.abc import Sequence

from utils.errors import InputError

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
ANSWER_OPEN, ANSWER_CLOSE = "<answer>", "</answer>"
MOTION_OPEN, MOTION_CLOSE = "<Motion>", "</Motion>"
MARKERS = (THINK_OPEN, THINK_CLOSE, ANSWER_OPEN, ANSWER_CLOSE, MOTION_OPEN, MOTION_CLOSE)
# In any case, as other people write them; and the control words of language models (<|im_end|>, </s>), which their
# tokenizers turn into single tokens, the end of the reply among them.
_TAG = re.compile(
    r"</?(?:think|answer|motion)>|<motion_[0-9]+>|<\|[^\s<>|]{1,40}\|>|</?s>"
    r"|<(?:pad|unk|bos|eos|(?:start|end)_of_turn)>",
    re.IGNORECASE,
)


def tag_in(text: str) -> str | None:
    """The first tag that `text` holds, shortened for messages; None where it holds none."""
    found = _TAG.search(text)
    return found and (found[0] if len(found[0]) <= 40 else f"{found[0][:37]}...")


def check_captions(captions: Sequence[str]) -> None:
    """Raise InputError where sentences that a model is asked about are none, empty, or hold a tag."""
    if not captions or not all(caption.strip() for caption in captions):
        raise InputError("expected at least one caption, and none of them empty")
    for caption in captions:
        if tag := tag_in(caption):
            raise InputError(
                f"the caption {caption.strip()[:60]!r} holds {tag}, a tag that no text may hold: remove it"
            )
