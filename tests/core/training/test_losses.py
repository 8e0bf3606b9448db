"""The loss: nothing unknown counts, and the total is the sum of its parts."""

import torch

from core.networks.octa_enface import OctaEnfaceOutput
from core.training.losses import grade_loss, joint_loss, mask_loss


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


def test_the_total_is_the_sum_of_its_parts():
    output = OctaEnfaceOutput(
        torch.randn(2, 3),
        torch.randn(2),
        torch.randn(2, 4, 8, 8),
        torch.randn(2, 8, 8),
        torch.randn(2, 8, 8),
        torch.randn(2, 5, 1, 1),
    )
    target = {
        "masks": torch.rand(2, 6, 8, 8).round(),
        "weights": torch.ones(2, 6, 8, 8),
        "grade": torch.tensor([0, 2]),
        "is_octa": torch.tensor([1.0, 0.0]),
    }
    losses = joint_loss(output, target)
    total = losses.pop("total")
    torch.testing.assert_close(total, torch.stack(list(losses.values())).sum())
