"""vLLM on a server draws the replies: every process asks it for its own, and gives it the adapter as training has it.

The server is started with the same model that this command starts from (`options/accelerate/vllm_server.sh`). Each new
state of the adapter is written as a folder by the first process and loaded by the server under the fingerprint of its
weights and of the run. The processes hold the same weights, so they know that name too: they wait until the server has
it, and nothing is sent between them.
"""

import atexit
import logging
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from models.engines.engine import Drawn
from models.engines.server_client import Served, ServerClient
from models.engines.vllm_requests import AdapterFolders, bounds_of, refuse_too_long, seeds_of
from models.language.decoding import Sampling
from models.language.guidance import Wanted
from models.language.vocabulary import MotionVocabulary
from utils.errors import InputError
from utils.run.launcher import launched_as_main, launched_processes

_BETWEEN_LOOKS = 0.5  # seconds, of a process that waits for the adapter
_LOADING_TIME = 900.0  # seconds in which the first process writes an adapter and the server reads it


class ServerEngine:
    """The vLLM server at an address, which has the merged model of this command.

    Args:
        url: its address.
        start: fingerprint of the checkpoint that the server must have (`models.policy.policy.Policy.start`).
        model: what `start` is here, perhaps under an adapter, which goes to the server as one. Its weights are not used
            unless it is trained.
        vocabulary: its tokens.
        device: of this process; the server's is its own.
        folder: for adapters, on a file system that the server sees under the same name; None: one that goes with the
            process, on this machine.
        any_precision: the server may have `start` in another type of numbers than `model`.

    Raises:
        InputError: no such server, another model on it, or settings with which it draws otherwise.
    """

    batches_at_once = 8  # its queue is its own

    def __init__(
        self,
        url: str,
        start: str,
        model: PreTrainedModel,
        vocabulary: MotionVocabulary,
        device: torch.device,
        folder: Path | None = None,
        any_precision: bool = False,
    ) -> None:
        self.device, self.vocabulary = device, vocabulary
        self._server = ServerClient(url)
        self.label = f"vllm{self._server.version()}"
        dtype = str(model.dtype).removeprefix("torch.")
        self._model = self._the_model(start, None if any_precision else dtype)
        self._refuse_other_sampling()
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="morl-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self._writes = launched_as_main()
        place = folder.resolve() / "adapters"
        self._adapters, self._loaded = AdapterFolders(place, self._writes), ""
        self._held, self._held_name = None, ""
        if self._writes:
            self._forget_adapters_in(place)
            atexit.register(self._forget_adapters_in, place)
        # What a killed run has left is gone before another process looks for the first adapter of this one: a server
        # whose adapter has lost its folder dies of the next request for it (vLLM 0.32).
        if launched_processes() > 1 and torch.distributed.is_initialized():
            torch.distributed.barrier()
        if isinstance(model, PeftModel):
            self._held_name, self._held = self._name_of(model), model
        logging.info("replies are drawn by the server at %s, vLLM %s", url, self.label.removeprefix("vllm"))

    def _the_model(self, start: str, dtype: str | None) -> Served:
        """Of what the server has the model that this command starts from."""
        names = [f"{start}-{kind}" for kind in ([dtype] if dtype else ["bfloat16", "float32"])]
        served = self._server.models()
        for model in served:
            if model.name in names and model.parent is None:
                return model
        others = ", ".join(f"{model.name} ({model.root})" for model in served if model.parent is None)
        same = any(model.name.startswith(start) for model in served)
        way_out = (
            f"export it with --dtype {dtype}, or give --precision" if same else "export the checkpoint that is given"
        )
        raise InputError(
            f"{self._server.flag}: has {others or 'no model'}, expected {' or '.join(names)} (the fingerprint of what "
            f"this command starts from): {way_out} (prepare.export_hf) and start the server with that "
            "(options/accelerate/vllm_server.sh)"
        )

    def _refuse_other_sampling(self) -> None:
        """One token of which nothing but it may be drawn: its log-probability is 0 among what is drawn from."""
        last = max(self.vocabulary.code_ids)
        request = self._request(self._model.name, [self.vocabulary.eos_id], Sampling(1.0, max_new_tokens=1), 0, None)
        [choice] = self._server.complete([{**request, "allowed_token_ids": [last]}])
        [logprob] = choice["logprobs"]["token_logprobs"]
        if choice["token_ids"] != [last] or abs(logprob) > 1e-6:
            raise InputError(
                f"{self._server.flag}: tells the log-probabilities of another distribution than the one that it draws "
                "from: start it with --logprobs-mode processed_logprobs (options/accelerate/vllm_server.sh does)"
            )

    def generate(
        self,
        prompts: Sequence[list[int]],
        keys: Sequence[int],
        sampling: Sampling,
        adapter: PreTrainedModel | None = None,
        wanted: Sequence[Wanted] | None = None,
        grammar: bool = False,
    ) -> list[Drawn]:
        """All prompts as requests of their own (see `models.engines.engine`), each draw with its log-probability.

        Raises:
            InputError: a prompt and its reply together are longer than the server allows; an adapter that it refuses;
                a server that is gone.
        """
        if self._model.room is not None:
            way_out = "give a smaller --max-new-tokens, or start the server with a larger --max-model-len"
            refuse_too_long(prompts, sampling, self._model.room, self._server.flag, way_out)
        name = self._name_of(adapter) if isinstance(adapter, PeftModel) else self._model.name
        bounds = bounds_of(self.vocabulary, len(prompts), wanted, grammar)
        rows = zip(prompts, seeds_of(sampling, keys), bounds, strict=True)
        choices = self._server.complete(
            [self._request(name, prompt, sampling, seed, bound) for prompt, seed, bound in rows]
        )
        return [Drawn(choice["token_ids"], choice["logprobs"]["token_logprobs"]) for choice in choices]

    def _request(
        self, name: str, prompt: list[int], sampling: Sampling, seed: int, bound: str | None
    ) -> dict[str, Any]:
        """What the server is told of one reply. Its own defaults are a matter of how it was started: none is left."""
        return {
            "model": name,
            "prompt": prompt,
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "seed": seed,
            "stop_token_ids": [self.vocabulary.eos_id],
            "logprobs": 0,
            "return_token_ids": True,
            "add_special_tokens": False,
            **({} if bound is None else {"structured_outputs": {"grammar": bound}}),
        }

    def _name_of(self, adapter: PeftModel) -> str:
        """What the server calls the adapter as it is now, once it has it; the state before is unloaded."""
        if adapter is self._held:
            return self._held_name
        state = self._adapters.keep(adapter)
        if state.name == self._loaded:
            return state.name
        if self._writes:
            self._server.load_adapter(state.name, str(state.folder))
            if self._loaded:
                self._server.unload_adapter(self._loaded)
        else:
            self._wait_for(state.name)
        self._loaded = state.name
        return state.name

    def _wait_for(self, name: str) -> None:
        """Return when the first process has loaded the adapter."""
        latest = time.monotonic() + _LOADING_TIME
        while all(model.name != name for model in self._server.models()):
            if time.monotonic() > latest:
                raise InputError(
                    f"{self._server.flag}: after {_LOADING_TIME:.0f} s it lacks the adapter {name}, which the first "
                    "process loads: the processes hold other weights, or the first one is gone"
                )
            time.sleep(_BETWEEN_LOOKS)

    def _forget_adapters_in(self, place: Path) -> None:
        """Unload what this command has loaded, or one that was killed."""
        try:
            for model in self._server.models():
                if model.parent is not None and Path(model.root).parent == place:
                    self._server.unload_adapter(model.name)
        except InputError as error:
            logging.info("%s", error)  # at the end of a run the server may be gone already
