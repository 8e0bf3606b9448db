"""The losses against values worked out by hand from the paper's equations."""

import math

import pytest
import torch

from core.errors import UsageError
from core.training.supervised.loss import class_weights, dice_loss, faz_loss, weighted_cross_entropy


def test_class_weights_are_those_of_equation_2():
    # 60 images, 3 classes: 60 / (3 * 10), 60 / (3 * 20), 60 / (3 * 30)
    assert class_weights([10, 20, 30]).tolist() == pytest.approx([2, 1, 2 / 3])


def test_a_grade_without_images_is_refused():
    with pytest.raises(UsageError, match="no image graded ungradable"):
        class_weights([0, 3, 3])


def test_the_cross_entropy_is_that_of_equations_3_to_5():
    # Probabilities 1/2, 1/4, 1/4 and 1/8, 1/8, 3/4; truths 0 and 2; weights 2 and 2/3.
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]]))
    by_hand = (2 * -math.log(0.5) + 2 / 3 * -math.log(0.75)) / (2 + 2 / 3)
    found = weighted_cross_entropy(logits, torch.tensor([0, 2]), torch.tensor([2.0, 1.0, 2 / 3]))
    assert float(found) == pytest.approx(by_hand, rel=1e-5)


def four_pixels():
    """FAZ probabilities 0.9, 0.6, 0.2, 0.1 where the mask is 1, 0, 1, 0."""
    faz = torch.tensor([[[0.9, 0.6], [0.2, 0.1]]])
    return torch.log(torch.stack([1 - faz, faz], dim=1)), torch.tensor([[[1, 0], [1, 0]]], dtype=torch.uint8)


def test_the_dice_loss_is_that_of_equations_6_and_7():
    # TP 0.9 + 0.2, FP 0.6 + 0.1, FN 0.1 + 0.8
    by_hand = 1 - (2 * 1.1 + 1) / (2 * 1.1 + 0.9 + 0.7 + 1)
    assert float(dice_loss(*four_pixels(), smoothing=1.0)) == pytest.approx(by_hand, rel=1e-5)


def test_the_faz_loss_is_half_of_each_as_in_equation_9():
    logits, mask = four_pixels()
    entropy = -(math.log(0.9) + math.log(0.4) + math.log(0.2) + math.log(0.9)) / 4
    dice = 1 - (2 * 1.1 + 1) / (2 * 1.1 + 0.9 + 0.7 + 1)
    found = faz_loss(logits, mask, entropy_share=0.5, smoothing=1.0)
    assert float(found) == pytest.approx(0.5 * entropy + 0.5 * dice, rel=1e-5)


def test_empty_masks_cost_nothing_where_nothing_is_found():
    logits = torch.stack([torch.full((1, 4, 4), 40.0), torch.full((1, 4, 4), -40.0)], dim=1)
    assert float(dice_loss(logits, torch.zeros(1, 4, 4), smoothing=1.0)) == pytest.approx(0, abs=1e-6)
