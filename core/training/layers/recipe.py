"""The recipe `layers` as a frozen value: the thesis's networks and settings, and the small one that we bundle."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from core.errors import UsageError
from core.networks.layers import LayerNetworkName, LayerShape
from core.scoring.lanes.layer_scheme import n_classes
from core.training.supervised.recipe import Augmentation, SupervisedRecipe
from core.vocabulary import LayerScheme


class LayersRecipe(SupervisedRecipe):
    """Layer segmentation; with the folder, the code and the machine it determines the weights."""

    scheme: LayerScheme = LayerScheme.DUKE_7
    network: LayerNetworkName = "unet"
    base_channels: int = Field(default=64, ge=4)
    """U-Net: channels of the first block."""
    column_stride: int = Field(default=1, ge=1, le=4)
    """U-Net: columns that the first convolution takes together."""
    loss: Literal["bce", "entropy-dice"] = "bce"
    """The thesis's binary cross entropy on one-hot targets, or cross entropy and Dice in equal parts."""
    crop_columns: int | None = Field(default=None, ge=32)
    """Columns of a training crop; None takes all."""
    crop_rows: int | None = Field(default=None, ge=32)
    """Rows of a training crop; None takes all."""
    n_phantoms: int = Field(default=0, ge=0)
    """Simulated B-scans drawn once before the training."""
    phantom_share: float = Field(default=0.0, ge=0, le=1)
    """Share of training crops taken from them."""
    level_epochs: int = Field(default=0, ge=0)
    """U-Net: epochs in which heads on the decoder's coarser blocks are fitted to the finished network, which stays as
    it is; 0: no levels and no Q."""
    level_learning_rate: float = Field(default=1e-2, gt=0)
    """First learning rate of these heads."""

    @property
    def shape(self) -> LayerShape:
        """Of the network, its levels included."""
        return LayerShape(
            has_levels=self.level_epochs > 0,
            network=self.network,
            n_classes=n_classes(self.scheme),
            image_px=self.image_px,
            base_channels=self.base_channels,
            column_stride=self.column_stride,
        )


_LAYERS = LayersRecipe(
    name="layers", version="1.1", epochs=15, batch_size=8, image_px=256, optimiser="adam", learning_rate=1e-3,
    patience=5, validation_share=0.125, test_share=0.25,
    augmentation=Augmentation(horizontal_flip=0.0, rotation=0.0),
)  # fmt: skip
"""The thesis's layers: 15 epochs, patience 5, batch 3 to 8, learning rates 0.1, 0.01, 0.001; the best had 0.001."""

_WHOLE_RETINA: dict[str, Any] = {"epochs": 50, "patience": 10, "batch_size": 12, "learning_rate": 0.1}
"""The thesis's whole retina; its DeepLabV3 took 15 epochs, patience 5, batch 8."""
_DEEPLAB: dict[str, Any] = {"epochs": 15, "patience": 5, "batch_size": 8}

_BUNDLED: dict[str, Any] = {
    "base_channels": 16, "column_stride": 2, "loss": "entropy-dice", "crop_columns": 128, "crop_rows": 176,
    "n_phantoms": 240, "phantom_share": 0.4, "epochs": 24, "batches_per_epoch": 36, "learning_rate": 2e-3,
    "level_epochs": 8,
    "optimiser": "adamw", "weight_decay": 1e-4, "warmup_epochs": 1, "warmup_from": 1e-4, "poly_exponent": 0.9,
    "patience": None, "max_gradient_norm": 5.0,
    "augmentation": {"horizontal_flip": 0.5, "rotation": 0.0, "noise": 0.3, "blur": 0.2, "brightness": 0.3,
                     "contrast": 0.3, "gamma": 0.5},
}  # fmt: skip

PRESETS: dict[str, dict[str, Any]] = {"published": {}, "bundled": _BUNDLED}
"""``--set preset=bundled`` is what the weights in core/weights were trained with."""


def layers_recipe(settings: Mapping[str, Any]) -> LayersRecipe:
    """The recipe with the user's settings; scheme and network bring the thesis's own, a preset those it names."""
    given = dict(settings)
    name = str(given.pop("preset", "published"))
    if name not in PRESETS:
        raise UsageError(f"There is no preset {name!r}.", remedy=f"Choose one of: {', '.join(PRESETS)}.")
    brought: dict[str, Any] = dict(PRESETS[name])
    if name == "published" and given.get("scheme") == LayerScheme.RETINA.value:
        brought |= _WHOLE_RETINA
        if str(given.get("network", "")).startswith("deeplab"):
            brought |= _DEEPLAB
    return _LAYERS.changed(brought | given)
