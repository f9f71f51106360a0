"""A warm Python: it has imported the libraries that commands import, and forks a child for every command line.

Run as ``python -m tests.commands.serve SOCKET PYTHON``, with a pipe as its input: it ends when that is closed. It
imports nothing of the project, so that a command still imports the project in its own order. A child has the command
line, folder, environment, streams and signals of who asked (tests/commands/ask.py), and ends as Python ends; its
``sys.executable`` is ``PYTHON``, so that the commands that it starts are warm too.
"""

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

from tests.commands.ask import LENGTH, PASSED_ON, REFUSED, STATUS, STREAMS

ROOT = Path(__file__).parent.parent.parent
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


def import_libraries() -> None:
    """Import what commands import, so that this process may be forked: nothing may compute or start a thread."""
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


@dataclass(frozen=True)
class Request:
    """One command line: its words, where it runs, with what environment, and what signals it ignores."""

    words: list[str]
    folder: str
    environment: dict[str, str]
    ignored: list[int]


class Server:
    """Waits for requests, forks a child for each, passes signals on to it and tells how it ended.

    Args:
        environment: that this Python was started with.
    """

    def __init__(self, address: str, environment: dict[str, str]) -> None:
        self._own = of_the_start(environment)
        self._waiting = selectors.DefaultSelector()
        self._alive = os.dup(0)  # becomes readable when whoever started this has gone
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.close(nothing)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(address)
        self._listening.listen(64)
        self._children: dict[socket.socket, tuple[int, int]] = {}  # who asked: (process, its end)
        for place in (self._alive, self._listening):
            self._waiting.register(place, selectors.EVENT_READ)

    def next_child(self) -> Request:
        """Serve until there is a child to be: returns in each child, and in no other process."""
        while True:
            for key, _ in self._waiting.select():
                if key.fileobj == self._alive:
                    self._end()
                elif key.fileobj is self._listening:
                    if (request := self._accept()) is not None:
                        return request
                elif key.data is not None:
                    self._tell(key.data)
                elif key.fileobj in self._children:
                    self._pass_on(key.fileobj)

    def _accept(self) -> Request | None:
        """Read a request and fork; None in the process that goes on serving."""
        asker, _ = self._listening.accept()
        begin, streams, _, _ = socket.recv_fds(asker, LENGTH.size, len(STREAMS))
        try:
            request = _read(asker, begin)
            if request is None or not self._can_run(request):
                with contextlib.suppress(OSError):
                    asker.sendall(STATUS.pack(REFUSED))
                asker.close()
                return None
            child = os.fork()
            if child == 0:
                os.setsid()
                self._close()
                asker.close()
                for place, stream in zip(STREAMS, streams, strict=True):
                    os.dup2(stream, place)
                return request
        finally:
            for stream in streams:
                os.close(stream)
        end = os.pidfd_open(child)
        self._children[asker] = (child, end)
        self._waiting.register(asker, selectors.EVENT_READ)
        self._waiting.register(end, selectors.EVENT_READ, asker)
        return None

    def _can_run(self, request: Request) -> bool:
        """Whether this Python is as one that would be started with the environment of a request."""
        other = {name for name, _ in of_the_start(request.environment).items() ^ self._own.items()}
        if other:
            print(f"{request.words[:2]} needs another Python: of other {sorted(other)}", file=sys.stderr, flush=True)
        return not other

    def _pass_on(self, asker: socket.socket) -> None:
        child, _ = self._children[asker]
        numbers = b""
        with contextlib.suppress(ConnectionError):
            numbers = asker.recv(64)
        for number in numbers:
            os.kill(child, number)
        if not numbers:  # who asked was killed
            _kill(child)
            self._waiting.unregister(asker)

    def _tell(self, asker: socket.socket) -> None:
        """A child has ended: say how."""
        child, end = self._children.pop(asker)
        self._waiting.unregister(end)
        os.close(end)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with contextlib.suppress(KeyError):
            self._waiting.unregister(asker)
        with contextlib.suppress(OSError):
            asker.sendall(STATUS.pack(status))
        asker.close()

    def _close(self) -> None:
        """In a child: what only the server needs."""
        for asker, (_, end) in self._children.items():
            asker.close()
            os.close(end)
        self._listening.close()
        os.close(self._alive)
        self._waiting.close()

    def _end(self) -> None:
        for child, _ in self._children.values():
            _kill(child)
        os._exit(0)


def _read(asker: socket.socket, begin: bytes) -> Request | None:
    """A whole request; None where who asked has gone before its end."""
    if len(begin) < LENGTH.size:
        return None
    [length] = LENGTH.unpack(begin)
    said = b""
    while len(said) < length:
        piece = asker.recv(length - len(said))
        if not piece:
            return None
        said += piece
    return Request(**json.loads(said))


def _kill(child: int) -> None:
    """A child and what it started."""
    for kill in (os.kill, os.killpg):
        with contextlib.suppress(ProcessLookupError):
            kill(child, signal.SIGKILL)


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
    """Run ``script word...`` or ``-m module word...`` as Python does.

    Args:
        path: places of modules of every Python, without those of the environment and of the script.
    """
    words = words[1:] if words[0] == "-u" else words
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
            print(end.code, file=sys.stderr)
    except BaseException as error:  # noqa: BLE001  it is shown
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


def main() -> None:
    address, python = sys.argv[1:]
    added = {os.path.abspath(place) for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place}
    path = [place for place in sys.path if place not in {"", str(ROOT), os.getcwd(), *added}]
    before = dict(os.environ)
    import_libraries()
    server = Server(address, before)
    gc.collect()
    gc.freeze()  # pages that no collection touches stay shared with the children
    request = server.next_child()
    be_fresh(request, python)
    end_like_python(lambda: run(request.words, path))


if __name__ == "__main__":
    main()
