"""How tests run a command of the project: as an ordinary process, of a Python that has its libraries imported.

A start of Python with torch, transformers and trl takes 3 to 6 CPU seconds, which is longer than most commands of tests
run. `warm_python` is used where `sys.executable` would be, with `subprocess` as it is (`utils.warm_python`).
"""

import atexit
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.places import ROOT
from utils.warm_python.fresh import of_the_start
from utils.warm_python.server import PYTHON, SOCKET

_STARTED: dict[tuple, "WarmPython"] = {}
_TIMEOUT_S = 300


class WarmPython:
    """A folder with an executable ``python`` that runs scripts and modules in forks of one process.

    Args:
        environment: the process is started with it. A command that is run with another one, but for what no library
            reads when it is imported, is run by a fresh Python.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="warm-", ignore_cleanup_errors=True)
        self.folder = Path(self._place.name)
        self.python = str(self.folder / PYTHON)
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "utils.warm_python.serve", str(self.folder)],
                cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + _TIMEOUT_S
        while not (self.folder / SOCKET).exists():
            if self.process.poll() == 0:  # on this machine nothing can be forked
                self.python = sys.executable
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no warm Python: {(self.folder / 'log').read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:  # a command that a test has left behind
            self.process.kill()
            self.process.wait()
        self._place.cleanup()

    def __enter__(self) -> "WarmPython":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def warm_python(environment: Mapping[str, str] | None = None) -> str:
    """The path of a Python for ``[warm_python(), "-m", "prepare.report", ...]``; it lives until the tests end.

    Args:
        environment: that the commands will be run with, if not that of this process.
    """
    own = tuple(sorted(of_the_start(dict(os.environ if environment is None else environment)).items()))
    if own not in _STARTED:
        _STARTED[own] = WarmPython(environment)
        atexit.register(_STARTED[own].close)
    return _STARTED[own].python
