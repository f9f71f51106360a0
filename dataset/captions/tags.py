"""The tags of replies are written and found here: no caption and no reasoning may hold one.

A reply is ``{reasoning}</think><answer>{answer}</answer>``, and the answer of text to motion a motion between its tags
(`models.language.replies`). A tag inside a text would end the part that it stands in, so that the model is taught a
reply which our own parser calls malformed.
"""

import re

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
