"""The text-motion evaluator is trained to match captions and motions by the distance that the metrics measure.

The loss is InfoNCE in both directions (van den Oord et al., 2018; for text and motion TMR, ICCV 2023). R-precision and
MM-Dist compare raw outputs by Euclidean distance, and the consistency reward by cosine, so both have to rank alike. For
family `guo` the logits are squared distances, and embeddings are drawn to one norm. Those of family `tmr` are of
length 1, where a squared distance is 2 - 2 cosine, so its logits are cosines.
"""

import torch
from torch import nn
from torch.nn import functional

RADIUS = 5.0  # the norm that embeddings are drawn to, about the one that LayerNorm heads start with
NORM_WEIGHT = 0.1


class ContrastiveLoss(nn.Module):
    """The loss of a batch of paired embeddings, with a learned temperature.

    Args:
        temperature: starting value; distances are measured in units of the radius.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(-torch.tensor(temperature).log())

    def forward(self, text: torch.Tensor, motion: torch.Tensor, alike: torch.Tensor) -> torch.Tensor:
        """The scalar loss.

        Args:
            text, motion: (B, E) paired rows.
            alike: (B, B) bool; rows whose captions mean the same are no negatives of each other. The diagonal is not
                read.
        """
        text, motion = text / RADIUS, motion / RADIUS
        squared = text.square().sum(-1)[:, None] + motion.square().sum(-1)[None] - 2 * text @ motion.T
        matching = _info_nce(-0.5 * self.log_scale.exp() * squared, alike)
        # Norms are drawn to the radius, which is 1 in these units.
        norms = torch.cat([text, motion]).norm(dim=-1)
        return matching + NORM_WEIGHT * (norms - 1).square().mean()


class CosineLoss(nn.Module):
    """The loss of paired embeddings of length 1, with a learned temperature (0.1 throughout in TMR)."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(-torch.tensor(temperature).log())

    def forward(self, text: torch.Tensor, motion: torch.Tensor, alike: torch.Tensor) -> torch.Tensor:
        """As `ContrastiveLoss.forward`; text and motion have length 1."""
        return _info_nce(self.log_scale.exp() * text @ motion.T, alike)


def _info_nce(logits: torch.Tensor, alike: torch.Tensor) -> torch.Tensor:
    target = torch.arange(len(logits), device=logits.device)
    others = ~torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(alike & others, -torch.inf)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
