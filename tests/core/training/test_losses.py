"""The loss: nothing unknown counts, and impossible extents are punished in the right direction."""

import torch

from core.networks.octa_enface import OctaEnfaceOutput
from core.training.losses import extent_loss, grade_loss, joint_loss, mask_loss


def test_cells_that_are_not_known_have_no_say():
    masks = torch.zeros(1, 1, 4, 4)
    weights = torch.zeros(1, 1, 4, 4)
    weights[..., :2] = 1
    logits = torch.full((1, 1, 4, 4), -20.0)
    wrong_beside = logits.clone()
    wrong_beside[..., 2:] = 20
    assert torch.equal(mask_loss(logits, masks, weights), mask_loss(wrong_beside, masks, weights))


def test_a_batch_without_grades_costs_nothing():
    assert float(grade_loss(torch.randn(3, 3), torch.full((3,), -1))) == 0


def test_the_extent_is_punished_outside_its_band_only():
    band = torch.tensor([[[0.01, 0.10]]])

    def loss(fraction):
        return float(extent_loss(torch.logit(torch.full((1, 1, 8, 8), fraction)), band))

    assert loss(0.05) == 0
    assert loss(0.4) > loss(0.2) > 0
    assert loss(0.001) > 0


def test_the_total_is_the_sum_of_its_parts():
    output = OctaEnfaceOutput(
        torch.randn(2, 3), torch.randn(2), torch.randn(2, 4, 8, 8), torch.randn(2, 8, 8), torch.randn(2, 5, 1, 1)
    )
    target = {
        "masks": torch.rand(2, 5, 8, 8).round(),
        "weights": torch.ones(2, 5, 8, 8),
        "grade": torch.tensor([0, 2]),
        "is_octa": torch.tensor([1.0, 0.0]),
        "bands": torch.tensor([[0.0, 1.0]]).expand(2, 4, 2),
    }
    losses = joint_loss(output, target)
    total = losses.pop("total")
    torch.testing.assert_close(total, torch.stack(list(losses.values())).sum())
