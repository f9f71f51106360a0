"""Cases are tried one after the other and counted: how many there were, how many survived, which were lost and why."""

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.places import ROOT
from utils.errors import InputError, refused_by_system

SLOW_S, TOO_LONG_S = 3.0, 30.0  # of computing: the first is reported, the second ends a case as lost
MEMORY = 6 << 30  # bytes that a case may add to the address space
LONGEST_MESSAGE = 2000


@dataclass(frozen=True)
class Ending:
    """How one case ended: with a value, or with the one line of a user's mistake, or (`lost`) in no way it should."""

    value: Any = None
    line: str = ""
    lost: str = ""


@dataclass
class Tally:
    """The cases of one kind.

    Attributes:
        refused: of those that survived, how many ended in one line.
        lost: why -> (how often, what repeats the first of them).
        slow: (seconds, what repeats it) of cases over `SLOW_S`.
    """

    tried: int = 0
    refused: int = 0
    lost: dict[str, tuple[int, str]] = field(default_factory=dict)
    slow: list[tuple[float, str]] = field(default_factory=list)

    @property
    def lost_cases(self) -> int:
        return sum(count for count, _ in self.lost.values())

    def add(self, ending: Ending, repeat: str, seconds: float = 0.0) -> None:
        self.tried += 1
        self.refused += bool(ending.line)
        if ending.lost:
            count, first = self.lost.get(ending.lost, (0, repeat))
            self.lost[ending.lost] = count + 1, first
        if seconds > SLOW_S:
            self.slow.append((seconds, repeat))


class Count:
    """The tallies of a suite by name, in the order of their first case."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.tallies: dict[str, Tally] = {}

    def of(self, name: str) -> Tally:
        return self.tallies.setdefault(name, Tally())

    @property
    def lost(self) -> int:
        return sum(tally.lost_cases for tally in self.tallies.values())

    @property
    def tried(self) -> int:
        return sum(tally.tried for tally in self.tallies.values())

    def lines(self) -> Iterator[str]:
        """What was lost and what was slow, a table, and the count."""
        for name, tally in self.tallies.items():
            for reason, (count, repeat) in tally.lost.items():
                yield f"LOST {name} x {count}: {reason}\n     {repeat}"
            for seconds, repeat in sorted(tally.slow, reverse=True)[:2]:
                yield f"slow {name}: {seconds:.1f} s\n     {repeat}"
        width = max(map(len, self.tallies), default=0)
        yield f"{'':{width}}   tried  one line   lost"
        for name, tally in self.tallies.items():
            yield f"{name:{width}}  {tally.tried:6d}  {tally.refused:8d}  {tally.lost_cases:5d}"
        yield f"{self.suite}: {self.tried} tried, {self.tried - self.lost} survived, {self.lost} lost"

    def end(self) -> None:
        """Print all and exit: 1 where anything was lost."""
        print("\n".join(self.lines()))
        sys.stdout.flush()
        sys.exit(1 if self.lost else 0)


class TooLong(BaseException):
    """A case took longer than `TOO_LONG_S`."""


@contextmanager
def limited() -> Iterator[None]:
    """Within it a case can neither run on for ever nor fill the machine's memory."""

    def stop(number: int, frame: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, TOO_LONG_S)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def attempt(read: Callable[[], Any], wrong: Callable[[Any], str | None]) -> tuple[Ending, float]:
    """(how a reader ends, seconds of computing).

    Args:
        read: gives a value, or raises what it raises.
        wrong: what is wrong with a value that was given as if nothing were, or None.
    """
    start = time.process_time()
    try:
        with limited():
            ending = _judged(read(), wrong)
    except InputError as error:
        ending = _refusal(str(error))
    except TooLong:
        ending = Ending(lost=f"more than {TOO_LONG_S:g} s of computing")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        refusal = refused_by_system(error) if isinstance(error, OSError) else None
        ending = Ending(lost=_escaped(error)) if refusal is None else _refusal(refusal)
    return ending, time.process_time() - start


def _judged(value: Any, wrong: Callable[[Any], str | None]) -> Ending:
    problem = wrong(value)
    return Ending(value) if problem is None else Ending(lost=f"silently wrong: {problem}")


def _refusal(message: str) -> Ending:
    if not message.strip() or "\n" in message or "\r" in message:
        return Ending(lost="the message is not one line")
    if len(message) > LONGEST_MESSAGE:
        return Ending(lost=f"the message is longer than {LONGEST_MESSAGE} characters")
    return Ending(line=message)


def _escaped(error: BaseException) -> str:
    """The exception with the last place of ours that it came through."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(ROOT)
        and "/tests/faults/" not in frame.filename
        and ".venv" not in frame.filename
    ]
    place = f"{Path(ours[-1].filename).relative_to(ROOT)}:{ours[-1].lineno}" if ours else "outside of our code"
    return f"{type(error).__name__} at {place}: {str(error).splitlines()[0][:90] if str(error) else ''}"
