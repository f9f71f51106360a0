"""A fingerprint is a short name for a content: two files with one fingerprint hold the same."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # files alone are named without waiting for numpy
    import numpy as np


def fingerprint(*parts: "bytes | str | np.ndarray") -> str:
    """Twelve hex digits that name this content (for signatures and consistency checks)."""
    return fingerprint_of(parts)


def fingerprint_of(parts: "Iterable[bytes | memoryview | str | np.ndarray]") -> str:
    """`fingerprint` of parts that are made one after the other, so that they need not fit into memory together."""
    digest = hashlib.sha256()
    for part in parts:
        if not isinstance(part, (bytes, memoryview, str)):
            import numpy as np

            digest.update(f"{part.dtype}{part.shape}".encode())
            part = np.ascontiguousarray(part).reshape(-1).view(np.uint8)
        elif isinstance(part, str):
            part = part.encode("utf-8")
        digest.update(part)
    return digest.hexdigest()[:12]


def fingerprint_file(path: str | Path) -> str:
    """Fingerprint of a file's bytes."""
    return sha256_file(path)[:12]


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits, read in pieces."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
