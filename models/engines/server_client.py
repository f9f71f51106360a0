"""A running `vllm serve` is spoken to over HTTP: which models it has, adapters that come and go, replies."""

import http.client
import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn
from urllib.parse import urlsplit

from utils.errors import InputError

_AT_ONCE = 256  # requests of one process that wait for the server; it has a queue of its own
_PATIENCE = 900.0  # seconds that one answer may take: a batch of long replies, behind those of other processes
_SOON = 10.0  # seconds in which a server that is there says something
_TRIES, _PAUSE = 4, 1.0  # a connection that breaks is tried again after 1, 2, 4 s: a seeded reply is the same again
_LONGEST_ANSWER = 1 << 28  # bytes; replies of 4,096 tokens have a hundredth


@dataclass(frozen=True)
class Served:
    """A model that a server has.

    Attributes:
        name: what requests call it.
        root: where the server read it from.
        parent: name of the model that it is an adapter of; None for a model of its own.
        room: tokens of a prompt with its reply; None where the server does not say, as of adapters.
    """

    name: str
    root: str
    parent: str | None
    room: int | None


class ServerClient:
    """The server at `url`, such as ``http://node7:8000``.

    ``VLLM_API_KEY`` of the environment is sent with every request, as vLLM itself reads it. No proxy is asked.

    Raises:
        InputError: no address. Every method: the server cannot be reached, or answers what no vLLM server does.
    """

    def __init__(self, url: str) -> None:
        self.flag = f"--engine-server {url}"
        parts = urlsplit(url)
        try:
            self._host, self._port = parts.hostname, parts.port
        except ValueError:
            self._host = None
        if parts.scheme not in ("http", "https") or not self._host or parts.path.rstrip("/") not in ("", "/v1"):
            raise InputError(f"{self.flag}: not the address of a server, expected one such as http://node7:8000")
        secure = parts.scheme == "https"
        self._connection = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        key = os.environ.get("VLLM_API_KEY")
        self._headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}

    def version(self) -> str:
        """The vLLM that it runs."""
        answer = self._asked("GET", "/version", patience=_SOON)
        if not isinstance(answer.get("version"), str):
            self._refuse_stranger("/version", answer)
        return answer["version"]

    def models(self) -> list[Served]:
        """Models and adapters that it has."""
        answer = self._asked("GET", "/v1/models")
        try:
            return [
                Served(str(card["id"]), str(card["root"]), card.get("parent"), card.get("max_model_len"))
                for card in answer["data"]
            ]
        except (LookupError, TypeError):
            self._refuse_stranger("/v1/models", answer)

    def load_adapter(self, name: str, folder: str) -> None:
        """Make it read an adapter from a folder, which both machines must see under the same name."""
        status, said = self._answer("POST", "/v1/load_lora_adapter", {"lora_name": name, "lora_path": folder})
        if status == http.client.NOT_FOUND and "lora" not in _words(said).lower():
            raise InputError(
                f"{self.flag}: takes no adapters while it runs: start it by options/accelerate/vllm_server.sh (which "
                "sets VLLM_ALLOW_RUNTIME_LORA_UPDATING=True)"
            )
        if status != http.client.OK:
            raise InputError(
                f"{self.flag}: refuses the adapter in {folder} (status {status}: {_words(said)}): the folder must be "
                "on a file system that the server sees under the same name, and the server be started with "
                "--enable-lora and a --max-lora-rank that is not below the adapter's"
            )

    def unload_adapter(self, name: str) -> None:
        """Make it forget an adapter; one that it does not know is forgotten already."""
        self._answer("POST", "/v1/unload_lora_adapter", {"lora_name": name})

    def complete(self, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The one choice that answers each request for a completion, in their order; all are asked at once."""
        pool = ThreadPoolExecutor(min(_AT_ONCE, max(1, len(requests))))
        try:
            answers = list(pool.map(partial(self._asked, "POST", "/v1/completions"), requests))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return [self._choice(answer) for answer in answers]

    def _choice(self, answer: dict[str, Any]) -> dict[str, Any]:
        match answer:
            case {"choices": [{"token_ids": [*_], "logprobs": {"token_logprobs": [*_]}} as choice]}:
                return choice
            case {"choices": [{"token_ids": None}, *_]}:
                raise InputError(f"{self.flag}: tells no token ids: vLLM 0.22 or newer is needed")
        self._refuse_stranger("/v1/completions", answer)

    def _asked(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, patience: float = _PATIENCE
    ) -> dict[str, Any]:
        """What it answers. Raises InputError where that is a refusal."""
        status, said = self._answer(method, path, body, patience)
        if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise InputError(
                f"{self.flag}: wants a key (status {status}): give the one that it was started with in VLLM_API_KEY"
            )
        if status != http.client.OK:
            raise InputError(f"{self.flag}: refuses {path} (status {status}: {_words(said)})")
        if not isinstance(said, dict):
            self._refuse_stranger(path, said)
        return said

    def _answer(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, patience: float = _PATIENCE
    ) -> tuple[int, Any]:
        """(status, what its JSON says, or the text where it is none)"""
        for attempt in range(1, _TRIES + 1):
            try:
                return self._once(method, path, body, patience)
            except (OSError, http.client.HTTPException) as error:
                # A server that was never there is told of at once; one that is too slow is not asked for more.
                if attempt == _TRIES or path == "/version" or isinstance(error, TimeoutError):
                    raise InputError(
                        f"{self.flag}: cannot be reached ({type(error).__name__}: {error}): start it "
                        "(options/accelerate/vllm_server.sh) and run the same command again, or leave the flag out"
                    ) from error
                time.sleep(_PAUSE * 2 ** (attempt - 1))
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None, patience: float) -> tuple[int, Any]:
        connection = self._connection(self._host, self._port, timeout=_SOON)
        try:
            connection.connect()
            connection.sock.settimeout(patience)
            connection.request(method, path, None if body is None else json.dumps(body), self._headers)
            answer = connection.getresponse()
            text = answer.read(_LONGEST_ANSWER).decode("utf-8", "replace")
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except (ValueError, RecursionError):
            return answer.status, text

    def _refuse_stranger(self, path: str, answer: Any) -> NoReturn:
        raise InputError(f"{self.flag}: is no vLLM server: answers {path} with {str(answer)[:200]!r}")


def _words(answer: Any) -> str:
    """What an answer says of an error: vLLM's own words, or a cut text."""
    match answer:
        case {"error": {"message": str(words)}} | {"message": str(words)} | {"detail": str(words)}:
            return words[:400]
    return str(answer)[:400]
