"""A real HTTP server on loopback that speaks chat completions, plays what it is told to, and remembers who asked."""

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 300, "completion_tokens": 80, "total_tokens": 380}


@dataclass
class Play:
    """What one request is answered with: a chat completion of `text`, or `body` as it is."""

    text: str | None = ""
    body: str | None = None
    status: int = 200
    delay: float = 0.0
    finish: str = "stop"
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> str:
        if self.body is not None:
            return self.body
        choice = {"index": 0, "message": {"role": "assistant", "content": self.text}, "finish_reason": self.finish}
        return json.dumps({"id": "x", "object": "chat.completion", "choices": [choice], "usage": USAGE})


def good_text(caption: str) -> str:
    """Well formed; says no more than the caption does."""
    return (
        "<think>The body shows this in stages, and each of them has to be seen with the others: weight, trunk, arms "
        f"and legs work together from the first moment on, and in the end the whole of it is that {caption} Nothing "
        f"else is needed for it.</think><answer>{caption}</answer>"
    )


@dataclass(frozen=True)
class Asked:
    """One request as it came in: `at` seconds, for which task and caption."""

    at: float
    task: str
    caption: str
    request: dict[str, Any]
    key: str

    @property
    def text(self) -> str:
        content = self.request["messages"][1]["content"]
        return content if isinstance(content, str) else content[0]["text"]


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, address)  # otherwise a client that was killed


class AnnotationServer:
    """``with AnnotationServer(play) as server``; `play` gets (task, caption, how often they were asked before)."""

    def __init__(self, play: Callable[[str, str, int], Play]) -> None:
        self.log: list[Asked] = []
        self._play, self._lock, self._busy = play, threading.Lock(), 0
        self.most_at_once = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server.handle(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._http = _Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> "AnnotationServer":
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def times_asked(self) -> dict[tuple[str, str], int]:
        counts: dict[tuple[str, str], int] = {}
        for asked in self.log:
            counts[asked.task, asked.caption] = counts.get((asked.task, asked.caption), 0) + 1
        return counts

    def handle(self, http: BaseHTTPRequestHandler) -> None:
        length = int(http.headers["content-length"])
        body = http.rfile.read(length)
        if len(body) < length:  # who asks was killed in the middle of it
            return
        request = json.loads(body)
        rules, content = (message["content"] for message in request["messages"])
        words = content if isinstance(content, str) else content[0]["text"]
        task = "t2m" if "plans the motion" in rules else "m2t"
        caption = words.partition("Caption: ")[2].partition("\n")[0]
        with self._lock:
            before = self.times_asked().get((task, caption), 0)
            self.log.append(Asked(time.monotonic(), task, caption, request, http.headers["authorization"]))
            self._busy += 1
            self.most_at_once = max(self.most_at_once, self._busy)
        play = self._play(task, caption, before) if http.path == "/v1/chat/completions" else Play(status=404)
        time.sleep(play.delay)
        with self._lock:
            self._busy -= 1
        data = play.content().encode()
        try:
            http.send_response(play.status)
            for name, value in {"content-type": "application/json", **play.headers}.items():
                http.send_header(name, value)
            http.send_header("content-length", str(len(data)))
            http.end_headers()
            http.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # who asked is gone: it ran out of time, or was killed
