"""What makes a forked child of a warm Python into a fresh one: libraries, a request, streams, and how Python ends."""

import atexit
import contextlib
import importlib
import io
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

from utils.warm_python.ask import PASSED_ON

# What takes the seconds of a start. Some are not everywhere.
LIBRARIES = (
    "torch", "numpy", "scipy.stats", "matplotlib.pyplot", "datasets", "transformers", "trl", "peft", "accelerate",
    "torch.utils.tensorboard",
)  # fmt: skip
# What a command may have of its own without another start of Python: no library reads it when it is imported. The path
# of modules is looked after below.
MAY_DIFFER = {
    "_", "PATH", "PWD", "OLDPWD", "SHLVL", "PYTHONPATH", "PYTEST_CURRENT_TEST", "COLUMNS", "LINES",
    # What libraries set in the process of the tests itself, and none reads for its work.
    "TORCHINDUCTOR_CACHE_DIR", "HF_HUB_DISABLE_TELEMETRY",
    # What a launcher tells its processes.
    "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_RANK", "ROLE_NAME",
    "ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TORCH_NCCL_ASYNC_ERROR_HANDLING",
}  # fmt: skip
MAY_DIFFER_FROM = ("MORL_", "PYTEST_XDIST_", "TORCHELASTIC_", "ACCELERATE_", "FSDP_", "GRADIO_")


def of_the_start(environment: dict[str, str]) -> dict[str, str]:
    """What of an environment a Python must be started with."""
    return {k: v for k, v in environment.items() if k not in MAY_DIFFER and not k.startswith(MAY_DIFFER_FROM)}


def import_libraries() -> bool:
    """Import what commands import, so that this process may be forked: nothing may compute or start a thread.

    Returns:
        whether it may be: a library that has begun to work with a GPU leaves none to the forks
    """
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # asked whether there is a GPU, torch begins to work with it else
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    del os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"]
    return not sys.modules["torch"].cuda.is_initialized()


@dataclass(frozen=True)
class Request:
    """One command line: its words, where it runs, with what environment, and what signals it ignores."""

    words: list[str]
    folder: str
    environment: dict[str, str]
    ignored: list[int]


def be_fresh(request: Request, python: str) -> None:
    """Make of a forked child what a Python is that was started with this request and has imported the libraries."""
    for number in PASSED_ON:
        signal.signal(number, signal.SIG_IGN if number in request.ignored else signal.SIG_DFL)
    if signal.SIGINT not in request.ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ |= request.environment
    sys.executable = python
    unbuffered = request.words[0] == "-u" or bool(request.environment.get("PYTHONUNBUFFERED"))
    read = io.BufferedReader(io.FileIO(0, closefd=False))
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(read, sys.stdin.encoding, sys.stdin.errors)
    for name, place in (("stdout", 1), ("stderr", 2)):
        stream = _as_started(getattr(sys, name), place, unbuffered)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # Python's own generator and torch's look after themselves


def _as_started(before: TextIO, place: int, unbuffered: bool) -> TextIO:
    """A standard stream of the encoding that it had, buffered as Python does for what is behind it now."""
    raw = io.FileIO(place, "wb", closefd=False)
    if unbuffered:
        return io.TextIOWrapper(raw, before.encoding, before.errors, write_through=True)
    lines = place == 2 or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), before.encoding, before.errors, line_buffering=lines)


def run(words: list[str], path: list[str]) -> None:
    """Run ``script word...`` or ``-m module word...`` as Python does, which imports the project anew.

    Args:
        path: places of modules of every Python, without those of the environment and of the script.
    """
    words = words[1:] if words[0] == "-u" else words
    for name in [name for name in sys.modules if name.partition(".")[0] == "utils"]:
        del sys.modules[name]
    added = [os.path.abspath(place) for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    if words[0] == "-m":
        sys.path[:] = [os.getcwd(), *added, *path]
        sys.argv[:] = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[:] = [str(Path(words[0]).resolve().parent), *added, *path]
        sys.argv[:] = words
        runpy.run_path(words[0], run_name="__main__")


def end_like_python(command: Callable[[], None]) -> NoReturn:
    """Run a command and end as the interpreter ends, but for taking apart all that was imported: half a second."""
    status, interrupted = 0, False
    try:
        command()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if end.code is not None and not isinstance(end.code, int):
            sys.stderr.write(f"{end.code}\n")
    finally:
        error = sys.exc_info()[1]
        if error is not None:
            sys.excepthook(type(error), error, error.__traceback__)
            status, interrupted = 1, isinstance(error, KeyboardInterrupt)
        threading._shutdown()
        atexit._run_exitfuncs()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            status = 120
        if interrupted:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        os._exit(status & 0xFF)
