"""The recipe `onh-enface` as a frozen value: the poster's, and the small one of the bundled weights."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from core.networks.onh_enface import OnhShape
from core.scoring.lanes.onh_input import Grouping
from core.training.supervised.recipe import Augmentation, SupervisedRecipe

NAME = "onh-enface"


class OnhRecipe(SupervisedRecipe):
    """Joint grade and masks (Wu et al., paper 000). The poster states network, data and split; the rest is ours."""

    architecture: Literal["fpn", "unet", "classifier"] = "fpn"
    """ "classifier" is the single task: the same encoder and head, no masks."""
    encoder: str = "resnext101_32x8d"
    encoder_channels: tuple[int, ...] = ()
    decoder_channels: int = Field(default=256, ge=8)
    grouping: str = "0|1|2|3"
    """Which neighbouring grades are one class, written like 012|3."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    mask_weight: float = Field(default=1.0, ge=0)
    """Weight of the masks' loss beside that of the grade."""
    deep_supervision: bool = False
    """The decoder answers and learns at four levels; the agreement of the last two is stored with every assessment."""
    line_branch: bool = False
    """Motion is told of whole scan lines instead of pixels."""

    @field_validator("grouping")
    @classmethod
    def _is_grouping(cls, name: str) -> str:
        return Grouping.named(name).name

    @field_validator("encoder_channels", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        """A text as --set gives it: 32,64,128,256."""
        return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value

    @property
    def groups(self) -> Grouping:
        """The classes that the grades are put into."""
        return Grouping.named(self.grouping)

    @property
    def shape(self) -> OnhShape:
        """The network's sizes."""
        return OnhShape(
            architecture=self.architecture,
            encoder=self.encoder,
            encoder_channels=self.encoder_channels,
            decoder_channels=self.decoder_channels,
            n_grades=self.groups.n_classes,
            image_px=self.image_px,
            dropout=self.dropout,
            deep_supervision=self.deep_supervision,
            line_branch=self.line_branch,
        )


ONH_ENFACE = OnhRecipe(
    name=NAME, version="1.1", epochs=100, batch_size=8, image_px=512, optimiser="adam", learning_rate=1e-4, patience=15,
    test_share=0.15, validation_share=0.15, augmentation=Augmentation(vertical_flip=0.5, rotation=0.0),
)  # fmt: skip
"""FPN on ResNeXt-101; the shares of 905, 193 and 193 images. Epochs, batch, size and rate are ours: the poster names
none. No rotation: a break lies along the scan lines. 1.0 had neither deep supervision nor the branch for lines."""

BUNDLED_SETTINGS: dict[str, Any] = {
    "encoder": "tu-resnet18", "encoder_channels": (16, 32, 64, 128), "decoder_channels": 64,
    "image_px": 128, "deep_supervision": True, "line_branch": True, "batch_size": 8, "learning_rate": 2e-3,
    "epochs": 8, "cosine_epochs": 8, "patience": None,
}  # fmt: skip
"""What one thread of a small machine trains in ten minutes: ResNet-18 at a quarter of its width. The bundled weights
were made so."""


def onh_recipe(settings: Mapping[str, Any]) -> OnhRecipe:
    """The recipe with a user's settings."""
    return ONH_ENFACE.changed(settings)
