"""Samples -> token ids, labels and loss weights: what supervised fine-tuning sees of a sample.

Region 0 (the query) has no loss; region 1 (reasoning and its closing tag) weighs `reasoning_weight`; region 2
(answer and end of sequence) weighs `motion_weight`. A sample's own weight multiplies both.
"""

import random
from dataclasses import dataclass, replace

import torch

from dataset.cot.sample import Draft, Sample
from dataset.cot.samples import CotSamples
from models.language.motion_language import MotionLanguage
from models.language.prompts import (
    REGION_ANSWER,
    REGION_QUERY,
    REGION_REASONING,
    Reflection,
    query_of,
    reflection_on_draft,
    render_target,
)
from models.sft.config import SupervisionConfig

IGNORED_LABEL = -100


@dataclass(frozen=True)
class EncodedSample:
    """Aligned lists of one length: ids, labels (`IGNORED_LABEL` in the query), loss weights, regions (`prompts`)."""

    input_ids: list[int]
    labels: list[int]
    weights: list[float]
    regions: list[int]


def encode_sample(
    sample: Sample, language: MotionLanguage, config: SupervisionConfig, reflection: Reflection | None = None
) -> EncodedSample:
    """Render and tokenise one sample. Segments are tokenised apart, so region borders are exact."""
    if not config.use_reasoning:
        sample = replace(sample, reasoning="")
    # The query: seen, never learned.
    query_ids = language.ask(query_of(sample, reflection))
    regions = [REGION_QUERY] * len(query_ids)
    # Reasoning and answer: learned, each with its region's weight times the sample's own.
    factor = 1.0
    if config.use_sample_weight:
        factor = min(max(sample.weight * config.weight_scale, config.min_sample_weight), config.weight_clip)
    region_weight = {REGION_REASONING: config.reasoning_weight, REGION_ANSWER: config.motion_weight}
    target_ids: list[int] = []
    weights: list[float] = []
    for segment in render_target(sample):
        ids = language.vocabulary.encode(segment.text)
        if segment.region == REGION_REASONING and len(ids) > config.max_reasoning_tokens:
            ids = [*ids[: config.max_reasoning_tokens - 1], ids[-1]]  # the last id is </think>
        target_ids += ids
        weights += [factor * region_weight[segment.region]] * len(ids)
        regions += [segment.region] * len(ids)
    # The end of sequence belongs to the answer.
    target_ids.append(language.vocabulary.eos_id)
    weights.append(factor * config.motion_weight)
    regions.append(REGION_ANSWER)
    return EncodedSample(
        input_ids=query_ids + target_ids,
        labels=[IGNORED_LABEL] * len(query_ids) + target_ids,
        weights=[0.0] * len(query_ids) + weights,
        regions=regions,
    )


class SupervisionCollator:
    """Rows {"row", "task"} -> padded batch {input_ids, attention_mask, labels, loss_weights}, each (B, L).

    Args:
        samples: where rows point into; read lazily, so a large jsonl is never in memory.
        language: renders and tokenises them.
        config: what is supervised and how strongly.
        seed: fixes which samples carry a reflection and which attempt it shows.
    """

    def __init__(self, samples: CotSamples, language: MotionLanguage, config: SupervisionConfig, seed: int) -> None:
        self.samples = samples
        self.language = language
        self.config = config
        self.seed = seed

    def __call__(self, rows: list[dict]) -> dict[str, torch.Tensor]:
        encoded = [self.encode(row["row"], row["task"]) for row in rows]
        length = max(len(item.input_ids) for item in encoded)
        pad_id = self.language.vocabulary.tokenizer.pad_token_id

        def padded(lists: list[list], value: float, dtype: torch.dtype) -> torch.Tensor:
            return torch.tensor([items + [value] * (length - len(items)) for items in lists], dtype=dtype)

        return {
            "input_ids": padded([item.input_ids for item in encoded], pad_id, torch.long),
            "attention_mask": padded([[1] * len(item.input_ids) for item in encoded], 0, torch.long),
            "labels": padded([item.labels for item in encoded], IGNORED_LABEL, torch.long),
            "loss_weights": padded([item.weights for item in encoded], 0.0, torch.float32),
        }

    def encode(self, row: int, task: str) -> EncodedSample:
        sample = self.samples.sample(row, task)
        return encode_sample(sample, self.language, self.config, self._reflection(row, sample))

    def _reflection(self, row: int, sample: Sample) -> Reflection | None:
        rng = random.Random(f"{self.seed}/{row}/{sample.task}")
        if rng.random() >= self.config.reflection_share:
            return None
        draft = sample.draft
        if draft is None:
            other = self.samples.sample(rng.randrange(len(self.samples)), sample.task)
            draft = Draft(other.reasoning, other.caption)
        return reflection_on_draft(draft, sample.task)
