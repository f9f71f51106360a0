"""The motion tokenizer is trained on random windows of fixed length over all clips, which are drawn here."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.errors import InputError


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """Windows of one training step.

    Attributes:
        normalized: (B, W, D) float32; zero past the end of a clip that is shorter than the window.
        lengths: (B,) int64 real frames of each window.
    """

    normalized: np.ndarray
    lengths: np.ndarray


class MotionWindows:
    """Draws windows: a clip with a chance in proportion to its length, then a start in it, uniformly.

    The windows of a step depend only on the seed and the number of the step, so a resumed run sees the windows that a
    straight one sees. A clip shorter than the window is taken whole, cut to a multiple of `unit_length`.

    Args:
        clips: (T, D) denormalised features each; kept, not copied.
        mean, std: (D,) statistics to normalise with.
        window_size: frames, a multiple of `unit_length`.
        unit_length: frames that one code stands for.
    """

    def __init__(
        self,
        clips: Sequence[np.ndarray],
        mean: np.ndarray,
        std: np.ndarray,
        window_size: int,
        unit_length: int,
        seed: int,
    ) -> None:
        if window_size <= 0 or window_size % unit_length:
            raise InputError(f"--window-size {window_size} must be a multiple of {unit_length} frames")
        self._clips = [clip for clip in clips if len(clip) >= unit_length]
        if not self._clips:
            raise InputError(f"no training clip has {unit_length} frames or more")
        frames = np.array([len(clip) for clip in self._clips])
        self._ends = np.cumsum(frames)
        self._usable = np.where(frames < window_size, frames // unit_length * unit_length, window_size)
        self._starts = frames - self._usable + 1
        self._mean = np.asarray(mean, dtype=np.float32)
        self._std = np.asarray(std, dtype=np.float32)
        self._window_size = window_size
        self._seed = seed

    def batch(self, step: int, batch_size: int) -> WindowBatch:
        """The windows of step `step`."""
        rng = np.random.default_rng([self._seed, step])
        chosen = np.searchsorted(self._ends, rng.integers(self._ends[-1], size=batch_size), side="right")
        starts = (rng.random(batch_size) * self._starts[chosen]).astype(np.int64)
        lengths = self._usable[chosen]
        windows = np.zeros((batch_size, self._window_size, len(self._mean)), dtype=np.float32)
        for row, (clip, start, length) in enumerate(zip(chosen, starts, lengths, strict=True)):
            window = windows[row, :length]
            np.subtract(self._clips[clip][start : start + length], self._mean, out=window)
            window /= self._std
        return WindowBatch(windows, lengths)
