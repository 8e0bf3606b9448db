"""What QU-Net++ learns: Dice of every level (eq. 1), watched by the Dice of level 4."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from core.networks.qunet import QuNet, build_qunet, level_probabilities
from core.training.qunet.recipe import QuNetRecipe
from core.training.supervised.task import LOSS, Figures


@dataclass(frozen=True, slots=True)
class QuNetTask:
    """A label map of ``n_classes``, background among them."""

    recipe: QuNetRecipe
    n_classes: int

    def build(self) -> QuNet:
        """A fresh network."""
        return build_qunet(self.recipe.shape(self.n_classes), seed=self.recipe.seed)

    def loss(self, logits: Tensor, label: Tensor, /) -> Tensor:
        """Mean over the levels of one minus the Dice of the classes that are not background.

        ``logits`` (B, L, K, H, W), ``label`` (B, H, W).
        """
        return deep_dice_loss(logits, label, self.n_classes, self.recipe.dice_smoothing)

    def watch(self, outputs: Iterator[tuple[Tensor, Tensor]], /) -> Figures:
        """Loss and the Dice of levels 3 and 4, means over images and classes; those of levels 3 as the paper's Fig. 6.

        The U-Net of the comparison has one level: its Dice of level 3 is absent.
        """
        losses, dices, sizes = [], [], []
        for logits, label in outputs:
            losses.append(float(self.loss(logits, label)))
            found = level_probabilities(logits).argmax(dim=2)  # (B, L, H, W)
            dices.append([_mean_dice(found[:, level], label, self.n_classes) for level in range(found.shape[1])])
            sizes.append(len(label))
        total = sum(sizes)
        levels = [
            sum(d[level] * n for d, n in zip(dices, sizes, strict=True)) / total for level in range(len(dices[0]))
        ]
        loss = sum(value * n for value, n in zip(losses, sizes, strict=True)) / total
        return {LOSS: loss, "dice_level_4": levels[-1], "dice_level_3": levels[-2] if len(levels) > 1 else None}


def deep_dice_loss(logits: Tensor, label: Tensor, n_classes: int, smoothing: float) -> Tensor:
    """Eq. 1 at every level: one minus (2 sum PY + s) / (sum P + sum Y + s), mean over levels and classes but 0.

    Sums run over the pixels of the whole batch, as Keras does. ``logits`` (B, L, K, H, W), ``label`` (B, H, W) in
    0..n_classes - 1.
    """
    inside = level_probabilities(logits)[:, :, 1:]  # (B, L, C - 1, H, W)
    truth = functional.one_hot(label, n_classes).movedim(-1, 1)[:, None, 1:].to(inside.dtype)  # (B, 1, C - 1, H, W)
    summed = (0, 3, 4)
    overlap = 2 * (inside * truth).sum(dim=summed) + smoothing
    both = inside.sum(dim=summed) + truth.sum(dim=summed) + smoothing
    return (1 - overlap / both).mean()


def _mean_dice(found: Tensor, label: Tensor, n_classes: int) -> float:
    """Mean over images of the mean Dice of the classes that are found or there; an image without any counts 1."""
    kinds = torch.arange(1, n_classes)[None, :, None, None]
    said, true = found[:, None] == kinds, label[:, None] == kinds  # (B, C - 1, H, W)
    both = said.sum(dim=(2, 3)) + true.sum(dim=(2, 3))
    dice = 2 * (said & true).sum(dim=(2, 3)) / both.clamp(min=1)
    n_present = (both > 0).sum(dim=1)
    means = (dice * (both > 0)).sum(dim=1) / n_present.clamp(min=1)
    return float(torch.where(n_present > 0, means, 1.0).mean())
