"""What the ONH recipe learns: cross entropy of the grade, cross entropy and Dice of the masks, together."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.networks.onh_enface import N_MASKS, OnhOutput, build_onh
from core.statistics.agreement import exact_agreement, quadratic_kappa
from core.training.onh.recipe import OnhRecipe
from core.training.supervised.task import LOSS, Figures

_SMOOTHING = 1.0
"""Added above and below in the Dice loss, as in COIPS's eq. 6."""

OnhLabels = tuple[Tensor, Tensor]
"""Classes of the grades (B,), label maps (B, H, W)."""


class OnhTask:
    """Grade and masks at once, or the grade alone where the network has no decoder."""

    def __init__(self, recipe: OnhRecipe) -> None:
        self.recipe = recipe

    def build(self) -> nn.Module:
        """The network, from the recipe's seed."""
        return build_onh(self.recipe.shape, seed=self.recipe.seed)

    def loss(self, output: OnhOutput, labels: OnhLabels, /) -> Tensor:
        """Cross entropy of the grade plus the weighted loss of the masks, its mean over the levels that learn."""
        grade, mask = labels
        loss = functional.cross_entropy(output.grade, grade)
        if output.masks.shape[1]:
            levels = [output.masks, *output.coarser.unbind(dim=1)]
            loss = loss + self.recipe.mask_weight * torch.stack([mask_loss(one, mask) for one in levels]).mean()
        return loss

    def watch(self, outputs: Iterator[tuple[OnhOutput, OnhLabels]], /) -> Figures:
        """Loss, accuracy, quadratic kappa, and the Dice of each mask over the pixels of the part."""
        grades: list[tuple[Tensor, Tensor]] = []
        mask_losses: list[tuple[float, int]] = []
        overlaps = torch.zeros(N_MASKS, 3, dtype=torch.int64)
        for output, (grade, mask) in outputs:
            grades.append((output.grade, grade))
            if output.masks.shape[1]:
                mask_losses.append((float(mask_loss(output.masks, mask)), len(mask)))
                overlaps += _overlaps(output.masks.argmax(dim=1), mask)
        logits, truth = (torch.cat(values) for values in zip(*grades, strict=True))
        loss = float(functional.cross_entropy(logits, truth))
        if mask_losses:
            mean = sum(value * n for value, n in mask_losses) / sum(n for _, n in mask_losses)
            loss += self.recipe.mask_weight * mean
        predicted, wanted = logits.argmax(dim=1).numpy(), truth.numpy()
        figures: Figures = {
            LOSS: loss,
            "accuracy": exact_agreement(predicted, wanted),
            "quadratic_kappa": quadratic_kappa(predicted, wanted, self.recipe.groups.n_classes),
        }
        return figures | (_dices(overlaps) if mask_losses else {})


def mask_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Half the cross entropy (mean over pixels) plus half the Dice loss (mean over the four classes that are marked).

    ``logits`` (B, 5, H, W), ``mask`` (B, H, W) of 0 to 4. The Dice runs over the pixels of the whole batch, so that a
    class which an image lacks costs no more than its false positives.
    """
    log_probability = torch.log_softmax(logits, dim=1)  # (B, 5, H, W)
    probability = log_probability.exp()
    truth = torch.zeros_like(probability).scatter_(1, mask[:, None], 1.0)  # (B, 5, H, W)
    overlap = 2 * (probability * truth).sum(dim=(0, 2, 3)) + _SMOOTHING
    both = probability.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3)) + _SMOOTHING
    dice = 1 - (overlap / both)[1:].mean()
    entropy = -(log_probability * truth).sum() / mask.numel()
    return 0.5 * entropy + 0.5 * dice


def _overlaps(found: Tensor, mask: Tensor) -> Tensor:
    """Pixels (5, 3) of each class in both, found, drawn."""
    rows = [((found == k) & (mask == k), found == k, mask == k) for k in range(N_MASKS)]
    return torch.tensor([[int(part.sum()) for part in row] for row in rows])


def _dices(overlaps: Tensor) -> Figures:
    names = ("onh", "shallow", "dark", "motion")
    found: Figures = {}
    for name, (both, one, other) in zip(names, overlaps[1:].tolist(), strict=True):
        found[f"dice_{name}"] = 2 * both / (one + other) if one + other else None
    return found
