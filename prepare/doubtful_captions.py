"""Captions that their own motion contradicts: reasoning from the one to the other is wrong whoever writes it."""

from collections.abc import Sequence
from typing import Any

from dataset.fact_check import Contradiction

DOUBTFUL_FILE = "doubtful_captions.jsonl"


def doubtful_row(id: str, caption: str, items: Sequence[Contradiction]) -> dict[str, Any]:
    """The line of `DOUBTFUL_FILE` for a caption of clip `id` and how it is contradicted."""
    return {"id": id, "caption": caption, "contradictions": [f"says {item.said}, but {item.done}" for item in items]}
