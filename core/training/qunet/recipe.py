"""The QU-Net++ recipe as the paper prints it, and how a user changes it."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from core.networks.qunet import Heads, QuNetShape
from core.scoring.lanes.level_output import Region
from core.training.supervised.recipe import Augmentation, SupervisedRecipe

QUNET = "qunet"


class QuNetAugmentation(Augmentation):
    """The paper's variations: "rotation, width, height and shear in range 0.2 with disabled vertical flipping"."""

    rotation_deg: float = Field(default=11.5, ge=0, le=180)
    """0.2 radians."""
    shift: float = Field(default=0.2, ge=0, lt=1)
    """Moved in either direction by up to this share of width and height."""
    shear: float = Field(default=0.2, ge=0, lt=1)
    """Columns moved by up to this share of their distance from the centre."""


class QuNetRecipe(SupervisedRecipe):
    """Sections II-C and III of the paper."""

    base_channels: int = Field(default=32, ge=2)
    heads: Heads = Heads.TOP_ROW
    nested: bool = True
    """False: the U-Net of the comparison."""
    region: Region = Region.BAND
    """band: the intra-retinal band of B-scans; field: en-face images without their black border."""
    dice_smoothing: float = Field(default=1.0, gt=0)
    """Added above and below in eq. 1."""
    augmentation: QuNetAugmentation = QuNetAugmentation()
    q0: float = Field(default=0.8, ge=0, le=1)
    """Below it an image lacks quality training. The paper prints no value."""
    epsilon: float = Field(default=1.0, ge=0)
    """Grey levels in (CoV, mean) within which two images count as the same. The paper prints no value."""
    max_initial: int = Field(default=9, ge=1)
    """"Less than 10 images per set"."""

    def shape(self, n_classes: int) -> QuNetShape:
        """The network's sizes for so many classes, background among them."""
        return QuNetShape(
            n_classes=n_classes,
            height_px=self.image_px,
            width_px=self.image_px,
            base_channels=self.base_channels,
            heads=self.heads,
            nested=self.nested,
        )


_PUBLISHED = QuNetRecipe(
    name=QUNET, epochs=60, batch_size=20, image_px=256, optimiser="adam", learning_rate=1e-4, keep="last",
)  # fmt: skip


def qunet_recipe(settings: Mapping[str, Any]) -> QuNetRecipe:
    """The published recipe with the user's settings."""
    return _PUBLISHED.changed(settings)
