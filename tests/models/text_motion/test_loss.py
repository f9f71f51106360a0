import math

import pytest
import torch

from models.text_motion.loss import NORM_WEIGHT, RADIUS, ContrastiveLoss


def unit(*angles):
    """Embeddings on the circle of the training radius, so that the norm term is 0."""
    return RADIUS * torch.tensor([[math.cos(a), math.sin(a)] for a in angles])


def test_by_hand():
    # Distances squared (in radii): own 0, other 2. Logits -d2 / (2 * 0.5): 0 and -2, in both directions.
    text = motion = unit(0.0, math.pi / 2)
    loss = ContrastiveLoss(temperature=0.5)(text, motion, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-6)


def test_a_pair_of_the_same_caption_is_no_negative():
    text, motion = unit(0.0, 0.0), unit(0.0, 1.0)
    loss = ContrastiveLoss(0.1)
    assert loss(text, motion, torch.tensor([7, 7])).item() == pytest.approx(0.0, abs=1e-6)
    assert loss(text, motion, torch.tensor([7, 8])).item() > 1


def test_norms_are_drawn_to_the_radius():
    text = motion = 3 * unit(0.0, math.pi / 2)
    loss = ContrastiveLoss(0.01)(text, motion, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx(NORM_WEIGHT * (3 - 1) ** 2, rel=1e-5)


def test_euclidean_distance_decides_not_the_angle():
    # All in one direction, each text near its own motion: no angle could tell them apart.
    text, motion = RADIUS * torch.tensor([[0.5, 0.0], [1.5, 0.0]]), RADIUS * torch.tensor([[0.6, 0.0], [1.4, 0.0]])
    loss = ContrastiveLoss(0.01)
    right, swapped = (loss(text, m, torch.tensor([0, 1])).item() for m in (motion, motion.flip(0)))
    assert right < 0.1 < 10 < swapped
