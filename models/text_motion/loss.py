"""The text-motion evaluator is trained to match captions and motions by the distance that the metrics measure.

The loss is InfoNCE in both directions (van den Oord et al., 2018; for text and motion TMR, ICCV 2023). Its logits are
squared Euclidean distances of the raw outputs, because R-precision and MM-Dist compare the raw outputs by Euclidean
distance. Embeddings are drawn to one norm, so that ranking by cosine (the consistency reward) agrees.
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

    def forward(self, text: torch.Tensor, motion: torch.Tensor, caption_ids: torch.Tensor) -> torch.Tensor:
        """The scalar loss.

        Args:
            text, motion: (B, E) paired rows.
            caption_ids: (B,); rows of the same caption are no negatives of each other.
        """
        text, motion = text / RADIUS, motion / RADIUS
        squared = text.square().sum(-1)[:, None] + motion.square().sum(-1)[None] - 2 * text @ motion.T
        same = caption_ids[:, None] == caption_ids[None]
        same.fill_diagonal_(False)
        logits = (-0.5 * self.log_scale.exp() * squared).masked_fill(same, -torch.inf)
        target = torch.arange(len(text), device=text.device)
        matching = (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
        # Norms are drawn to the radius, which is 1 in these units.
        norms = torch.cat([text, motion]).norm(dim=-1)
        return matching + NORM_WEIGHT * (norms - 1).square().mean()
