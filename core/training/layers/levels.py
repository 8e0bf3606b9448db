"""Levels for a finished layer network: 1 x 1 heads on its coarser decoder blocks, fitted while the network stays.

Their agreement with the answer is Q (Roychowdhury 2021, core.measures.selection). Trained together with the network, as
the paper does, they would change its answers; fitted afterwards they cannot (ADR 0058).
"""

from collections.abc import Iterator, Mapping
from typing import Self

from torch import Tensor, nn

from core.networks.layers import LayerUNet, build_layers
from core.scoring.lanes.layer_scheme import n_classes
from core.training.layers.recipe import LayersRecipe
from core.training.layers.task import LayersTask, confusion_figures, confusion_of
from core.training.supervised.task import LOSS, Figures

HEADS = "level_heads."
"""What the names of the heads' weights begin with."""


class FrozenWithHeads(nn.Module):
    """A layer U-Net of which the coarser heads alone learn; answers with the logits of these levels."""

    def __init__(self, network: LayerUNet) -> None:
        super().__init__()
        self.network = network
        for name, parameter in network.named_parameters():
            parameter.requires_grad = name.startswith(HEADS)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, L - 1, classes, H, W), the coarsest first."""
        return self.network.levels(image)[:, :-1]

    def train(self, mode: bool = True) -> Self:
        """The network's normalisation keeps its statistics whatever is asked for."""
        super().train(mode)
        self.network.eval()
        return self


class LevelsTask(LayersTask):
    """The recipe's loss at every level but the answer."""

    def __init__(self, recipe: LayersRecipe, network: Mapping[str, Tensor]) -> None:
        super().__init__(recipe)
        self._network = network

    def build(self) -> FrozenWithHeads:
        """The network as it was stored, with new heads from the recipe's seed."""
        built = build_layers(self.recipe.shape, seed=self.recipe.seed)
        assert isinstance(built, LayerUNet), "the recipe refuses levels for other networks"
        stored = {name: value for name, value in self._network.items() if not name.startswith(HEADS)}
        built.load_state_dict(built.state_dict() | stored)
        return FrozenWithHeads(built)

    def watch(self, outputs: Iterator[tuple[Tensor, Tensor]], /) -> Figures:
        """Loss, and of every level the mean Dice of the classes but background."""
        confusion: dict[int, Tensor] = {}
        losses, n_images, n = 0.0, 0, n_classes(self.recipe.scheme)
        for logits, shares in outputs:
            losses += float(self.loss(logits, shares)) * len(logits)
            n_images += len(logits)
            for level, own in enumerate(logits.unbind(dim=1), 1):
                found = confusion_of(own.argmax(dim=1), shares.argmax(dim=1), n)
                confusion[level] = found + confusion.get(level, 0)
        dices = {f"dice_level_{level}": confusion_figures(table)["dice"] for level, table in confusion.items()}
        return {LOSS: losses / n_images, **dices}


def level_recipe(recipe: LayersRecipe) -> LayersRecipe:
    """How the heads are fitted: the network's recipe with their own epochs and learning rate, watched to the end."""
    return recipe.model_copy(
        update={
            "epochs": recipe.level_epochs,
            "learning_rate": recipe.level_learning_rate,
            "warmup_epochs": 0,
            "cosine_epochs": None,
            "poly_exponent": 0.9,
            "patience": None,
            "keep": "best",
        }
    )
