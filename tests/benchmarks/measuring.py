"""What a measured figure is, and the clock: CPU seconds of this process, which others on the machine hardly change.

With one thread they are the seconds of a clock on the wall where nobody else computes.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.benchmarks.baseline_sizes import BASELINE, TINY, Sizes


@dataclass(frozen=True)
class Figure:
    """One number of a part.

    Attributes:
        what, value, unit: seconds are better when fewer, all rates (``.../s``) when more.
        how: sizes and repeats.
        limit: what the machine would allow: the work's operations at its peak of a product of matrices, or its bytes
            at the rate at which memory is copied.
        plain: the same by the straightforward way.
        published: the same by the published code, on a machine of two cores; one thread.
    """

    what: str
    value: float
    unit: str
    how: str
    limit: float | None = None
    plain: float | None = None
    published: float | None = None


@dataclass(frozen=True)
class Amounts:
    """How much each part computes; beside it `sizes`, those of the models."""

    sizes: Sizes
    repeats: int = 5
    matmul: int = 1024
    captions: tuple[int, ...] = (1, 16)
    batches: tuple[int, ...] = (1, 8, 64)
    groups: tuple[int, ...] = (4, 8, 16)
    candidates: tuple[int, ...] = (4, 8, 16)
    lengths: tuple[int, ...] = (40, 80, 160)
    clips: tuple[int, ...] = (100, 200, 400)
    windows: int = 64
    samples: tuple[int, ...] = (384, 4384)
    records: tuple[int, ...] = (1500, 6000)
    lines: tuple[int, ...] = (4000, 16000)
    sft_shape: str = "baseline"


AMOUNTS = {
    "baseline": Amounts(BASELINE),
    "tiny": Amounts(
        TINY, repeats=1, matmul=64, captions=(1, 2), batches=(1, 2), groups=(2, 3), candidates=(2, 3), lengths=(8, 12),
        clips=(3, 6), windows=4, samples=(32, 48), records=(6, 12), lines=(20, 40), sft_shape="tiny",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """What this machine computes at most, with the threads that torch has.

    Attributes:
        amounts: how much the parts measure.
        folder: for what they write; it goes at the end.
    """

    amounts: Amounts
    folder: Path

    @cached_property
    def peak(self) -> float:
        """Operations a second of a product of float32 matrices, the best of several."""
        size = self.amounts.matmul
        a, b = torch.randn(size, size), torch.randn(size, size)
        return 2 * size**3 / min(taken(lambda: a @ b, 7))

    @cached_property
    def copied(self) -> float:
        """Bytes a second that are read, copying more than the caches hold, the best of several."""
        source = torch.ones(self.amounts.matmul**2 * 16)
        target = torch.empty_like(source)
        return source.nbytes / min(taken(lambda: target.copy_(source), 5))

    def least(self, work: Callable[[], Any]) -> float:
        """Seconds of the operations of `work` (products of matrices and convolutions) at the peak."""
        with FlopCounterMode(display=False) as counted:
            work()
        return counted.get_total_flops() / self.peak


def taken(work: Callable[[], Any], repeats: int) -> list[float]:
    """CPU seconds of each call, after one that is not measured."""
    found = []
    for _ in range(repeats + 1):
        started = time.process_time()
        work()
        found.append(max(time.process_time() - started, 1e-9))
    return found[1:]


def median(work: Callable[[], Any], repeats: int) -> float:
    """CPU seconds of a call."""
    return statistics.median(taken(work, repeats))


def growth(amounts: Sequence[float], seconds: Sequence[float]) -> float:
    """Exponent by which seconds grow from the smallest amount to the largest: 1 is linear, 2 quadratic."""
    return math.log(seconds[-1] / seconds[0]) / math.log(amounts[-1] / amounts[0])


def scaling(what: str, amounts: Sequence[int], seconds: Sequence[float], unit: str) -> Figure:
    """How a time grows with an amount, as a figure."""
    shown = ", ".join(f"{amount}: {value:.3g} s" for amount, value in zip(amounts, seconds, strict=True))
    return Figure(f"{what}: exponent of growth", growth(amounts, seconds), "", f"{unit}: {shown}; 1 is linear")
