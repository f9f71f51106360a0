"""How much of a sequence only says again what was just said: loops, the usual way a language model degenerates."""

from collections.abc import Hashable, Sequence

import numpy as np

# A block said this often in a row is a loop; for single codes: four identical ones in a row (design.md, section 5).
LOOP_OCCURRENCES = 4


def looped_share(sequence: Sequence[Hashable], occurrences: int = LOOP_OCCURRENCES) -> float:
    """Share of the items that repeat the block before them inside a loop, in [0, 1).

    A loop is a block of any length that stands at least `occurrences` times in a row; its first occurrence does
    not count as repeated. ``a b c c c c`` gives 3/6, ``a b a b a b a b`` gives 6/8, no loop gives 0.
    """
    length = len(sequence)
    if length < occurrences:
        return 0.0
    numbers = {item: number for number, item in enumerate(dict.fromkeys(sequence))}
    ids = np.array([numbers[item] for item in sequence])
    looped = np.zeros(length, dtype=bool)
    for period in range(1, length // occurrences + 1):
        for start, stop in _runs(ids[period:] == ids[:-period]):
            if stop - start >= period * (occurrences - 1):
                looped[start + period : stop + period] = True
    return float(looped.mean())


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """[start, stop) of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
