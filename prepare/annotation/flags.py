"""These are the flags of prepare.generate_cot."""

import json
from dataclasses import dataclass, field
from typing import Any

from dataset.cot.acceptance import Bounds
from dataset.cot.sample import TASKS
from options.flags.parsing import flag, need, required_flag
from prepare.annotation.client import NO_KEY, PROVIDERS, Endpoint, import_openai, key_of
from prepare.annotation.run import Prices
from utils.files.json_files import parse_json

# Fields of a request that the program itself sets.
_OURS = ("model", "messages", "stream", "n")


@dataclass
class AnnotationFlags:
    """Flags: which captions are annotated, and how replies are checked."""

    _argument_group_name = "data"

    data_root: str = required_flag("data set in the HumanML3D layout")
    out_dir: str = required_flag("folder of the answers; the same one continues")
    dataname: str = flag("t2m", "skeleton: t2m = HumanML3D, kit = KIT-ML")
    split: list[str] = field(default_factory=lambda: ["train"], metadata={"help": "splits to annotate, default: train"})
    task: str = flag("both", "m2t (motion to caption), t2m (caption to motion) or both")
    captions_per_clip: int = flag(1, "captions of each clip that reasoning is written for")
    limit: int | None = flag(None, "only the first so many clips")
    with_facts: bool = flag(False, "show measured facts as text; default: on without --with-video")
    with_video: bool = flag(False, "show a sheet of evenly spaced frames, for models that see pictures")
    min_words: int = flag(Bounds.min_words, "least words of reasoning")
    max_words: int = flag(Bounds.max_words, "most words of reasoning")
    no_fact_check: bool = flag(
        False, "ask also for captions that their own motion contradicts, and accept replies that it contradicts"
    )
    retry_rejected: int = flag(0, "how many more times a rejected one is asked, over all runs in the folder")

    def __post_init__(self) -> None:
        need(self.task in (*TASKS, "both"), f"--task must be m2t, t2m or both, not {self.task}")
        for name in ("captions_per_clip", "limit", "min_words"):
            value = getattr(self, name)
            need(value is None or value >= 1, f"--{name.replace('_', '-')} must be at least 1, not {value}")
        need(self.min_words <= self.max_words, f"--max-words {self.max_words} is below --min-words {self.min_words}")
        need(self.retry_rejected >= 0, f"--retry-rejected must not be negative, not {self.retry_rejected}")

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(reversed(TASKS)) if self.task == "both" else (self.task,)


@dataclass
class EndpointFlags:
    """Flags: which model is asked, and how."""

    _argument_group_name = "endpoint"

    model: str = required_flag("name of the model at the endpoint")
    provider: str = flag("openai", "openai or gemini: address, and variable of the key")
    base_url: str | None = flag(None, "another server that speaks the same; default: the provider's")
    key_variable: str | None = flag(
        None, "environment variable of the key; default: OPENAI_API_KEY or GEMINI_API_KEY, with --base-url none"
    )
    concurrency: int = flag(8, "requests in flight")
    requests_per_minute: float | None = flag(None, "most requests in a minute, repetitions included")
    max_retries: int = flag(
        5, "repetitions of a request after a timeout, 429 or 5xx, with growing pauses or Retry-After"
    )
    timeout: float = flag(120.0, "seconds to wait for a reply before the request is repeated")
    request_options: str = flag("{}", "JSON object of further request fields: '{\"temperature\": 0.7}'")
    price_in: float | None = flag(None, "price of a million prompt tokens, for the cost")
    price_out: float | None = flag(None, "price of a million completion tokens")
    dry_run: bool = flag(False, "print prompts and an estimate; ask nothing, write nothing")
    show_prompts: int = flag(1, "prompts of each task that --dry-run prints")

    def __post_init__(self) -> None:
        need(self.provider in PROVIDERS, f"--provider must be one of {', '.join(PROVIDERS)}, not {self.provider}")
        need(self.concurrency >= 1, f"--concurrency must be at least 1, not {self.concurrency}")
        need(self.max_retries >= 0, f"--max-retries must not be negative, not {self.max_retries}")
        for name in ("requests_per_minute", "timeout"):
            value = getattr(self, name)
            need(value is None or value > 0, f"--{name.replace('_', '-')} must be positive, not {value}")
        need((self.price_in is None) == (self.price_out is None), "--price-in and --price-out belong together")
        good_url = self.base_url is None or self.base_url.startswith(("http://", "https://"))
        need(good_url, f"--base-url must begin with http:// or https://, not {self.base_url}")
        need(self.show_prompts >= 0, f"--show-prompts must not be negative, not {self.show_prompts}")
        self.options: dict[str, Any] = _request_options(self.request_options)

    @property
    def prices(self) -> Prices:
        return Prices(self.price_in, self.price_out)

    def endpoint(self) -> Endpoint:
        """The endpoint to ask. Raises InputError where its key or the package openai is missing."""
        import_openai()
        url, variable = PROVIDERS[self.provider]
        # A key for one provider is never sent to another server unasked.
        own_server = self.base_url is not None and self.key_variable is None
        key = NO_KEY if own_server else key_of(self.key_variable or variable)
        return Endpoint(
            base_url=self.base_url or url,
            key=key,
            model=self.model,
            timeout=self.timeout,
            max_retries=self.max_retries,
            requests_per_minute=self.requests_per_minute,
            options=self.options,
        )


def _request_options(text: str) -> dict[str, Any]:
    try:
        value = parse_json(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"--request-options is not JSON ({error.msg}): {text[:200]}") from None
    need(isinstance(value, dict), f"--request-options must be a JSON object, not {text[:200]}")
    need(not value.keys() & set(_OURS), f"--request-options must leave {', '.join(_OURS)} alone: {text[:200]}")
    return value
