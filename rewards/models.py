"""The models that rewards judge with are named here: which, where they run, how much at once. Nothing is loaded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RewardModels:
    """What `rewards.mixture.loading.load_rewards` loads where a reward needs it.

    Attributes:
        evaluator: folder of the text-motion evaluator behind `consistency`.
        semantic, nli: sentence-embedding and natural-language-inference model: folder, installed package or hub id.
        device: where they run (torch device string).
        max_batch_size: most texts or text pairs that go through a model at once.
    """

    evaluator: str | None = None
    semantic: str | None = None
    nli: str | None = None
    device: str = "cpu"
    max_batch_size: int = 64
