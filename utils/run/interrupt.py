"""Ctrl-C lets the current step finish, so that what is saved is whole."""

import signal
from types import FrameType


class Stopped(KeyboardInterrupt):
    """A run was told to stop, and has saved all that it needs to go on."""


class InterruptFlag:
    """Context in which the first SIGINT or SIGTERM sets `raised`; a second one interrupts at once.

    Loops look at `raised` after each step, save, and leave.
    """

    def __init__(self) -> None:
        self.raised = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "InterruptFlag":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.raised:
            raise KeyboardInterrupt
        self.raised = True
