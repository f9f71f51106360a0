"""The transformers read what counts and nothing else; their sizes are told from their weights."""

import pytest
import torch

from models.text_motion.families import TMR
from models.text_motion.networks import build_networks
from models.text_motion.sizes import EvaluatorSizes
from models.text_motion.transformer import (
    TransformerSizes,
    build_transformers,
    embed_frames,
    embed_words,
    transformer_sizes,
)
from utils.errors import InputError

SIZES = TransformerSizes(8, 12, 2, 6, 5, 4)


def networks(sizes=SIZES, feature_dim=263):
    torch.manual_seed(0)
    return {name: network.eval() for name, network in build_transformers(feature_dim, sizes).items()}


def state(sizes=SIZES, feature_dim=263):
    return {name: network.state_dict() for name, network in networks(sizes, feature_dim).items()}


@pytest.mark.parametrize("frames", [1, 2, 4])
@pytest.mark.parametrize("feature_dim", [263, 251])
def test_sizes_are_told_from_weights(frames, feature_dim):
    sizes = TransformerSizes(8, 12, 3, 6, 5, frames)
    assert transformer_sizes(state(sizes, feature_dim)) == (feature_dim, sizes)


@torch.no_grad()
def test_padding_is_not_read():
    motions, lengths = torch.randn(3, 196, 259), torch.tensor([196, 40, 4])
    words, told = torch.randn(3, 22, 5), torch.tensor([22, 9, 3])
    classes = torch.zeros(3, 22, 15)
    parts = networks()
    frames, captions = embed_frames(parts, motions, lengths), embed_words(parts, words, classes, told)
    for row, (length, count) in enumerate(zip(lengths.tolist(), told.tolist(), strict=True)):
        motions[row, length:], words[row, count:] = 1e6, 1e6
        alone = embed_frames(parts, motions[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(frames[row], alone[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(embed_frames(parts, motions, lengths), frames, atol=1e-5, rtol=0)
    torch.testing.assert_close(embed_words(parts, words, classes, told), captions, atol=1e-5, rtol=0)
    torch.testing.assert_close(frames.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(captions.norm(dim=1), torch.ones(3))


@torch.no_grad()
def test_order_counts_and_the_same_is_the_same():
    parts, motion, length = networks(), torch.randn(1, 60, 259), torch.tensor([60])
    assert torch.equal(embed_frames(parts, motion, length), embed_frames(parts, motion, length))
    assert float((embed_frames(parts, motion, length) - embed_frames(parts, motion.flip(1), length)).abs().max()) > 1e-3


@torch.no_grad()
def test_word_classes_do_not_count():
    words, told = torch.randn(2, 22, 5), torch.tensor([22, 9])
    found = [
        embed_words(networks(), words, classes, told) for classes in (torch.zeros(2, 22, 15), torch.ones(2, 22, 15))
    ]
    assert torch.equal(*found)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"text_width": 10}, "widths 10 and 12: expected multiples of 4"),
        ({"motion_width": 6}, "widths 8 and 6"),
        ({"frames_per_token": 3}, "3 frames a token: expected one of"),
    ],
)
def test_sizes_that_do_not_work_are_said(sizes, said):
    with pytest.raises(InputError, match=said):
        TransformerSizes(**({"text_width": 8, "motion_width": 12} | sizes))


def without_layers(found):
    for part in found.values():
        for name in [name for name in part if name.startswith("layers.")]:
            del part[name]


def one_dimension_less(found):
    found["text_encoder"]["input_emb.weight"] = torch.zeros(3)


def other_motion_tokens(found):
    found["motion_encoder"]["input_emb.weight"] = torch.zeros(12, 100)


def odd_width(found):
    found["text_encoder"]["input_emb.weight"] = torch.zeros(7, 5)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (without_layers, "not the weights of a text-motion evaluator of family tmr"),
        (one_dimension_less, "a tensor has other dimensions"),
        (other_motion_tokens, "motion tokens of 100 numbers"),
        (odd_width, "widths 7 and 12"),
        (lambda found: found.pop("motion_encoder"), "it holds text_encoder"),
    ],
)
def test_other_weights_are_said(harm, said):
    found = state()
    harm(found)
    with pytest.raises(InputError, match=said):
        TMR.sizes_of_state(found)


def test_the_published_networks_are_no_transformers():
    found = {
        name: network.state_dict() for name, network in build_networks(263, EvaluatorSizes(8, 8, 8, 8, 6, 5)).items()
    }
    with pytest.raises(InputError, match="family tmr"):
        transformer_sizes(found)
