"""A bench holds what is measured and measures it: parts one after the other, each failure a row of the table."""

import gc
import resource
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch

from dataset.toy.clips import ToyClip, toy_clips
from tests.gpu.shapes import Shape, Work, work_of, write_backbone
from utils.errors import first_line
from utils.run.devices import model_dtype

MEASURED, PASSED, FAILED, MISSING = "measured", "passed", "failed", "not measured"
PART_ENDED = "seconds of this part"
LEAST = 2.0  # seconds that no part can be measured in


class NotHere(Exception):
    """A part cannot be measured on this machine, or not in this time: no mistake of anybody's."""


@dataclass(frozen=True)
class Figure:
    """One number.

    Attributes:
        what: is measured.
        value, unit: a number and what it counts.
        how: batch, lengths and repeats that it was measured with.
        passed: of a check, whether it holds; None: no check.
        flops: operations a second, where a share of the machine's peak is wanted.
        alone: nothing else was measured since the figure before it, so that the peak of memory is its own.
    """

    what: str
    value: float
    unit: str
    how: str
    passed: bool | None = None
    flops: float | None = None
    alone: bool = True


Result = TypeVar("Result")
Keep = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Bench:
    """What the parts measure with.

    Attributes:
        shape: of the language model.
        device, precision: as the flags --device and --precision of train_mllm.py.
        folder: for models and runs; it goes at the end.
        deadline: of `time.monotonic`; parts that could not end before it do not begin.
    """

    shape: Shape
    device: torch.device
    precision: str
    folder: Path
    deadline: float

    @property
    def dtype(self) -> torch.dtype:
        return model_dtype(self.precision, self.device)

    @cached_property
    def work(self) -> Work:
        return work_of(self.shape)

    @cached_property
    def clips(self) -> list[ToyClip]:
        return list(toy_clips(self.work.clips, seed=0))

    @property
    def backbone(self) -> str:
        """Folder of the language model, written by the first who asks."""
        place = self.folder / f"backbone-{self.shape.name}"
        if not place.is_dir():
            unfinished = place.with_suffix(".part")
            write_backbone(unfinished, self.shape, self.clips, self.device, self.dtype)
            unfinished.rename(place)
        return str(place)

    def need_time(self, seconds: float) -> None:
        """Raise NotHere where less is left."""
        if (left := self.deadline - time.monotonic()) < seconds:
            raise NotHere(f"{max(0.0, left):.0f} s were left, and it takes about {seconds:.0f} s (--minutes)")

    def wait(self) -> None:
        """For all that the GPU was told to do."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def forget(self) -> None:
        """Free what nobody holds any more but trainers in circles: what comes next finds an empty GPU."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.init()  # without it there is no peak to forget
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def timed(self, work: Callable[[], Result]) -> tuple[float, Result]:
        """(seconds of `work` with what it left to the GPU, what it gives)"""
        self.wait()
        started = time.perf_counter()
        result = work()
        self.wait()
        return time.perf_counter() - started, result


class Stopwatch:
    """Seconds by the name of a part, with what it left to the GPU."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def over(self, name: str) -> Iterator[None]:
        self._bench.wait()
        started = time.perf_counter()
        try:
            yield
        finally:
            self._bench.wait()
            self.seconds[name] += time.perf_counter() - started

    def around(self, name: str | Callable[[], str], function: Callable) -> Callable:
        """The function, timed; a callable gives the name at each call."""

        def timed(*given: Any, **also: Any) -> Any:
            with self.over(name if isinstance(name, str) else name()):
                return function(*given, **also)

        return timed


Part = Callable[[Bench], Iterator[Figure]]


def measure(names: Sequence[str], part_named: Callable[[str], Part], bench: Bench, keep: Keep) -> None:
    """Every figure of the parts becomes a row at once, so that those before a failure stay.

    Args:
        part_named: the part of a name; may fail as the part may.
        keep: gets rows of results.json.
    """
    for name in names:
        started = time.monotonic()
        _measure_part(name, part_named, bench, keep)
        keep(row(name, bench.shape.name, what=PART_ENDED, value=time.monotonic() - started, unit="s"))


def _measure_part(name: str, part_named: Callable[[str], Part], bench: Bench, keep: Keep) -> None:
    about = (name, bench.shape.name)
    try:
        bench.need_time(LEAST)
        bench.forget()
        for figure in part_named(name)(bench):
            status = MEASURED if figure.passed is None else PASSED if figure.passed else FAILED
            keep(row(*about, status=status, peak_gb=_peak(bench) if figure.alone else None, **_values(figure)))
            if bench.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(bench.device)
    except NotHere as reason:
        keep(row(*about, status=MISSING, problem=str(reason)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the next part is measured
        problem = f"{type(error).__name__}: {first_line(error)}"
        keep(row(*about, status=FAILED, problem=problem, trace=traceback.format_exc()))


def _values(figure: Figure) -> dict[str, Any]:
    return {name: value for name, value in vars(figure).items() if name not in ("passed", "alone")}


def _peak(bench: Bench) -> float | None:
    return torch.cuda.max_memory_allocated(bench.device) / 1e9 if bench.device.type == "cuda" else None


def row(part: str, model: str, status: str = MEASURED, **about: Any) -> dict[str, Any]:
    """A row of results.json."""
    empty = dict.fromkeys(("what", "value", "unit", "how", "flops", "peak_gb", "problem", "trace"))
    return {"part": part, "model": model, "status": status, **empty, **about}


def host_peak_gb() -> float:
    """The most memory of the host that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
