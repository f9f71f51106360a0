"""How messages show what is long: a value cut to one line, the first of many names."""

from collections.abc import Collection
from typing import Any


def shortened(value: Any, length: int = 80) -> str:
    """A value on one line of at most `length` characters; texts without their quotation marks."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= length else f"{text[: length - 3]}..."


def listed(names: Collection[str], most: int = 5, between: str = ", ") -> str:
    """ "a, b, c and 4 more" """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(list(names)[:most]) + more
