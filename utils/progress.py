"""Long work says how far it is: a bar on a terminal, a line a minute in a log file."""

import sys
import time
from typing import Any

from tqdm import tqdm

from utils.run.launcher import launched_as_main

# Seconds between two lines of a log; work that is done sooner says nothing there.
LOG_EVERY = 60.0
_COUNTED = "{desc}: {percentage:.0f}% ({n_fmt} of {total_fmt} {units}), {elapsed}<{remaining}, {rate_fmt}{postfix}"
_UNCOUNTED = "{desc}: {n_fmt} {units}, {elapsed}, {rate_fmt}{postfix}"


class Progress(tqdm):
    """A tqdm bar (same arguments, on stderr) whose lines in a file or a pipe are few and whole. Of several processes
    that work together only the first shows one.

    A bar draws over itself with carriage returns; in a file that is one line of megabytes.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._bar_is_drawn = sys.stderr.isatty()
        self._lines, self._last = 0, time.monotonic()
        if not self._bar_is_drawn:
            total = settings.get("total")
            if total is None and args and hasattr(args[0], "__len__"):
                total = len(args[0])
            line = (_COUNTED if total else _UNCOUNTED).replace("{units}", _plural(settings.get("unit", "it")))
            settings |= {"bar_format": line, "mininterval": LOG_EVERY, "miniters": 1}
            settings |= {"delay": LOG_EVERY, "dynamic_ncols": False}
        if not launched_as_main():  # the bars of several processes would overwrite one another
            settings["disable"] = True
        super().__init__(*args, **settings)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        if self._bar_is_drawn:
            return super().display(msg, pos)
        # A postfix that changes redraws a bar at once; a line has its minute.
        if msg is None and time.monotonic() - self._last >= LOG_EVERY:
            self._line()
        return True

    def _line(self) -> None:
        self._lines, self._last = self._lines + 1, time.monotonic()
        sys.stderr.write(f"{self}\n")
        sys.stderr.flush()

    def close(self) -> None:
        if self._bar_is_drawn or self.disable:
            super().close()
            return
        self.disable = True
        self._decr_instances(self)
        if self._lines:  # the last one says where it ended
            self._line()


def _plural(unit: str) -> str:
    return f"{unit[:-1]}ies" if unit.endswith("y") else f"{unit}s"
