"""The networks of family `tmr` are two transformer encoders, of motions and of captions, that meet on the unit sphere.

After Petrovich, Black and Varol, "TMR: Text-to-Motion Retrieval Using Contrastive 3D Human Motion Synthesis" (ICCV
2023): tokens with sinusoidal positions behind a learned summary token, whose last state becomes the embedding. Other
than there: the text side reads word vectors, since no language model is downloaded; there is no decoder and no
variational part, since a judge only compares, and they cost as much as all the rest; norms come before the sublayers,
which trains without a long warm-up; a motion token is 4 frames by default, which costs a CPU a quarter and less.
Shape legend: B batch, T frames, L tokens, D feature_dim, E embedding.
"""

import math
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from models.text_motion.networks import FOOT_CONTACT_DIMS
from models.text_motion.sizes import FRAMES_A_TOKEN, HEADS, TMR_SIZES, TransformerSizes
from utils.errors import InputError
from utils.files.torch_files import what_it_holds
from utils.motion.skeleton import SKELETONS

TRANSFORMER_NAMES = ("text_encoder", "motion_encoder")
DROPOUT = 0.1


class _Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values, self.attended = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, tokens: torch.Tensor, seen: torch.Tensor, asked: int) -> torch.Tensor:
        """tokens (B, L, width), seen (B, 1, 1, L) bool -> the first `asked` tokens, (B, asked, width)."""
        batch, length, width = tokens.shape
        heads = self.queries_keys_values(self.attention_norm(tokens)).view(batch, length, 3, HEADS, width // HEADS)
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)
        dropout = DROPOUT if self.training else 0.0
        found = functional.scaled_dot_product_attention(queries[:, :, :asked], keys, values, seen, dropout)
        tokens = tokens[:, :asked] + self.dropout(self.attended(found.transpose(1, 2).reshape(batch, asked, width)))
        return tokens + self.dropout(self.feed(self.feed_norm(tokens)))


class SummaryEncoder(nn.Module):
    """Tokens (B, L, input_size), of which the first `lengths` (B,) count -> embeddings (B, E) of length 1."""

    def __init__(self, input_size: int, width: int, layers: int, output_size: int) -> None:
        super().__init__()
        self.input_emb = nn.Linear(input_size, width)
        self.summary = nn.Parameter(torch.randn(width))
        self.layers = nn.ModuleList(_Layer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, output_size)

    def forward(self, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        summary = self.summary.expand(len(inputs), 1, -1)
        tokens = torch.cat([summary, self.input_emb(inputs)], dim=1)
        tokens = tokens + _positions(tokens.shape[1], tokens.shape[2]).to(tokens)
        # The summary sees itself and what is no padding.
        seen = torch.arange(tokens.shape[1], device=tokens.device) <= lengths.to(tokens.device)[:, None]
        for layer in self.layers[:-1]:
            tokens = layer(tokens, seen[:, None, None], tokens.shape[1])
        tokens = self.layers[-1](tokens, seen[:, None, None], 1)  # nobody reads the other tokens any more
        return functional.normalize(self.output(self.norm(tokens[:, 0])), dim=-1)


def _positions(length: int, width: int) -> torch.Tensor:
    """(length, width): sines and cosines of places (Vaswani et al., 2017)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def build_transformers(feature_dim: int, sizes: TransformerSizes = TMR_SIZES) -> dict[str, nn.Module]:
    """New networks for features of `feature_dim` columns, by name."""
    motion_size = sizes.frames_per_token * (feature_dim - FOOT_CONTACT_DIMS)
    return {
        "text_encoder": SummaryEncoder(sizes.word_size, sizes.text_width, sizes.layers, sizes.embedding_size),
        "motion_encoder": SummaryEncoder(motion_size, sizes.motion_width, sizes.layers, sizes.embedding_size),
    }


def transformer_sizes(state: Mapping[str, Mapping[str, torch.Tensor]]) -> tuple[int, TransformerSizes]:
    """(feature_dim, sizes) by the weights of both parts. Raises InputError where they are of no such network."""
    try:
        text, motion = (state[name] for name in TRANSFORMER_NAMES)
        text_width, word_size = text["input_emb.weight"].shape
        motion_width, motion_size = motion["input_emb.weight"].shape
        embedding_size = text["output.weight"].shape[0]
        layers = len({name.split(".")[1] for name in text if name.startswith("layers.")})
        if not layers:
            raise KeyError("layers.0.attended.weight")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        found = what_it_holds(state) if isinstance(error, KeyError) else "a tensor has other dimensions"
        raise InputError(f"not the weights of a text-motion evaluator of family tmr ({error!r}): {found}") from None
    fitting = [
        (skeleton.feature_dim, frames)
        for skeleton in SKELETONS.values()
        for frames in FRAMES_A_TOKEN
        if motion_size == frames * (skeleton.feature_dim - FOOT_CONTACT_DIMS)
    ]
    if not fitting:
        raise InputError(f"motion tokens of {motion_size} numbers are whole frames of no known skeleton")
    feature_dim, frames = fitting[0]
    return feature_dim, TransformerSizes(text_width, motion_width, layers, embedding_size, word_size, frames)


def embed_words(
    networks: Mapping[str, nn.Module], words: torch.Tensor, _pos_one_hot: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """words (B, W, word_size) and lengths (B,) in words -> (B, E). Word classes are not read: no tagger can mislead."""
    return networks["text_encoder"](words, lengths)


def embed_frames(networks: Mapping[str, nn.Module], features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """features (B, T, D-4) without foot contacts, lengths (B,) in frames, whole units -> (B, E)."""
    encoder = networks["motion_encoder"]
    frames = encoder.input_emb.in_features // features.shape[2]
    whole = features.shape[1] // frames * frames
    return encoder(features[:, :whole].reshape(len(features), -1, frames * features.shape[2]), lengths // frames)
