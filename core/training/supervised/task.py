"""What a recipe learns: the network it builds, the loss it minimises, the figures it is watched by."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from core.errors import UsageError
from core.networks.coips_faz import FazShape, build_faz
from core.networks.coips_quality import QualityShape, build_quality
from core.statistics.agreement import exact_agreement, quadratic_kappa
from core.training.supervised.loss import class_weights, faz_loss, weighted_cross_entropy
from core.training.supervised.picture import Picture
from core.training.supervised.recipe import FazRecipe, QualityRecipe, SupervisedRecipe
from core.vocabulary import CoipsGrade

LOSS = "validation_loss"
"""The figure that early stopping and the choice of weights watch; lower is better."""

Figures = dict[str, float | None]


class Task(Protocol):
    """One recipe's network and loss."""

    def build(self) -> nn.Module:
        """A freshly initialised network."""
        ...

    def loss(self, logits: Any, label: Any, /) -> Tensor:
        """The training loss of a batch: what the network gave (a tensor or a tuple of them), and its labels."""
        ...

    def watch(self, outputs: Iterator[tuple[Any, Any]], /) -> Figures:
        """The figures of the validation part from batches of logits and labels, LOSS among them."""
        ...


class QualityTask:
    """Three grades, class-weighted cross entropy; the weights are those of the training part."""

    def __init__(self, recipe: QualityRecipe, train: Sequence[Picture]) -> None:
        self.recipe = recipe
        grades = [picture.record.grade for picture in train]
        self.weights = class_weights([grades.count(grade) for grade in CoipsGrade])

    def build(self) -> nn.Module:
        """The backbone with three outputs, frozen but for its last layer where the recipe says so."""
        shape = QualityShape(backbone=self.recipe.backbone, image_px=self.recipe.image_px)
        network = build_quality(shape, seed=self.recipe.seed)
        if self.recipe.trained_layers == "last":
            network.freeze_backbone()
        return network

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """Eqs. 3-5."""
        return weighted_cross_entropy(logits.float(), label, self.weights.to(logits.device))

    def watch(self, outputs: Iterator[tuple[Tensor, Tensor]]) -> Figures:
        """Loss of the whole part at once, accuracy, quadratic kappa (absent where one grade only is predicted)."""
        logits, label = (torch.cat(values) for values in zip(*outputs, strict=True))
        predicted, truth = logits.argmax(dim=1).numpy(), label.numpy()
        loss = float(weighted_cross_entropy(logits, label, self.weights))
        return {
            LOSS: loss,
            "accuracy": exact_agreement(predicted, truth),
            "quadratic_kappa": quadratic_kappa(predicted, truth, len(CoipsGrade)),
        }


class FazTask:
    """A mask of the FAZ; cross entropy and Dice in equal parts."""

    def __init__(self, recipe: FazRecipe) -> None:
        self.recipe = recipe

    @property
    def shape(self) -> FazShape:
        """The U-Net's sizes."""
        recipe = self.recipe
        return FazShape(
            image_px=recipe.image_px,
            n_stages=recipe.n_stages,
            base_channels=recipe.base_channels,
            max_channels=recipe.max_channels,
        )

    def build(self) -> nn.Module:
        """The U-Net."""
        return build_faz(self.shape, seed=self.recipe.seed)

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """Eq. 9."""
        recipe = self.recipe
        return faz_loss(logits, label, entropy_share=recipe.entropy_share, smoothing=recipe.dice_smoothing)

    def watch(self, outputs: Iterator[tuple[Tensor, Tensor]]) -> Figures:
        """Mean loss of the batches, by their images; mean Dice per image, 1 where both masks are empty."""
        losses, dices, n_images = [], [], []
        for logits, mask in outputs:
            losses.append(float(self.loss(logits, mask)))
            dices.append(_dice(logits, mask))
            n_images.append(len(mask))
        total = sum(n_images)
        loss = sum(value * n for value, n in zip(losses, n_images, strict=True)) / total
        return {LOSS: loss, "dice": float(torch.cat(dices).mean())}


def _dice(logits: Tensor, mask: Tensor) -> Tensor:
    """Dice of each image (B,) from logits (B, 2, H, W) and masks (B, H, W)."""
    predicted, truth = logits.argmax(dim=1) == 1, mask == 1
    overlap = 2 * (predicted & truth).sum(dim=(1, 2))
    both = predicted.sum(dim=(1, 2)) + truth.sum(dim=(1, 2))
    return torch.where(both > 0, overlap / both.clamp(min=1), 1.0)


def task_of(recipe: SupervisedRecipe, train: Sequence[Picture]) -> Task:
    """The task that a recipe trains."""
    match recipe:
        case QualityRecipe():
            return QualityTask(recipe, train)
        case FazRecipe():
            return FazTask(recipe)
        case _:
            raise UsageError(
                f"{recipe.name} is no recipe that can be trained.", remedy="Take one of the named recipes."
            )
