import math

import pytest
import torch

from models.text_motion.loss import NORM_WEIGHT, RADIUS, ContrastiveLoss, CosineLoss

NONE_ALIKE, ALL_ALIKE = torch.eye(2, dtype=torch.bool), torch.ones(2, 2, dtype=torch.bool)


def unit(*angles):
    """Embeddings on the circle of the training radius, so that the norm term is 0."""
    return RADIUS * torch.tensor([[math.cos(a), math.sin(a)] for a in angles])


def test_by_hand():
    # Distances squared (in radii): own 0, other 2. Logits -d2 / (2 * 0.5): 0 and -2, in both directions.
    text = motion = unit(0.0, math.pi / 2)
    loss = ContrastiveLoss(temperature=0.5)(text, motion, NONE_ALIKE)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-6)


def test_a_pair_of_the_same_caption_is_no_negative():
    text, motion = unit(0.0, 0.0), unit(0.0, 1.0)
    loss = ContrastiveLoss(0.1)
    assert loss(text, motion, ALL_ALIKE).item() == pytest.approx(0.0, abs=1e-6)
    assert loss(text, motion, NONE_ALIKE).item() > 1


def test_norms_are_drawn_to_the_radius():
    text = motion = 3 * unit(0.0, math.pi / 2)
    loss = ContrastiveLoss(0.01)(text, motion, NONE_ALIKE)
    assert loss.item() == pytest.approx(NORM_WEIGHT * (3 - 1) ** 2, rel=1e-5)


def test_euclidean_distance_decides_not_the_angle():
    # All in one direction, each text near its own motion: no angle could tell them apart.
    text, motion = RADIUS * torch.tensor([[0.5, 0.0], [1.5, 0.0]]), RADIUS * torch.tensor([[0.6, 0.0], [1.4, 0.0]])
    loss = ContrastiveLoss(0.01)
    right, swapped = (loss(text, m, NONE_ALIKE).item() for m in (motion, motion.flip(0)))
    assert right < 0.1 < 10 < swapped


def test_on_the_sphere_the_logits_are_cosines():
    """Cosines 1 and 0 at temperature .5: logits 2 and 0, in both directions."""
    text = motion = unit(0.0, math.pi / 2) / RADIUS
    loss = CosineLoss(temperature=0.5)(text, motion, NONE_ALIKE)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-6)
    assert CosineLoss(0.5)(text, motion, ALL_ALIKE).item() == pytest.approx(0.0, abs=1e-6)


def test_only_the_pairs_that_are_alike_are_left_out():
    """The first two of three captions say the same: each has one negative, the third has two."""
    text = motion = unit(0.0, 0.0, math.pi / 2) / RADIUS
    alike = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    one, two = math.log(1 + math.exp(-2)), math.log(1 + 2 * math.exp(-2))
    loss = CosineLoss(0.5)(text, motion, alike)
    assert loss.item() == pytest.approx((one + one + two) / 3, abs=1e-6)
