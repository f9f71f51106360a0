"""How samples are supervised: what of them is learned, and how strongly. Published defaults."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SupervisionConfig:
    """What is learned of a sample, and how strongly (`models.sft.batch` does it).

    Attributes:
        use_reasoning: train on the reasoning; off = an empty one.
        reasoning_weight, motion_weight: loss weights of the reasoning and of the answer.
        use_sample_weight: multiply by the sample's own weight, clipped to [min_sample_weight, weight_clip].
        max_reasoning_tokens: longer reasoning is cut there, answers never are.
        reflection_share: share of the samples whose query shows an earlier attempt, so that Chain-of-Motion's
            refinement queries are in distribution: the sample's own draft, or else another sample's reasoning.
        weight_scale: sample weights are multiplied by this before they are clipped.
    """

    use_reasoning: bool = False
    reasoning_weight: float = 1.0
    motion_weight: float = 1.0
    use_sample_weight: bool = False
    min_sample_weight: float = 0.05
    weight_clip: float = 5.0
    max_reasoning_tokens: int = 256
    reflection_share: float = 0.1
    weight_scale: float = 1.0
