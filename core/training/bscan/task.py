"""What the stages of `bscan` learn and how their validation is watched; keeps to core.training.supervised.task.Task."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from core.networks.bscan import CmCnn, CmCnnOutput, GuidedSegmenter, JointNetwork, JointOutput
from core.training.bscan.loss import class_loss, coarse, mask_loss, presence_loss
from core.training.bscan.recipe import BscanRecipe
from core.training.bscan.samples import BscanLabel
from core.training.supervised.task import LOSS, Figures

_TIE = 0.001
"""Of the loss, added to the error that the paper keeps weights by: among equal errors the smaller loss is kept."""

Build = Callable[[], nn.Module]


class ClassifierTask:
    """CM-CNN: cross entropy plus the loss of the coarse mask; kept by accuracy, as published."""

    def __init__(self, recipe: BscanRecipe, n_classes: int, build: Build | None = None) -> None:
        self.recipe = recipe
        self._build = build or (lambda: CmCnn(recipe.shape(n_classes)))

    def build(self) -> nn.Module:
        """A freshly initialised network, the same for the same seed."""
        torch.manual_seed(self.recipe.seed)
        return self._build()

    def loss(self, output: CmCnnOutput, label: BscanLabel) -> Tensor:
        """Eq. 1, and eq. 4 where the network has a coarse mask."""
        loss = class_loss(output.class_logits, label.possible)
        if output.mask_logits is not None:
            truth = coarse(any_lesion(label.masks), output.mask_logits)
            loss = loss + mask_loss(output.mask_logits, truth, label.is_mask_known)
        return loss

    def watch(self, outputs: Iterator[tuple[CmCnnOutput, BscanLabel]]) -> Figures:
        """Accuracy (a class among the possible ones is right) and loss; the error decides what is kept."""
        loss, right, total = 0.0, 0, 0
        for output, label in outputs:
            n = len(output.class_logits)
            loss += n * float(self.loss(output, label))
            chosen = output.class_logits.argmax(dim=1)
            right += int(label.possible[torch.arange(n), chosen].sum())
            total += n
        return _figures("accuracy", right / total, loss / total)


class SegmenterTask:
    """CAM-UNet behind its guide: eq. 4; kept by Dice, as published."""

    def __init__(self, recipe: BscanRecipe, build: Build) -> None:
        self.recipe = recipe
        self._build = build

    def build(self) -> nn.Module:
        """A freshly initialised segmenter behind the finished guide."""
        torch.manual_seed(self.recipe.seed + 1)
        return self._build()

    def loss(self, logits: Tensor, label: BscanLabel) -> Tensor:
        """Eq. 4 over all lesions as one."""
        return mask_loss(logits, any_lesion(label.masks), label.is_mask_known)

    def watch(self, outputs: Iterator[tuple[Tensor, BscanLabel]]) -> Figures:
        """Mean Dice of the scans with a lesion, and loss."""
        return _watch_masks(outputs, self.loss, lambda output, label: dice(output, any_lesion(label.masks)))


class JointTask:
    """The end-to-end network: every lesion's presence, coarse and fine mask."""

    def __init__(self, recipe: BscanRecipe, n_classes: int) -> None:
        self.recipe = recipe
        self.n_classes = n_classes

    def build(self) -> nn.Module:
        """A freshly initialised network, the same for the same seed."""
        torch.manual_seed(self.recipe.seed)
        return JointNetwork(self.recipe.shape(self.n_classes))

    def loss(self, output: JointOutput, label: BscanLabel) -> Tensor:
        """The sum of all three."""
        masks = label.masks.float()
        rough = mask_loss(output.mask_logits, coarse(masks, output.mask_logits), label.is_mask_known)
        fine = mask_loss(output.lesion_logits, masks, label.is_mask_known)
        return presence_loss(output.class_logits, label.present) + rough + fine

    def watch(self, outputs: Iterator[tuple[JointOutput, BscanLabel]]) -> Figures:
        """Mean Dice of all lesions as one, and loss."""

        def overlap(output: JointOutput, label: BscanLabel) -> Tensor:
            return dice(output.lesion_logits.amax(dim=1, keepdim=True), any_lesion(label.masks))

        return _watch_masks(outputs, self.loss, overlap)


def any_lesion(masks: Tensor) -> Tensor:
    """Masks (B, L, H, W) as one (B, 1, H, W), float."""
    return masks.amax(dim=1, keepdim=True).float()


def dice(logits: Tensor, masks: Tensor) -> Tensor:
    """Dice of each scan that has a lesion, (n,), from (B, 1, H, W)."""
    predicted, truth = logits > 0, masks > 0
    both = predicted.sum(dim=(1, 2, 3)) + truth.sum(dim=(1, 2, 3))
    overlap = 2 * (predicted & truth).sum(dim=(1, 2, 3)) / both.clamp(min=1)
    return overlap[truth.any(dim=3).any(dim=2).any(dim=1)]


def _watch_masks(
    outputs: Iterator[tuple[object, BscanLabel]],
    loss_of: Callable[..., Tensor],
    dice_of: Callable[..., Tensor],
) -> Figures:
    loss, total, found = 0.0, 0, [torch.empty(0)]
    for output, label in outputs:
        n = len(label.possible)
        loss += n * float(loss_of(output, label))
        found.append(dice_of(output, label))
        total += n
    values = torch.cat(found)
    return _figures("dice", float(values.mean()) if len(values) else 0.0, loss / total)


def _figures(name: str, performance: float, loss: float) -> Figures:
    """The figure that is kept by, as an error, and what it is made of."""
    return {LOSS: 1 - performance + _TIE * loss, name: performance, "mean_loss": loss}


def guided(guide: nn.Module, segmenter: nn.Module) -> GuidedSegmenter:
    """The second stage's network; the normal class comes first."""
    return GuidedSegmenter(guide, segmenter, normal=0)
