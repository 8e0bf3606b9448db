"""The losses of paper 003 against values worked out by hand."""

import math

import pytest
import torch

from core.training.bscan.loss import class_loss, coarse, mask_loss, presence_loss


def test_one_possible_class_gives_the_cross_entropy() -> None:
    logits = torch.tensor([[2.0, 0.5, -1.0]])
    wanted = torch.nn.functional.cross_entropy(logits, torch.tensor([1]))
    assert class_loss(logits, torch.tensor([[0.0, 1.0, 0.0]])).item() == pytest.approx(wanted.item())


def test_two_possible_classes_share_their_probability() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2]]))
    assert class_loss(logits, torch.tensor([[0.0, 1.0, 1.0]])).item() == pytest.approx(-math.log(0.5))


def test_an_unknown_lesion_costs_nothing() -> None:
    logits = torch.tensor([[3.0, -2.0]])
    known = presence_loss(logits[:, :1], torch.tensor([[1.0]]))
    assert presence_loss(logits, torch.tensor([[1.0, -1.0]])).item() == pytest.approx(known.item())


def test_the_dice_loss_has_squares_below() -> None:
    logits = torch.zeros(1, 1, 2, 2)  # probability one half everywhere
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    entropy, dice = math.log(2), 1 - 2 * 0.5 / (4 * 0.25 + 1)
    assert mask_loss(logits, mask, torch.ones(1)).item() == pytest.approx(entropy + dice)


def test_a_picture_without_lesion_costs_its_cross_entropy_alone() -> None:
    logits, nothing = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    assert mask_loss(logits, nothing, torch.ones(1)).item() == pytest.approx(math.log(2))


def test_a_scan_whose_lesions_nobody_drew_teaches_no_mask() -> None:
    logits = torch.randn(2, 1, 4, 4, requires_grad=True)
    mask_loss(logits, torch.ones(2, 1, 4, 4), torch.tensor([1.0, 0.0])).backward()
    assert logits.grad is not None
    assert logits.grad[0].abs().sum() > 0
    assert logits.grad[1].abs().sum() == 0


def test_a_coarse_cell_is_lesion_where_one_pixel_is() -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[0, 0, 40, 5] = 1
    found = coarse(mask, torch.zeros(1, 1, 2, 2))
    assert found.tolist() == [[[[0.0, 0.0], [1.0, 0.0]]]]
