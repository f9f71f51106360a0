"""A client asks one endpoint that speaks OpenAI's chat completions: it waits, tries again, and tells the cost.

The `openai` package does the work: it repeats requests that met a timeout, a lost connection or a status of 408, 409,
429 or 5xx, after the time that Retry-After names (up to two minutes) or after a growing pause. Gemini, vLLM, Ollama and
others serve the same protocol.
"""

import asyncio
import logging
import os
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from utils.errors import InputError
from utils.files.json_files import parse_json

# provider -> its address (https://ai.google.dev/gemini-api/docs/openai) and the variable that holds its key.
PROVIDERS = {
    "openai": ("https://api.openai.com/v1/", "OPENAI_API_KEY"),
    "gemini": ("https://generativelanguage.googleapis.com/v1beta/openai/", "GEMINI_API_KEY"),
}
# For a server of your own, which asks for none.
NO_KEY = "none"
# Every other request would fail as well: the key, the permission, the address or the name of the model is wrong.
_HOPELESS = (401, 403, 404)


@dataclass(frozen=True)
class Endpoint:
    """Where requests go, and how patiently they are repeated.

    Attributes:
        base_url: ends before ``/chat/completions``.
        key: of the endpoint; never written anywhere.
        model: name of the model at the endpoint.
        timeout: seconds that a server may take to begin its reply.
        max_retries: repetitions of one request.
        requests_per_minute: most requests in a minute, repetitions included; None: no limit.
        options: further fields of every request (temperature, max_completion_tokens, ...).
    """

    base_url: str
    key: str = field(repr=False)
    model: str
    timeout: float = 120.0
    max_retries: int = 5
    requests_per_minute: float | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The response to one request, which was paid for.

    Attributes:
        text: the reply; None where the response holds none.
        problem: why there is no reply, or not a whole one; None for a whole reply.
        raw: the body of the response.
        prompt_tokens, completion_tokens: as the server counts; None where it does not say.
    """

    text: str | None
    problem: str | None
    raw: str
    prompt_tokens: int | None
    completion_tokens: int | None


class NoAnswer(Exception):
    """All tries of a request failed; `hopeless` where every other request would fail as well."""

    def __init__(self, message: str, hopeless: bool) -> None:
        super().__init__(message)
        self.hopeless = hopeless


def key_of(variable: str) -> str:
    """The key in an environment variable. Raises InputError where there is none that a header could carry."""
    key = os.environ.get(variable, "").strip()
    if not key or not (key.isascii() and key.isprintable()):
        what = "is not set" if not key else "holds characters that no key has"
        raise InputError(f"the environment variable {variable} {what}: it must hold the key of the endpoint")
    return key


class AnnotationClient:
    """An open connection to an endpoint: ``async with AnnotationClient(endpoint) as client``.

    Attributes:
        sent: HTTP requests so far, repetitions included.

    Raises:
        InputError: the package openai is not installed.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._openai = import_openai()
        self._endpoint = endpoint
        self._next_free = 0.0
        self.sent = 0
        self._client = self._openai.AsyncOpenAI(
            api_key=endpoint.key,
            base_url=endpoint.base_url,
            max_retries=endpoint.max_retries,
            timeout=endpoint.timeout,
            # The hook sees every HTTP request, also those that the package repeats by itself.
            http_client=self._openai.DefaultAsyncHttpxClient(event_hooks={"request": [self._pace]}),
        )

    async def __aenter__(self) -> "AnnotationClient":
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._client.close()

    async def ask(self, messages: list[dict[str, Any]]) -> Answer:
        """One chat completion. Raises NoAnswer when all tries failed."""
        try:
            response = await self._client.chat.completions.with_raw_response.create(
                model=self._endpoint.model, messages=messages, extra_body=self._endpoint.options
            )
        except self._openai.APIStatusError as error:
            raise NoAnswer(f"status {error.status_code}: {error.message}", error.status_code in _HOPELESS) from None
        except self._openai.APIError as error:
            cause = f" ({error.__cause__})" if error.__cause__ and str(error.__cause__) else ""
            raise NoAnswer(f"{error.message.rstrip('.')}{cause}", hopeless=False) from None
        return read_completion(response.http_response.text)

    async def _pace(self, request: object) -> None:
        """Count the request, and wait for its turn where requests in a minute are limited."""
        self.sent += 1
        if self._endpoint.requests_per_minute is None:
            return
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next_free)
        self._next_free = turn + 60 / self._endpoint.requests_per_minute
        await asyncio.sleep(turn - now)


def read_completion(body: str) -> Answer:
    """Take a response apart. It never raises, since whatever a server sends is paid for and must be kept."""
    try:
        value = parse_json(body)
    except ValueError:
        return Answer(None, "the response is not JSON", body, None, None)
    tokens = _tokens(value.get("usage") if isinstance(value, dict) else None)
    try:
        choice = value["choices"][0]
        text, finish = choice["message"]["content"], choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        return Answer(None, "the response holds no reply", body, *tokens)
    if not isinstance(text, str) or not text.strip():
        return Answer(None, f"the reply is empty (finish_reason {finish!r})", body, *tokens)
    problem = f"the reply is cut off (finish_reason {finish!r})" if finish in ("length", "content_filter") else None
    # JSON can escape half a character, which no file can hold.
    return Answer(text.encode("utf-8", "replace").decode("utf-8"), problem, body, *tokens)


def _tokens(usage: Any) -> tuple[int | None, int | None]:
    """Tokens of prompt and completion; None where the server does not say."""
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    counts = [usage.get(name) if isinstance(usage, dict) else None for name in names]
    prompt, completion, total = (count if isinstance(count, int) else None for count in counts)
    if None not in (prompt, completion, total):  # some servers count hidden thoughts in the total alone
        completion = max(completion, total - prompt)
    return prompt, completion


def import_openai() -> ModuleType:
    """The package openai, made quiet. Raises InputError where it is not installed."""
    try:
        import openai
    except ImportError:
        raise InputError("asking a model needs the package openai (pip install openai)") from None
    for name in ("openai", "httpx", "httpx2"):  # a line for every request is too much beside a progress bar
        logging.getLogger(name).setLevel(logging.WARNING)
    return openai
