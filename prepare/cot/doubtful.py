"""Captions that their own motion contradicts are listed: any reasoning from the one to the other would be wrong."""

from collections.abc import Sequence
from typing import Any

from dataset.facts.contradictions import Contradiction, contradictions
from dataset.facts.motion_facts import MotionFacts
from dataset.humanml.layout import MotionRecord

DOUBTFUL_FILE = "doubtful_captions.jsonl"


def doubtful_row(id: str, caption: str, items: Sequence[Contradiction]) -> dict[str, Any]:
    """The line of `DOUBTFUL_FILE` for a caption of clip `id` and its contradictions."""
    return {"id": id, "caption": caption, "contradictions": [f"says {item.said}, but {item.done}" for item in items]}


def doubtful_rows(records: list[MotionRecord], facts: dict[str, MotionFacts]) -> list[dict[str, Any]]:
    """The lines for all contradicted captions of the records that were measured; templates give these no reasoning."""
    return [
        doubtful_row(record.id, caption.text, items)
        for record in records
        if record.id in facts
        for caption in record.captions
        if (items := contradictions(caption.text, facts[record.id]))
    ]
