"""A family is a kind of text-motion evaluator: its networks, how they embed, and what they are trained by.

`guo` is the field's published evaluator (Guo et al., CVPR 2022), `tmr` a transformer (Petrovich et al., ICCV 2023). Two
judges of different families have little in common but their data, so what pleases one alone is told by the other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from models.text_motion import networks, transformer
from models.text_motion.loss import ContrastiveLoss, CosineLoss
from models.text_motion.sizes import PUBLISHED_SIZES, TMR_SIZES, EvaluatorSizes, TransformerSizes
from utils.errors import InputError

State = Mapping[str, Mapping[str, torch.Tensor]]
Networks = Mapping[str, nn.Module]
Sizes = EvaluatorSizes | TransformerSizes


@dataclass(frozen=True)
class Family:
    """What is particular to a family.

    Attributes:
        name: as `--family` and evaluator.json have it.
        mark: what a fingerprint, and so every signature, begins with. Empty for `guo`, whose evaluators had
            fingerprints before there were families.
        networks: the names of its networks.
        sizes: the published ones.
        build: new networks for (feature_dim, sizes).
        sizes_of_state: (feature_dim, sizes) by weights, or InputError.
        embed_text: (networks, words, one-hot classes, lengths in words) -> (B, E).
        embed_motion: (networks, normalised features without foot contacts, lengths in frames) -> (B, E).
        loss: by its starting temperature; called with texts (B, E), motions (B, E) and which pairs are no negatives.
    """

    name: str
    mark: str
    networks: tuple[str, ...]
    sizes: Sizes
    build: Callable[[int, Any], dict[str, nn.Module]]
    sizes_of_state: Callable[[State], tuple[int, Any]]
    embed_text: Callable[[Networks, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
    embed_motion: Callable[[Networks, torch.Tensor, torch.Tensor], torch.Tensor]
    loss: Callable[[float], nn.Module]


GUO = Family(
    "guo",
    "",
    networks.NETWORK_NAMES,
    PUBLISHED_SIZES,
    networks.build_networks,
    networks.sizes_of_state,
    networks.embed_words_and_classes,
    networks.embed_movements,
    ContrastiveLoss,
)
TMR = Family(
    "tmr",
    "tmr-",
    transformer.TRANSFORMER_NAMES,
    TMR_SIZES,
    transformer.build_transformers,
    transformer.transformer_sizes,
    transformer.embed_words,
    transformer.embed_frames,
    CosineLoss,
)
FAMILIES = {family.name: family for family in (GUO, TMR)}


def family_named(name: Any) -> Family:
    """The family of a flag or a file. Raises InputError for another name, or what is none."""
    if not isinstance(name, str) or name not in FAMILIES:
        raise InputError(f"family {str(name)[:60]!r} of evaluators: expected one of {', '.join(FAMILIES)}")
    return FAMILIES[name]
