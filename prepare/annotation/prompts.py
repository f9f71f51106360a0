"""An annotating model is told here to write the chain of thought that links a caption and its motion.

These are not the prompts of our own model (models/language/prompts.py). Only the grammar of the reply is the same, so
that one parser reads both.
"""

import base64
from typing import Any

from dataset.captions.tags import ANSWER_CLOSE, ANSWER_OPEN, THINK_CLOSE, THINK_OPEN
from dataset.cot.acceptance import Bounds

# Every annotation says which prompts it was asked with: raise the version when any text here changes.
ANNOTATION_PROMPT_VERSION = "1"

# Models count words roughly, so the bounds that they are told lie inside those that are checked, by these factors.
_LOW, _HIGH = 1.3, 0.75

_RULES = (
    "You write training data that teaches a language model to reason about human motion. Your reply has exactly this "
    f"form and nothing before, between or after: {THINK_OPEN}reasoning{THINK_CLOSE}{ANSWER_OPEN}one sentence"
    f"{ANSWER_CLOSE}\n"
    "The reasoning is plain English prose of {low} to {high} words: no lists, no headings, no tags. It is about the "
    "body: which limbs move, to which side, how far, how often, how fast, in which order, and what follows from that. "
    "State nothing that contradicts the evidence; leave out what neither the evidence nor the caption supports. Left "
    "and right are those of the person. Do not repeat the caption as reasoning. "
)
_TASKS = {
    "m2t": (
        "The reasoning is the thought of somebody who sees only the motion and works out which sentence describes it: "
        "from what the body does to what it means. Never mention that a caption, measurements or pictures were given. "
        "The answer is one sentence that says what the caption says."
    ),
    "t2m": (
        "The reasoning is the thought of somebody who reads only the caption and plans the motion: what the words ask "
        "of legs, trunk and arms, and when. Use the evidence to plan the motion that was really made, in round "
        "numbers; never mention that measurements or pictures were given. The answer is one sentence that says which "
        "motion will be performed."
    ),
}
_PICTURE = (
    "The picture shows moments of the motion from left to right, each with its time. Left limbs are blue, right limbs "
    "red; squares on the floor are 0.5 m wide."
)


def annotation_messages(
    task: str, caption: str, bounds: Bounds, facts: str | None = None, picture: bytes | None = None
) -> list[dict[str, Any]]:
    """The messages of a chat completion.

    Args:
        task: ``m2t`` or ``t2m``.
        caption: of the motion.
        bounds: of the reasoning's length.
        facts: measured on the motion, as lines of text.
        picture: a contact sheet as PNG.
    """
    low = min(round(_LOW * bounds.min_words), bounds.max_words)
    rules = _RULES.format(low=low, high=max(low, round(_HIGH * bounds.max_words)))
    parts = [f"Caption: {caption.strip()}"]
    if facts:
        parts.append(f"Measured on the motion:\n{facts}")
    if picture:
        parts.append(_PICTURE)
    text = "\n\n".join(parts)
    content: str | list[dict[str, Any]] = text
    if picture:
        url = "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
        content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]
    return [{"role": "system", "content": rules + _TASKS[task]}, {"role": "user", "content": content}]


def text_of_messages(messages: list[dict[str, Any]]) -> str:
    """The words of messages, for printing and counting; a picture is only named."""
    lines = []
    for message in messages:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        words = [part["text"] if part["type"] == "text" else "[picture]" for part in parts]
        lines.append(f"[{message['role']}]\n" + "\n".join(words))
    return "\n\n".join(lines)
