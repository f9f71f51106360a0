"""A language model that speaks text and motion: queries in, rollouts out; sentences in, motions out, and back."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from peft import PeftModel
from transformers import PreTrainedModel

from models.engines.engine import Engine, EngineName, taken_engine
from models.engines.transformers_engine import TransformersEngine
from models.inference.asking import MotionWish, describe_motion, generate_motions
from models.inference.loading import load_speaker
from models.inference.results import DescribedMotion, GeneratedMotion
from models.language.decoding import Sampling
from models.language.guidance import Wanted
from models.language.motion_language import MotionLanguage
from models.language.prompts import Query
from models.language.rollout import Rollout
from utils.progress import Progress
from utils.run.devices import model_dtype, resolve_device

OnBatch = Callable[[Sequence[int], list[Rollout]], None]


class MotionLLM:
    """A policy that is asked and read.

    Args:
        model: causal language model whose vocabulary includes the motion tokens; put into evaluation mode.
        language: how it is asked, and how its replies are read.
        tasks: that it was trained for.
        engine: draws the replies. It was made for `model`, or, where that is an adapter in training, for what is below
            it. None: transformers.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        language: MotionLanguage,
        tasks: tuple[str, ...] = ("t2m", "m2t"),
        engine: Engine | None = None,
    ) -> None:
        self.model = model.eval()
        self.engine = engine or TransformersEngine(model, language.vocabulary)
        self.language = language
        self.tasks = tasks
        self._guide: Callable[[Query], Wanted] | None = None

    @classmethod
    def load(
        cls,
        source: str | Path,
        task: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        engine: EngineName = "transformers",
        engine_server: str | None = None,
    ) -> "MotionLLM":
        """A trained model, ready to be asked.

        Args:
            source: checkpoint of train_mllm.py, folder of `prepare.export_hf`, or hub id of one.
            task: ``t2m`` or ``m2t``, where a checkpoint has a policy of its own for each; None: the only one.
            device, precision, engine, engine_server: as the flags of demo.py.
        """
        place = resolve_device(device)
        by_vllm = engine_server or (engine == "vllm" and taken_engine(engine, place) == "vllm")
        model, language, tasks, start = load_speaker(source, task, place, model_dtype(precision, place))
        if not by_vllm:
            return cls(model, language, tasks)
        if engine_server is not None:
            from models.engines.server_engine import ServerEngine

            asked = (engine_server, start(), model, language.vocabulary, place)
            return cls(model, language, tasks, ServerEngine(*asked, any_precision=True))
        from models.engines.vllm_engine import VllmEngine

        return cls(model, language, tasks, VllmEngine(model, language.vocabulary, place))

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
        wanted = self._wanted_of(queries)
        if wanted:
            sampling = replace(sampling, max_new_tokens=max(one.max_tokens for one in wanted))
        prompts = [[*self.language.ask(query), *query.begun] for query in queries]
        # Similar lengths together: little is padding. The longest first: memory runs out at once or never.
        order = sorted(range(len(queries)), key=lambda index: -len(prompts[index]))
        found: dict[int, Rollout] = {}
        well_formed = 0
        at_once = sampling.batch_size * self.engine.batches_at_once
        with Progress(total=len(order), desc=progress, unit="reply", disable=progress is None) as bar:
            for start in range(0, len(order), at_once):
                chosen = order[start : start + at_once]
                replies = self._replies(
                    [prompts[index] for index in chosen],
                    [queries[index].begun for index in chosen],
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

    def _wanted_of(self, queries: Sequence[Query]) -> list[Wanted] | None:
        """What each reply must be like; None where they are free."""
        if self._guide is None:
            return None
        return [replace(self._guide(query), begun=query.begun) for query in queries]

    def _replies(
        self,
        prompts: Sequence[list[int]],
        begun: Sequence[tuple[int, ...]],
        keys: Sequence[int],
        sampling: Sampling,
        wanted: Sequence[Wanted] | None,
    ) -> list[list[int]]:
        """Whole replies; `begun` of each stands at the end of its prompt, and counts for how long it may be."""
        longest = sampling.max_new_tokens
        sampling = replace(sampling, max_new_tokens=max(1, longest - min(map(len, begun))))
        adapter = self.model if isinstance(self.model, PeftModel) else None
        drawn = self.engine.generate(prompts, keys, sampling, adapter, wanted)
        pairs = zip(begun, drawn, strict=True)
        return [[*given, *one.ids][:longest] if given else one.ids for given, one in pairs]
