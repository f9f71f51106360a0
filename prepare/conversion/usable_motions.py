"""The motions of a data set are read one after the other; those that cannot be used are remembered with the reason."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dataset.humanml.layout import clip_files
from utils.errors import InputError
from utils.progress import Progress


class UsableMotions:
    """Reads the motions of some clips while going over them, one in memory at a time.

    Attributes:
        frames: number of frames so far.
        bad: reason by id, for the clips so far that could not be used.
    """

    def __init__(self, root: str | Path, ids: Sequence[str], feature_dim: int) -> None:
        self._root = root
        self._ids = ids
        self._feature_dim = feature_dim
        self.frames = 0
        self.bad: dict[str, str] = {}

    def __iter__(self) -> Iterator[np.ndarray]:
        for id in Progress(self._ids, desc="reading", unit="clip"):
            try:
                motion = clip_files(self._root, id).read_motion(self._feature_dim)
            except InputError as error:
                self.bad[id] = str(error)
                continue
            self.frames += len(motion)
            yield motion


def report_bad(bad: dict[str, str]) -> None:
    """Print a line for each clip that cannot be used; names may hold what no line can."""
    for id, reason in bad.items():
        print(f"bad clip {_printable(id)}: {_printable(reason)}")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
