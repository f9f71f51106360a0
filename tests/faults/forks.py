"""A command runs in a forked child of a process that has imported everything once, and can be killed at any moment.

Starting Python and importing torch and trl takes ten times as long as the smallest runs; a fork takes none of it. Tests
that only run a command take `tests.warm_python`, which needs no process of their own that may be forked.
"""

import contextlib
import importlib
import logging
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.run.command import run_command
from utils.warm_python.fresh import import_libraries

# What a child says on its pipe whenever it is about to change something on the disk.
_TICK = b"."
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink", "os.chmod")
TIMEOUT_S = 600


@dataclass(frozen=True)
class Moment:
    """When a child is killed: `delay` seconds after it is about to make its `change`-th change (from 1) on the disk.

    A delay of 0 is exact: the child kills itself instead of making the change.
    """

    change: int
    delay: float = 0.0

    def __str__(self) -> str:
        return f"change {self.change}" + (f" + {1000 * self.delay:.0f} ms" if self.delay else "")


@dataclass(frozen=True)
class Ended:
    """How a child ended: its status (negative: the signal), all that it printed, its changes on the disk, seconds."""

    status: int
    output: str
    changes: int
    seconds: float

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL

    @property
    def last_line(self) -> str:
        return next((line for line in reversed(self.output.split("\n")) if line.strip()), "")


@dataclass(frozen=True)
class Command:
    """A command of the project.

    Attributes:
        module: ``prepare.encode_motions``, ``train_mllm``.
        words: its command line; paths are relative to the folder that it runs in.
        environment: variables for it alone.
    """

    module: str
    words: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        name = self.module if "." not in self.module else f"-m {self.module}"
        return " ".join(["python", name, *self.words])


def warm_up() -> None:
    """Import what commands import, in this process, and let it compute with one thread, so that it may be forked."""
    logging.getLogger("bitsandbytes").setLevel(logging.CRITICAL)
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    import_libraries()
    for name in ("eval_mllm", "options.trl_configs", "models.sft.trainer", "rewards.grpo.trainer"):
        importlib.import_module(name)
    import torch

    torch.set_num_threads(1)


def run_forked(
    command: Command, folder: Path, moment: Moment | None = None, before: Callable[[], None] = lambda: None
) -> Ended:
    """Run a command to its end, or to `moment`.

    Args:
        folder: it runs there; changes below it are counted.
        before: called in the child, before the command: sets limits.
    """
    tick_in, tick_out = os.pipe()
    said_in, said_out = os.pipe()  # no file: the disk that is full may be the one that the file would be on
    sys.stdout.flush()
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.close(tick_in)
        os.close(said_in)
        _be_command(command, folder, said_out, tick_out, moment, before)
    os.close(tick_out)
    os.close(said_out)
    try:
        changes, said, status = _watch(child, tick_in, said_in, moment)
    finally:
        os.close(tick_in)
        os.close(said_in)
    return Ended(status, said.decode("utf-8", errors="replace"), changes, time.perf_counter() - start)


def _watch(child: int, ticks: int, output: int, moment: Moment | None) -> tuple[int, bytes, int]:
    """(changes, what it printed, status) of a child; it is killed `moment.delay` after the change of `moment`."""
    changes, said, deadline, limit = 0, bytearray(), None, time.monotonic() + TIMEOUT_S
    end = os.pidfd_open(child)
    killed = False
    while True:
        wait = max(0.0, min(limit, deadline or limit) - time.monotonic())
        ready, _, _ = select.select([ticks, output, end], [], [], wait)
        if ticks in ready:
            changes += len(os.read(ticks, 65536))
            if moment is not None and moment.delay and deadline is None and changes >= moment.change:
                deadline = time.monotonic() + moment.delay
        if output in ready:
            said += os.read(output, 65536)
        if end in ready:
            break
        now = time.monotonic()
        if not killed and ((deadline is not None and now >= deadline) or now >= limit):
            os.killpg(child, signal.SIGKILL)
            killed, deadline = True, limit + TIMEOUT_S
    _, state = os.waitpid(child, 0)
    os.close(end)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)  # workers that outlived it
    for pipe in (ticks, output):  # what it said last
        os.set_blocking(pipe, False)
        with contextlib.suppress(BlockingIOError):
            while rest := os.read(pipe, 65536):
                changes, said = changes + len(rest) * (pipe == ticks), said + rest * (pipe == output)
    return changes, bytes(said), os.waitstatus_to_exitcode(state)


def _be_command(
    command: Command, folder: Path, output: int, ticks: int, moment: Moment | None, before: Callable[[], None]
) -> None:
    """The child: never returns."""
    status = 1
    try:
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        for name, stream in (("stdout", 1), ("stderr", 2)):
            setattr(sys, name, os.fdopen(os.dup(stream), "w", buffering=1, encoding="utf-8"))
        os.chdir(folder)
        os.environ |= command.environment
        sys.argv = [command.module, *command.words]
        _count_changes(folder, ticks, moment)
        before()
        status = _status_of(command)
    except BaseException:  # noqa: BLE001  the traceback is what is looked for
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _status_of(command: Command) -> int:
    try:
        run_command(importlib.import_module(command.module).main)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _count_changes(folder: Path, ticks: int, moment: Moment | None) -> None:
    """Say every change below `folder` on the pipe before it is made; at an exact moment die instead."""
    root, count, sync = str(folder.resolve()), 0, os.fsync
    exact = moment.change if moment is not None and not moment.delay else 0

    def change() -> None:
        nonlocal count
        count += 1
        if count == exact:
            os.killpg(0, signal.SIGKILL)
        os.write(ticks, _TICK)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            writes = isinstance(arguments[2], int) and arguments[2] & _WRITING
            if writes and _below(root, arguments[0]):
                change()
        elif event in _CHANGES and _below(root, arguments[0]):
            change()

    def fsync(handle: int) -> None:
        change()
        sync(handle)

    os.fsync = fsync
    sys.addaudithook(hook)


def refuse(change: int, code: int) -> None:
    """From the `change`-th change on the system of this process refuses all of them with an errno; to be called in a
    child. What exists can still be read and removed, as on a full disk."""
    root, count, sync = os.getcwd(), 0, os.fsync

    def refused(path: Any) -> None:
        nonlocal count
        count += 1
        if count >= change:
            raise OSError(code, os.strerror(code), path)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        changes = (
            (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING)
            or (event == "os.mkdir" and not os.path.exists(arguments[0]))  # a full disk has the folders that it has
            or event in ("os.rename", "os.link", "os.symlink")
        )
        if changes and _below(root, arguments[0]):
            refused(arguments[0])

    def fsync(handle: int) -> None:
        refused(None)
        sync(handle)

    os.fsync = fsync
    sys.addaudithook(hook)


def _below(root: str, path: Any) -> bool:
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    return Path(os.path.abspath(os.fsdecode(path))).is_relative_to(root)


@contextlib.contextmanager
def no_core_dumps() -> Iterator[None]:
    """Killed children leave nothing behind but what they wrote."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
