"""What the recipe `layers` learns: the thesis's binary cross entropy, or cross entropy with Dice; and its figures."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.networks.layers import build_layers
from core.scoring.lanes.layer_scheme import n_classes
from core.training.layers.recipe import LayersRecipe
from core.training.supervised.task import LOSS, Figures

_SMOOTHING = 1.0
"""Cells added above and below in the Dice loss, so that a class that no crop holds costs no more than it finds."""


class LayersTask:
    """Class of every cell; targets are shares, so that a border within a cell is learned as one."""

    def __init__(self, recipe: LayersRecipe) -> None:
        self.recipe = recipe

    def build(self) -> nn.Module:
        """The network, from the recipe's seed; heads that are fitted afterwards are core.training.layers.levels'."""
        return build_layers(self.recipe.shape.model_copy(update={"has_levels": False}), seed=self.recipe.seed)

    def loss(self, logits: Tensor, shares: Tensor, /) -> Tensor:
        """Mean over cells; logits and shares (B, classes, H, W). Of a network with levels the mean over these, too."""
        if logits.ndim > shares.ndim:  # (B, L, classes, H, W)
            return torch.stack([self.loss(level, shares) for level in logits.unbind(dim=1)]).mean()
        if self.recipe.loss == "bce":
            return functional.binary_cross_entropy_with_logits(logits, shares)
        return 0.5 * functional.cross_entropy(logits, shares) + 0.5 * dice_loss(logits, shares)

    def watch(self, outputs: Iterator[tuple[Tensor, Tensor]], /) -> Figures:
        """Loss, accuracy, mean IoU and Dice of the classes but background, IoU of the whole retina."""
        confusion = torch.zeros(2 * (n_classes(self.recipe.scheme),), dtype=torch.int64)
        losses, n_images = 0.0, 0
        for logits, shares in outputs:
            losses += float(self.loss(logits, shares)) * len(logits)
            n_images += len(logits)
            confusion += confusion_of(logits.argmax(dim=1), shares.argmax(dim=1), len(confusion))
        return {LOSS: losses / n_images, **confusion_figures(confusion)}


def dice_loss(logits: Tensor, shares: Tensor) -> Tensor:
    """One minus the mean Dice of the classes but background, over all cells of the batch."""
    probability = torch.softmax(logits, dim=1)  # (B, classes, H, W)
    overlap = 2 * (probability * shares).sum(dim=(0, 2, 3)) + _SMOOTHING
    both = probability.sum(dim=(0, 2, 3)) + shares.sum(dim=(0, 2, 3)) + _SMOOTHING
    return 1 - (overlap / both)[1:].mean()


def confusion_of(found: Tensor, truth: Tensor, n: int) -> Tensor:
    """Cells by true class (rows) and found class (columns)."""
    return torch.bincount((truth * n + found).flatten(), minlength=n * n).reshape(n, n)


def confusion_figures(confusion: Tensor) -> Figures:
    """Accuracy, mean Dice and IoU of the layers, IoU of the whole retina; None where no layer is there."""
    table = confusion.double()
    hits, truth, found = table.diag()[1:], table.sum(dim=1)[1:], table.sum(dim=0)[1:]
    there = (truth + found) > 0
    whole = table[1:, 1:].sum()
    union = table.sum() - table[0, 0]
    if not bool(there.any()):
        return {"accuracy": float(table.diag().sum() / table.sum()), "dice": None, "iou": None, "retina_iou": None}
    return {
        "accuracy": float(table.diag().sum() / table.sum()),
        "dice": float((2 * hits / (truth + found))[there].mean()),
        "iou": float((hits / (truth + found - hits))[there].mean()),
        "retina_iou": float(whole / union),
    }
