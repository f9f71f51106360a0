"""A timer tells where the time of a run went, stage by stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StageTimer:
    """Adds up wall-clock seconds by stage name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside the `with` towards `name`; a name may come again."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    def table(self) -> str:
        """Seconds and share of each stage, the rest of the run as ``other``."""
        total = time.perf_counter() - self._began
        rows = {**self.seconds, "other": max(total - sum(self.seconds.values()), 0.0)}
        width = max(map(len, [*rows, "total"]))
        lines = [f"{name:{width}}  {seconds:8.1f} s  {seconds / total:6.1%}" for name, seconds in rows.items()]
        return "\n".join([*lines, f"{'total':{width}}  {total:8.1f} s"])
