"""A language model that speaks text and motion: queries in, rollouts out; sentences in, motions out, and back."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Cache, DynamicCache, GenerationConfig, LogitsProcessorList, PreTrainedModel

from models.inference.asking import MotionWish, describe_motion, generate_motions
from models.inference.loading import load_speaker
from models.inference.results import DescribedMotion, GeneratedMotion
from models.language.decoding import Sampling
from models.language.guidance import ReplyGuide, Wanted
from models.language.motion_language import MotionLanguage
from models.language.prompts import Query
from models.language.rollout import Rollout
from models.language.sampling import SeededSampling
from utils.progress import Progress
from utils.run.devices import model_dtype, resolve_device

OnBatch = Callable[[Sequence[int], list[Rollout]], None]


class MotionLLM:
    """A merged policy that is asked and read.

    Args:
        model: causal language model whose vocabulary includes the motion tokens; put into evaluation mode.
        language: how it is asked, and how its replies are read.
        tasks: that it was trained for.
    """

    def __init__(
        self, model: PreTrainedModel, language: MotionLanguage, tasks: tuple[str, ...] = ("t2m", "m2t")
    ) -> None:
        self.model = model.eval()
        self.language = language
        self.tasks = tasks
        self._guide: Callable[[Query], Wanted] | None = None

    @classmethod
    def load(
        cls, source: str | Path, task: str | None = None, device: str = "auto", precision: str = "auto"
    ) -> "MotionLLM":
        """A trained model, ready to be asked.

        Args:
            source: checkpoint of train_mllm.py, folder of `prepare.export_hf`, or hub id of one.
            task: ``t2m`` or ``m2t``, where a checkpoint has a policy of its own for each; None: the only one.
            device, precision: as the flags of eval_mllm.py.
        """
        place = resolve_device(device)
        model, language, tasks = load_speaker(source, task, place, model_dtype(precision, place))
        return cls(model, language, tasks)

    def generate(
        self,
        captions: str | Sequence[str],
        seconds: float | None = None,
        start: np.ndarray | None = None,
        seed: int = 0,
        samples: int = 1,
        **how: Any,
    ) -> list[GeneratedMotion]:
        """Motions for captions, `samples` for each, in their order (see `models.inference.asking`).

        Args:
            captions: what each motion should show.
            seconds: length of each, to one code (0.2 s); None: the model decides.
            start: (T, J, 3) metres or (T, D) features that every motion goes on from; `seconds` count what is added.
            how: further fields of `models.inference.asking.MotionWish`.
        """
        captions = [captions] if isinstance(captions, str) else list(captions)
        return generate_motions(
            self, captions, MotionWish(seconds=seconds, start=start, seed=seed, samples=samples, **how)
        )

    def caption(self, motions: np.ndarray | Sequence[np.ndarray], seed: int = 0) -> list[list[DescribedMotion]]:
        """Captions for motions; of a motion longer than the model knows one for each window.

        Args:
            motions: each (T, J, 3) joints in metres, Y up, at the skeleton's frame rate, or (T, D) features.

        Returns:
            for each motion its windows, in order
        """
        given = [motions] if isinstance(motions, np.ndarray) else list(motions)
        return [describe_motion(self, motion, seed) for motion in given]

    def without_motions(self) -> "MotionLLM":
        """The same model; its rollouts hold codes but no motion, for whoever decodes them later or not at all."""
        silent = copy(self)
        silent.language = replace(self.language, motion_tokenizer=None)
        return silent

    def guided(self, guide: Callable[[Query], Wanted]) -> "MotionLLM":
        """The same model, whose replies are what `guide` says of their query, in form, length and beginning."""
        guided = copy(self)
        guided._guide = guide
        return guided

    def answer(
        self,
        queries: Sequence[Query],
        sampling: Sampling,
        references: Sequence[tuple[str, ...]] | None = None,
        progress: str | None = None,
        on_batch: OnBatch | None = None,
        keys: Sequence[int] | None = None,
    ) -> list[Rollout]:
        """One reply per query, in the order of the queries.

        Args:
            queries: repeat one to draw several replies.
            sampling: how to draw.
            references: true captions that go with each query into its rollout (never into the prompt).
            progress: label of a progress bar with the share of well-formed replies so far; None for none.
            on_batch: called after every batch with the indices of its queries and their rollouts, in the order in
                which they are generated: what it has written is safe from an interruption.
            keys: what the randomness of each reply hangs on, by default the query's index. Who answers only some of
                the queries gives their keys, and gets the replies that all would have got. Equal keys share their
                randomness, so equal queries with equal keys get equal replies.

        Raises:
            ValueError: not one key per query.
        """
        keys = range(len(queries)) if keys is None else keys
        if len(keys) != len(queries):
            raise ValueError(f"{len(keys)} keys for {len(queries)} queries, expected one for each")
        wanted = None if self._guide is None else [self._guide(query) for query in queries]
        if wanted:
            sampling = replace(sampling, max_new_tokens=max(one.max_tokens for one in wanted))
        prompts = [self.language.ask(query) for query in queries]
        # Similar lengths together: little is padding. The longest first: memory runs out at once or never.
        order = sorted(range(len(queries)), key=lambda index: -len(prompts[index]))
        found: dict[int, Rollout] = {}
        well_formed = 0
        with Progress(total=len(order), desc=progress, unit="reply", disable=progress is None) as bar:
            for start in range(0, len(order), sampling.batch_size):
                chosen = order[start : start + sampling.batch_size]
                replies = self._generate(
                    [prompts[index] for index in chosen],
                    [keys[index] for index in chosen],
                    sampling,
                    None if wanted is None else [wanted[index] for index in chosen],
                )
                rollouts = self.language.read(
                    [queries[index] for index in chosen],
                    replies,
                    None if references is None else [references[index] for index in chosen],
                )
                found.update(zip(chosen, rollouts, strict=True))
                if on_batch is not None:
                    on_batch(chosen, rollouts)
                well_formed += sum(rollout.well_formed for rollout in rollouts)
                bar.set_postfix(well_formed=f"{well_formed / len(found):.0%}", refresh=False)
                bar.update(len(chosen))
        return [found[index] for index in range(len(queries))]

    @torch.inference_mode()
    def _generate(
        self, prompts: list[list[int]], keys: Sequence[int], sampling: Sampling, wanted: Sequence[Wanted] | None
    ) -> list[list[int]]:
        length = max(map(len, prompts))
        pad, eos = self.language.vocabulary.tokenizer.pad_token_id, self.language.vocabulary.eos_id
        device = self.model.device
        input_ids = torch.tensor([[pad] * (length - len(ids)) + ids for ids in prompts], device=device)
        mask = torch.tensor([[0] * (length - len(ids)) + [1] * len(ids) for ids in prompts], device=device)
        # transformers fills in what stays None from the backbone's own generation_config.json: Qwen2.5's repetition
        # penalty counts the padding as said, so it depends on the batch, and motion repeats codes by nature. The
        # settings of its own sampling are transformers' defaults here, so that it does not warn of Qwen3's.
        config = GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            do_sample=False,
            temperature=1.0,
            top_p=1.0,
            top_k=50,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            eos_token_id=eos,
            pad_token_id=pad,
        )
        draw = LogitsProcessorList()
        if wanted is not None:
            draw.append(ReplyGuide(self.language.vocabulary, wanted, length))
        if sampling.temperature > 0:
            draw.append(SeededSampling(sampling.temperature, sampling.top_p, sampling.seed, keys, length, device))
        output = self.model.generate(
            input_ids=input_ids,
            attention_mask=mask,
            generation_config=config,
            logits_processor=draw,
            past_key_values=self._shared_prefill(prompts, input_ids, mask),
        )
        return [_until(ids, eos) for ids in output[:, length:].tolist()]

    def _shared_prefill(self, prompts: list[list[int]], input_ids: Tensor, mask: Tensor) -> Cache | None:
        """Keys and values of all prompt tokens but the last, computed once for equal prompts; None without any equal.

        Args:
            prompts: B token lists.
            input_ids, mask: (B, L) the same, padded on the left.
        """
        first: dict[tuple[int, ...], int] = {}
        for row, prompt in enumerate(prompts):
            first.setdefault(tuple(prompt), row)
        if len(first) == len(prompts) or input_ids.shape[1] < 2:
            return None
        place = {row: number for number, row in enumerate(first.values())}
        rows = torch.tensor(list(first.values()), device=input_ids.device)
        known = mask[rows, :-1]
        cache = DynamicCache(config=self.model.config)
        self.model(
            input_ids=input_ids[rows, :-1],
            attention_mask=known,
            past_key_values=cache,
            use_cache=True,
            position_ids=(known.cumsum(dim=-1) - 1).clamp_min(0),
            logits_to_keep=1,
        )
        cache.batch_select_indices(
            torch.tensor([place[first[tuple(prompt)]] for prompt in prompts], device=input_ids.device)
        )
        return cache


def _until(ids: list[int], eos: int) -> list[int]:
    """Ids up to and with the first end of sequence."""
    return ids[: ids.index(eos) + 1] if eos in ids else ids
