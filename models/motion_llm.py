"""A language model that speaks text and motion: queries in, rollouts out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm
from transformers import GenerationConfig, PreTrainedModel

from models.motion_tokenizer import MotionTokenizer
from models.motion_vocabulary import MotionVocabulary
from models.prompts import Query, parse_reply, render_query
from models.rollout import Rollout


@dataclass(frozen=True)
class Sampling:
    """How replies are drawn.

    Attributes:
        temperature: 0 = greedy.
        top_p: nucleus; 1 = the whole distribution.
        max_new_tokens: longer replies are cut and count as unfinished.
        batch_size: replies generated together.
        seed: same seed, queries and batch size = same replies.
    """

    temperature: float = 0.7
    top_p: float = 1.0
    max_new_tokens: int = 512
    batch_size: int = 128
    seed: int = 0


class MotionLLM:
    """A merged policy with its two tokenizers.

    Args:
        model: causal language model whose vocabulary includes the motion tokens.
        vocabulary: text tokenizer with motion tokens.
        motion_tokenizer: turns codes into motion.
    """

    def __init__(self, model: PreTrainedModel, vocabulary: MotionVocabulary, motion_tokenizer: MotionTokenizer) -> None:
        self.model = model.eval()
        self.vocabulary = vocabulary
        self.motion_tokenizer = motion_tokenizer

    @torch.inference_mode()
    def answer(
        self,
        queries: Sequence[Query],
        sampling: Sampling,
        references: Sequence[tuple[str, ...]] | None = None,
        progress: str | None = None,
    ) -> list[Rollout]:
        """One reply per query, in the order of the queries.

        Args:
            queries: repeat one to draw several replies.
            sampling: how to draw.
            references: true captions that go with each query into its rollout (never into the prompt).
            progress: label of a progress bar; None for none.
        """
        prompts = [self.vocabulary.encode(render_query(query)) for query in queries]
        order = sorted(range(len(queries)), key=lambda index: len(prompts[index]))
        replies: list[list[int]] = [[] for _ in queries]
        starts = range(0, len(order), sampling.batch_size)
        with tqdm(total=len(order), desc=progress, unit="reply", disable=progress is None) as bar:
            for number, start in enumerate(starts):
                chosen = order[start : start + sampling.batch_size]
                torch.manual_seed(sampling.seed * 1_000_003 + number)
                for index, ids in zip(chosen, self._generate([prompts[i] for i in chosen], sampling), strict=True):
                    replies[index] = ids
                bar.update(len(chosen))
        return rollouts_of(queries, replies, self.vocabulary, self.motion_tokenizer, references)

    def _generate(self, prompts: list[list[int]], sampling: Sampling) -> list[list[int]]:
        length = max(map(len, prompts))
        pad, eos = self.vocabulary.tokenizer.pad_token_id, self.vocabulary.eos_id
        device = self.model.device
        input_ids = torch.tensor([[pad] * (length - len(ids)) + ids for ids in prompts], device=device)
        mask = torch.tensor([[0] * (length - len(ids)) + [1] * len(ids) for ids in prompts], device=device)
        greedy = sampling.temperature == 0
        config = GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            do_sample=not greedy,
            temperature=None if greedy else sampling.temperature,
            top_p=None if greedy else sampling.top_p,
            top_k=None if greedy else 0,
            eos_token_id=eos,
            pad_token_id=pad,
        )
        output = self.model.generate(input_ids=input_ids, attention_mask=mask, generation_config=config)
        return [_until(ids, eos) for ids in output[:, length:].tolist()]


def rollouts_of(
    queries: Sequence[Query],
    replies: Sequence[Sequence[int]],
    vocabulary: MotionVocabulary,
    motion_tokenizer: MotionTokenizer,
    references: Sequence[tuple[str, ...]] | None = None,
) -> list[Rollout]:
    """Parse replies (token ids, end of sequence included when reached) and decode their motions in one batch."""
    texts = [vocabulary.decode(ids) for ids in replies]
    parsed = [parse_reply(text, query.task) for text, query in zip(texts, queries, strict=True)]
    codes = [
        (reply.codes if query.task == "t2m" else query.codes) for reply, query in zip(parsed, queries, strict=True)
    ]
    playable = [index for index, item in enumerate(codes) if item and max(item) < vocabulary.nb_code]
    motions = dict(
        zip(playable, motion_tokenizer.decode_batch([_array(codes[index]) for index in playable]), strict=True)
        if playable
        else ()
    )
    return [
        Rollout(
            task=query.task,
            caption=query.caption if query.task == "t2m" else reply.answer,
            text=text,
            reasoning=reply.reasoning,
            answer=reply.answer,
            codes=_array(codes[index]) if codes[index] else None,
            motion=motions.get(index),
            reference=references[index] if references is not None else None,
            finished=vocabulary.eos_id in replies[index],
            query=render_query(query),
            token_ids=tuple(replies[index]),
            id=query.id,
        )
        for index, (query, reply, text) in enumerate(zip(queries, parsed, texts, strict=True))
    ]


def _array(codes: Sequence[int]) -> np.ndarray:
    return np.asarray(codes, dtype=np.int64)


def _until(ids: list[int], eos: int) -> list[int]:
    """Ids up to and with the first end of sequence."""
    return ids[: ids.index(eos) + 1] if eos in ids else ids
