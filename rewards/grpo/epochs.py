"""Which prompts an epoch of GRPO asks, and in which order, follows from the seed and the epoch."""

from collections.abc import Iterator, Sized

from trl.trainer.utils import RepeatSampler


class EpochSampler(RepeatSampler):
    """trl's order of prompts as a function of seed and epoch, and each epoch its own part of the prompts.

    trl's own goes on with its generator from epoch to epoch, so that a resumed run would see the prompts in another
    order than a straight one; and every epoch asks all of its rows. The trainer calls `set_epoch` at the start of every
    epoch.

    Args:
        data_source, mini_repeat_count, batch_size, repeat_count, shuffle, seed: of trl's.
        epoch_size: rows that an epoch asks: those after the rows of the epoch before, and the first again after the
            last. None: all.
    """

    def __init__(
        self,
        data_source: Sized,
        mini_repeat_count: int,
        batch_size: int,
        repeat_count: int,
        shuffle: bool,
        seed: int,
        epoch_size: int | None = None,
    ) -> None:
        super().__init__(data_source, mini_repeat_count, batch_size, repeat_count, shuffle, seed)
        self._rows, self._first = len(data_source), 0
        self.num_samples = min(epoch_size or self._rows, self._rows)

    def set_epoch(self, epoch: int) -> None:
        self._first = epoch * self.num_samples
        if self.shuffle:
            self.generator.manual_seed(self.seed + epoch)

    def __iter__(self) -> Iterator[int]:
        return ((self._first + place) % self._rows for place in super().__iter__())
