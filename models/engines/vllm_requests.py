"""What vLLM is asked for, in this process or on a server: a seed and a grammar for each reply, adapters as folders."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peft import PeftModel, get_peft_model_state_dict

from models.engines.token_grammars import motion_grammar, reply_grammar
from models.language.decoding import Sampling
from models.language.guidance import Wanted
from models.language.sampling import row_states
from models.language.vocabulary import MotionVocabulary
from utils.errors import InputError
from utils.files.fingerprints import fingerprint

_SEED_BITS = (1 << 63) - 1


def seeds_of(sampling: Sampling, keys: Sequence[int]) -> list[int]:
    """The seed of each reply, a function of its key and of the seed of the sampling alone."""
    return (row_states(sampling.seed, keys)[:, 0] & _SEED_BITS).tolist()


def bounds_of(
    vocabulary: MotionVocabulary, count: int, wanted: Sequence[Wanted] | None, grammar: bool
) -> list[str | None]:
    """The grammar of each of `count` replies, None where it is free (see `models.engines.engine.Engine`)."""
    if wanted is not None:
        return [reply_grammar(vocabulary, one) for one in wanted]
    return [motion_grammar(vocabulary) if grammar else None] * count


def refuse_too_long(prompts: Sequence[list[int]], sampling: Sampling, room: int, engine: str, way_out: str) -> None:
    """Raise InputError where a prompt and its reply together are longer than the model that `engine` has."""
    longest = max(map(len, prompts)) + sampling.max_new_tokens
    if longest > room:
        raise InputError(
            f"{engine}: prompts with replies of {longest} tokens, and this model has room for {room}: {way_out}"
        )


@dataclass(frozen=True)
class AdapterState:
    """One state of an adapter: `name` is of its weights and of the place it is kept at, `number` counts from 1."""

    name: str
    number: int
    folder: Path


class AdapterFolders:
    """The adapter as training holds it now, as a folder that vLLM loads.

    Args:
        place: folder of the folders. What lies in it goes, where this process writes.
        writes: this process writes them; else another one does, and only names and places are known here.
    """

    def __init__(self, place: Path, writes: bool = True) -> None:
        self._place, self._writes = place, writes
        self._state: AdapterState | None = None
        if writes:
            shutil.rmtree(place, ignore_errors=True)

    def keep(self, adapter: PeftModel) -> AdapterState:
        """The state of `adapter` now, which is written where it is a new one; the folder of the one before goes."""
        weights = get_peft_model_state_dict(adapter, save_embedding_layers=False)
        values = (weights[key].detach().float().cpu().numpy() for key in sorted(weights))
        name = fingerprint(str(self._place), *values)  # two runs may begin with the same weights
        before = self._state
        if before is not None and before.name == name:
            return before
        number = 1 if before is None else before.number + 1
        self._state = AdapterState(name, number, self._place / name)
        if self._writes:
            if before is not None:
                shutil.rmtree(before.folder, ignore_errors=True)
            adapter.save_pretrained(self._state.folder, save_embedding_layers=False)
        return self._state
