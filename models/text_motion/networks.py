"""The field's text-motion evaluator consists of three networks, built here with their published parameter names.

Source: the evaluator of Guo et al., "Generating Diverse and Natural 3D Human Motions from Text" (CVPR 2022),
whose `finest.tar` must load strictly. Sizes are arguments so that small ones can be trained.
Shape legend: B batch, T frames, S = T // 4 movement units, W words, D feature_dim, H hidden, E embedding.
"""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from dataset.humanml.pairs import FRAMES_PER_UNIT
from models.text_motion.sizes import PUBLISHED_SIZES, EvaluatorSizes
from utils.errors import InputError
from utils.files.torch_files import what_it_holds

FOOT_CONTACT_DIMS = 4  # the last features, which the evaluator never sees
NETWORK_NAMES = ("movement_encoder", "text_encoder", "motion_encoder")


class MovementEncoder(nn.Module):
    """(B, T, D-4) normalised features without foot contacts -> (B, T // 4, movement_size)."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv1d(input_size, hidden_size, 4, 2, 1),
            nn.Dropout(0.2),
            nn.LeakyReLU(0.2),
            nn.Conv1d(hidden_size, output_size, 4, 2, 1),
            nn.Dropout(0.2),
            nn.LeakyReLU(0.2),
        )
        self.out_net = nn.Linear(output_size, output_size)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.out_net(self.main(features.transpose(1, 2)).transpose(1, 2))


class _SequenceHead(nn.Module):
    """A bidirectional GRU with a learned initial state; a small head turns its two last states into (B, E)."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.hidden = nn.Parameter(torch.randn(2, 1, hidden_size))
        self.input_emb = nn.Linear(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True, bidirectional=True)
        self.output_net = nn.Sequential(
            nn.Linear(2 * hidden_size, hidden_size),
            nn.LayerNorm(hidden_size),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden_size, output_size),
        )

    def encode(self, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """(B, L, input_size) and (B,) lengths in steps, any order -> (B, E) in the same order."""
        packed = pack_padded_sequence(self.input_emb(inputs), lengths.cpu(), batch_first=True, enforce_sorted=False)
        start = self.hidden.expand(-1, len(inputs), -1).contiguous()
        _, last = self.gru(packed, start)
        return self.output_net(torch.cat([last[0], last[1]], dim=-1))


class TextEncoder(_SequenceHead):
    """Word vectors plus projected part-of-speech classes -> the embedding of a caption (B, E)."""

    def __init__(self, word_size: int, pos_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__(word_size, hidden_size, output_size)
        self.pos_emb = nn.Linear(pos_size, word_size)

    def forward(self, words: torch.Tensor, pos_one_hot: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """words (B, W, word_size), pos_one_hot (B, W, 15), lengths (B,) in words -> (B, E)."""
        return self.encode(words + self.pos_emb(pos_one_hot), lengths)


class MotionEncoder(_SequenceHead):
    """Movement units -> the embedding of a motion (B, E)."""

    def forward(self, movements: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """movements (B, S, movement_size), lengths (B,) in movement units (frames // 4) -> (B, E)."""
        return self.encode(movements, lengths)


def build_networks(feature_dim: int, sizes: EvaluatorSizes = PUBLISHED_SIZES) -> dict[str, nn.Module]:
    """New networks for features of `feature_dim` columns (263 or 251), under their published names."""
    return {
        "movement_encoder": MovementEncoder(
            feature_dim - FOOT_CONTACT_DIMS, sizes.movement_hidden, sizes.movement_size
        ),
        "text_encoder": TextEncoder(sizes.word_size, sizes.pos_size, sizes.text_hidden, sizes.embedding_size),
        "motion_encoder": MotionEncoder(sizes.movement_size, sizes.motion_hidden, sizes.embedding_size),
    }


def embed_words_and_classes(
    networks: Mapping[str, nn.Module], words: torch.Tensor, pos_one_hot: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """words (B, W, word_size), pos_one_hot (B, W, 15), lengths (B,) in words -> (B, E)."""
    return networks["text_encoder"](words, pos_one_hot, lengths)


def embed_movements(networks: Mapping[str, nn.Module], features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """features (B, T, D-4) without foot contacts, lengths (B,) in frames -> (B, E)."""
    return networks["motion_encoder"](networks["movement_encoder"](features), lengths // FRAMES_PER_UNIT)


def sizes_of_state(state: Mapping[str, Mapping[str, torch.Tensor]]) -> tuple[int, EvaluatorSizes]:
    """(feature_dim, sizes) by the weights of the three published parts.

    Raises:
        InputError: a tensor is missing, or of other dimensions: these are not the weights of an evaluator.
    """
    try:
        movement, text, motion = (state[name] for name in NETWORK_NAMES)
        first = movement["main.0.weight"]
        return first.shape[1] + FOOT_CONTACT_DIMS, EvaluatorSizes(
            movement_hidden=first.shape[0],
            movement_size=movement["out_net.weight"].shape[0],
            text_hidden=text["hidden"].shape[2],
            motion_hidden=motion["hidden"].shape[2],
            embedding_size=motion["output_net.3.weight"].shape[0],
            word_size=text["pos_emb.weight"].shape[0],
            pos_size=text["pos_emb.weight"].shape[1],
        )
    except (LookupError, TypeError, AttributeError) as error:
        found = what_it_holds(state) if isinstance(error, KeyError) else "a tensor has too few dimensions"
        raise InputError(f"not the weights of a text-motion evaluator ({error!r}): {found}") from None
