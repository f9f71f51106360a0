"""An order of training rows in which the samples of a step are of about one length, so that little is padding."""

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Sampler

# Rows are drawn at random for so many steps, and sorted among them: more would leave less padding, and less chance.
_STEPS_SORTED = 50


class LengthGroups(Sampler[int]):
    """Every row once an epoch; the order is a function of seed and epoch, as a resumed run needs.

    Rows are shuffled, those of 50 steps are sorted by length and cut into steps, and the steps are shuffled. The first
    has the longest row of all: memory runs out at once or never.

    Args:
        lengths: (N,) of the rows, in any unit.
        step: rows that a step of all processes takes, all micro-batches together; these follow one another by length.
        seed: of the order.
    """

    def __init__(self, lengths: np.ndarray, step: int, seed: int) -> None:
        self._lengths, self._step, self._seed, self._epoch = np.asarray(lengths), step, seed, 0

    def __len__(self) -> int:
        return len(self._lengths)

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed + self._epoch)
        rows = torch.randperm(len(self), generator=generator).numpy()
        block = _STEPS_SORTED * self._step
        steps = []
        for start in range(0, len(rows), block):
            drawn = rows[start : start + block]
            drawn = drawn[np.argsort(-self._lengths[drawn], kind="stable")]
            steps += [drawn[place : place + self._step] for place in range(0, len(drawn), self._step)]
        # An incomplete step stays the last; that of the longest row comes first.
        whole = [step for step in steps if len(step) == self._step]
        order = torch.randperm(len(whole), generator=generator).tolist()
        if order:
            order.insert(0, order.pop(int(np.argmax([self._lengths[whole[place][0]] for place in order]))))
        last = [step for step in steps if len(step) < self._step]
        return iter(np.concatenate([*(whole[place] for place in order), *last]).tolist())
