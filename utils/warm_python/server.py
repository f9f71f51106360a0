"""The process behind a warm Python: it waits for command lines and forks a child for each."""

import contextlib
import json
import os
import selectors
import shlex
import shutil
import signal
import socket
import sys
from pathlib import Path

from utils.warm_python import ask
from utils.warm_python.ask import LENGTH, PASSED_ON, REFUSED, STATUS, STREAMS
from utils.warm_python.fresh import Request, of_the_start

PYTHON, SOCKET = "python", "socket"  # in the folder of a warm Python
READY = "libraries are imported: from here on commands are forks"


def write_python(folder: Path) -> str:
    """Write the executable by which a warm Python in `folder` is asked, and return its path."""
    python = folder / PYTHON
    client = f"import sys; sys.path.append({str(Path(ask.__file__).parent)!r}); import ask; ask.main()"
    asking = shlex.join([sys.executable, "-ISc", client, str(folder / SOCKET)])
    python.write_text(f'#!/bin/sh\nexec {asking} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    return str(python)


class Server:
    """Waits for requests, forks a child for each, passes signals on to it and tells how it ended.

    Args:
        folder: gets the socket; goes when this process ends.
        environment: that this Python was started with.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._own = of_the_start(environment)
        self._waiting = selectors.DefaultSelector()
        self._alive = os.dup(0)  # becomes readable when whoever started this has gone
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.close(nothing)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / SOCKET))
        self._listening.listen(64)
        self._children: dict[socket.socket, tuple[int, int]] = {}  # who asked: (process, its end)
        self._told, telling = os.pipe()  # becomes readable when this process shall end
        self._ending = False
        for place in (self._alive, self._told, self._listening):
            self._waiting.register(place, selectors.EVENT_READ)
        signal.signal(signal.SIGTERM, lambda *_: os.write(telling, b"."))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for a command

    def next_child(self) -> Request:
        """Serve until there is a child to be: returns in each child, and in no other process."""
        sys.stderr.write(f"{READY}\n")
        sys.stderr.flush()
        while not self._ending or self._children:
            for key, _ in self._waiting.select():
                if key.fileobj in (self._alive, self._told):
                    self._end()
                elif key.fileobj is self._listening:
                    if not self._ending and (request := self._accept()) is not None:
                        return request
                elif key.data is not None:
                    self._tell(key.data)
                elif key.fileobj in self._children:
                    self._pass_on(key.fileobj)
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(0)

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
            sys.stderr.write(f"{request.words[:2]} needs another Python: of other {sorted(other)}\n")
            sys.stderr.flush()
        return not other

    def _pass_on(self, asker: socket.socket) -> None:
        child, _ = self._children[asker]
        numbers = b""
        with contextlib.suppress(ConnectionError):
            numbers = asker.recv(64)
        for number in set(numbers) & set(PASSED_ON):
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
        os.close(self._told)
        self._waiting.close()

    def _end(self) -> None:
        """Take no further command. Those that run go on to their end, as they would without their parent."""
        if not self._ending:
            self._ending = True
            for place in (self._alive, self._told, self._listening):
                self._waiting.unregister(place)
            self._listening.close()


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
