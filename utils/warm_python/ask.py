"""A client that asks a warm Python to run one command line, and is to its caller what that command would be.

A program of its own (`utils.warm_python.server.write_python`) with ``SOCKET word...``: it hands over its command line,
folder, environment, ignored signals and standard streams, passes on the signals that it gets, and ends as the command
ends: with its status, or by its signal. Limits on resources, the umask and other open files are not handed over. What a
warm Python cannot run as a fresh one would (``-c``, another environment), a fresh one runs, and so does one that is not
ready yet. It imports little, as it is started for every command.
"""

import json
import os
import signal
import socket
import struct
import sys

STREAMS = (0, 1, 2)
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
# Begins every request: how many bytes of JSON follow. Ends every command: its status, negative for a signal.
LENGTH = struct.Struct("!Q")
STATUS = struct.Struct("!i")
REFUSED = 1 << 16  # no status: the warm Python does not run this command


def main() -> None:
    address, words = sys.argv[1], sys.argv[2:]
    status = REFUSED
    if _is_known(words) and _has_streams():
        status = _ask(address, words)
    if status == REFUSED:
        os.execv(sys.executable, [sys.executable, *words])
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _is_known(words: list[str]) -> bool:
    """Whether these are a script or ``-m module`` with its command line; ``-u`` may come first."""
    words = words[1:] if words[:1] == ["-u"] else words
    return bool(words) and (not words[0].startswith("-") or (words[0] == "-m" and len(words) > 1))


def _has_streams() -> bool:
    """Whether no standard stream is closed: the next thing to be opened would be taken for it."""
    try:
        return all(os.fstat(stream) for stream in STREAMS)
    except OSError:
        return False


def _ask(address: str, words: list[str]) -> int:
    ignored = [number for number in PASSED_ON if signal.getsignal(number) == signal.SIG_IGN]
    request = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ), "ignored": ignored}
    said = json.dumps(request).encode("ascii")
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(address)
        except OSError:  # it still imports, or has gone
            return REFUSED
        socket.send_fds(server, [LENGTH.pack(len(said))], STREAMS)
        server.sendall(said)
        for number in PASSED_ON:  # also those that are ignored: the command may have taken them up since
            signal.signal(number, lambda number, _: server.sendall(bytes([number])))
        answer = b""
        while len(answer) < STATUS.size:
            try:
                piece = server.recv(STATUS.size - len(answer))
            except ConnectionError:
                piece = b""
            if not piece:
                raise SystemExit(
                    f"{address}: the warm Python has gone; end the command, if it still runs, and start again"
                )
            answer += piece
        for number in PASSED_ON:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    return STATUS.unpack(answer)[0]
