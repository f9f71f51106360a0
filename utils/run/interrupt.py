"""Ctrl-C lets the current step finish, so that what is saved is whole; a scheduler's SIGTERM means the same."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from utils.run.launcher import launched_processes

# A launcher hands a signal on to processes that may have heard it themselves: a scheduler tells all of a job. So what
# comes so soon after the first is the same one.
_ECHO_SECONDS = 10.0


class Stopped(KeyboardInterrupt):
    """A run was told to stop, and has saved all that it needs to go on."""


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Within it SIGTERM raises KeyboardInterrupt, as Ctrl-C does, so that a command that is preempted says so.

    Processes that are forked meanwhile (workers of a pool, of a data loader) are ended by it as before.
    """
    process = os.getpid()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() == process:
            raise KeyboardInterrupt
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class InterruptFlag:
    """Context in which the first SIGINT or SIGTERM sets `raised`; a second one interrupts at once.

    Loops look at `raised` after each step, save, and leave. Several processes agree on it first, so it may be raised
    in one that has heard no signal yet.
    """

    def __init__(self) -> None:
        self.raised = False
        self._heard: float | None = None  # when the first signal came
        self._before: dict[int, object] = {}

    def __enter__(self) -> "InterruptFlag":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._heard is None:
            self._heard = now
            self.raised = True
        elif launched_processes() == 1 or now - self._heard > _ECHO_SECONDS:
            raise KeyboardInterrupt
