"""vLLM draws replies here: the merged start is loaded once from a folder, a training adapter goes in as one of its own.

Nothing is merged and nothing is pushed into the engine. Each new state of the adapter is written as a small folder and
given with the requests under a new number; vLLM adds it to the start as peft does. vllm is imported here and nowhere
else, and only when an engine is made.
"""

import atexit
import importlib.util
import logging
import os
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from models.engines.engine import Drawn, vllm_version
from models.engines.start_folder import write_start
from models.engines.vllm_requests import AdapterFolders, bounds_of, refuse_too_long, seeds_of
from models.language.decoding import Sampling
from models.language.guidance import Wanted
from models.language.vocabulary import MotionVocabulary
from utils.errors import InputError, first_line

# Read by vLLM when an engine is made; what the environment says already stays. It runs in this process, so that a
# Ctrl-C reaches us alone. On a CPU it would bind threads to cores by itself, and take half of the memory.
_SETTINGS = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
_CPU_SETTINGS = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "1"}
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # adapters' sizes that vLLM has
_LONGEST = 4096  # tokens of a prompt and its reply; motions need a tenth


class VllmEngine:
    """vLLM with a merged model in its memory.

    Args:
        model: what it starts from: it is written into a folder, from which vLLM loads it. An adapter around it goes in
            as one of vLLM's own, and `model` is emptied.
        vocabulary: its tokens.
        device: where vLLM computes.
        folder: for the model and for adapters, this process's alone; None: one that goes with the process.
        rank: of the adapters that `model` will get in training; None: there will be none, and `model` is emptied, as
            vLLM holds its weights.
        memory_share: of the GPU's memory that it may take; training needs the rest.

    Raises:
        InputError: vLLM cannot be loaded, or not with this model.
    """

    batches_at_once = 8  # its queue is its own, and a batch of it is never padded

    def __init__(
        self,
        model: PreTrainedModel,
        vocabulary: MotionVocabulary,
        device: torch.device,
        folder: Path | None = None,
        rank: int | None = None,
        memory_share: float = 0.85,
    ) -> None:
        self.label, self.device = f"vllm{vllm_version()}", device
        self.vocabulary = vocabulary
        for name, value in {**_SETTINGS, **(_CPU_SETTINGS if device.type == "cpu" else {})}.items():
            os.environ.setdefault(name, value)
        self._length = min(_LONGEST, getattr(model.config, "max_position_embeddings", _LONGEST))
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="morl-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self._adapters = AdapterFolders(folder / "adapters")
        self._held, self._held_request = None, None
        if isinstance(model, PeftModel):
            held = model
            rank = max(config.r for config in held.peft_config.values())
            self._held_request = self._request(held)
            model, self._held = held.unload(), held
        start, dtype = folder / "start", str(model.dtype).removeprefix("torch.")
        write_start(start, model, vocabulary)
        if rank is None or self._held is not None:
            model.to("meta")
            if device.type == "cuda":
                torch.cuda.empty_cache()  # of what it held there
        logging.info("replies are drawn by vLLM %s (--engine transformers does without)", vllm_version())
        self._llm = self._load(start, dtype, rank, memory_share)

    def _load(self, start: Path, dtype: str, rank: int | None, memory_share: float) -> Any:
        on_cpu = self.device.type == "cpu"
        settings: dict[str, Any] = {"gpu_memory_utilization": memory_share}
        if rank is not None:
            fitting = [size for size in _RANKS if size >= rank]
            if not fitting:
                raise InputError(f"--engine vllm: adapters of rank {rank}, and vLLM takes up to {_RANKS[-1]}")
            settings |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": fitting[0]}
        if on_cpu:
            # A prompt that is read in parts makes vLLM turn back the seeded generator of its request, which the
            # generators of a CPU cannot (0.32). So whole prompts only; and nothing is compiled for a few replies.
            settings |= {"enable_chunked_prefill": False, "max_num_batched_tokens": 2 * self._length}
            settings |= {"enforce_eager": True}
        with _randomness_left_alone():
            try:
                from vllm import LLM

                return LLM(
                    str(start),
                    dtype=dtype,
                    max_model_len=self._length,
                    generation_config="vllm",
                    logprobs_mode="processed_logprobs",  # of the distribution that is drawn from
                    structured_outputs_config={"backend": "guidance"},
                    use_tqdm_on_load=False,
                    **settings,
                )
            except (ImportError, RuntimeError, ValueError, OSError, AttributeError, TypeError) as error:
                raise InputError(
                    f"--engine vllm: vLLM {vllm_version()} cannot be started here ({first_line(error)}): see "
                    "models/engines/README.md, or give --engine transformers"
                ) from error

    def generate(
        self,
        prompts: Sequence[list[int]],
        keys: Sequence[int],
        sampling: Sampling,
        adapter: PreTrainedModel | None = None,
        wanted: Sequence[Wanted] | None = None,
        grammar: bool = False,
    ) -> list[Drawn]:
        """All prompts as one queue (see `models.engines.engine`), each draw with its log-probability.

        Raises:
            InputError: a prompt and its reply together are longer than the model is.
        """
        way_out = "give a smaller --max-new-tokens, or --engine transformers"
        refuse_too_long(prompts, sampling, self._length, "--engine vllm", way_out)
        if wanted is not None or grammar:
            _need_grammars()
        bounds = bounds_of(self.vocabulary, len(prompts), wanted, grammar)
        settings = self._settings(sampling, keys, bounds)
        with _randomness_left_alone():
            outputs = self._llm.generate(
                [{"prompt_token_ids": list(prompt)} for prompt in prompts],
                settings,
                use_tqdm=False,
                lora_request=self._request(adapter),
            )
        return [_drawn(output.outputs[0]) for output in outputs]

    def _settings(self, sampling: Sampling, keys: Sequence[int], bounds: Sequence[str | None]) -> list[Any]:
        """What vLLM is told of each reply."""
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        return [
            SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                seed=seed,
                max_tokens=sampling.max_new_tokens,
                stop_token_ids=[self.vocabulary.eos_id],
                logprobs=0,
                detokenize=False,
                structured_outputs=None if bound is None else StructuredOutputsParams(grammar=bound),
            )
            for seed, bound in zip(seeds_of(sampling, keys), bounds, strict=True)
        ]

    def _request(self, adapter: PreTrainedModel | None) -> Any:
        """What asks for the adapter as it is now; a new state gets a new number."""
        from vllm.lora.request import LoRARequest

        if not isinstance(adapter, PeftModel):
            return None
        if self._held is not None and adapter is self._held:
            return self._held_request  # emptied
        state = self._adapters.keep(adapter)
        return LoRARequest(str(state.number), state.number, str(state.folder))


def _drawn(output: Any) -> Drawn:
    ids = list(output.token_ids)
    logprobs = [known[id].logprob for id, known in zip(ids, output.logprobs, strict=True)]
    return Drawn(ids, logprobs)


def _need_grammars() -> None:
    if importlib.util.find_spec("llguidance") is None:
        raise InputError(
            "--engine vllm: replies under a grammar need the package llguidance (pip install llguidance): install it, "
            "or give --engine transformers"
        )


@contextmanager
def _randomness_left_alone() -> Iterator[None]:
    """Inside, vLLM seeds and uses this process's generators; afterwards they are where they were."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
