"""The recipe `bscan` as published, and what a user may change: the variants of paper 003 and its future work.

Diao et al. 2023, doi:10.1016/j.bspc.2023.104810, section 3.3: Adam at 0.001, batches of 8, 50 epochs for each network,
horizontal flips, the best validation weights kept.
"""

from enum import StrEnum

from pydantic import Field

from core.networks.bscan import BscanShape, MaskGuidance
from core.training.supervised.recipe import Augmentation, SupervisedRecipe

NAME = "bscan"


class Networks(StrEnum):
    """What is trained."""

    TWO_STAGES = "two-stages"
    """CM-CNN, then CAM-UNet, as published."""
    END_TO_END = "end-to-end"
    """One network, several lesions at once: the future work that the paper names."""


class BscanRecipe(SupervisedRecipe):
    """Dual guidance networks (systems.md, section 4)."""

    image_px: int = Field(ge=64, multiple_of=32)
    """The encoder halves it five times, and the decoder must meet each of its sizes again."""
    networks: Networks = Networks.TWO_STAGES
    mask_guidance: MaskGuidance = MaskGuidance.COMPLEMENTARY
    """Table 5: none is ResNet-18, mask is ResNet-18 (mask)."""
    cam_guidance: bool = True
    """Table 6: off is Res18-UNet."""
    encoder_channels: tuple[int, int, int, int] = (64, 128, 256, 512)
    decoder_channels: tuple[int, int, int, int] = (256, 128, 64, 64)
    segmenter_epochs: int | None = Field(default=None, ge=1)
    """Of the second stage; None: as many as of the first."""
    segmenter_batches_per_epoch: int | None = Field(default=None, ge=1)
    """None: as ``batches_per_epoch``."""
    segmenter_starts_from_classifier: bool = False
    """Its encoder begins with the finished classifier's weights, which saves steps; the paper begins anew."""
    least_source_share: float = Field(default=0.0, ge=0, lt=0.5)
    """Images of a rarer source are repeated until they are this share of an epoch; 0: as they are."""

    half_precision_weights: bool = False
    """Write the weights as float16: half the file; they are computed with as float32."""

    def shape(self, n_classes: int) -> BscanShape:
        """The networks' sizes."""
        return BscanShape(
            n_classes=n_classes,
            image_px=self.image_px,
            encoder_channels=self.encoder_channels,
            decoder_channels=self.decoder_channels,
            mask_guidance=self.mask_guidance,
            cam_guidance=self.cam_guidance,
        )

    def second_stage(self) -> "BscanRecipe":
        """The same recipe as the segmentation is fitted by it."""
        return self.model_copy(
            update={
                "epochs": self.segmenter_epochs or self.epochs,
                "batches_per_epoch": self.segmenter_batches_per_epoch or self.batches_per_epoch,
            }
        )


FLIPS = Augmentation(horizontal_flip=0.5, rotation_deg=0.0, rotation=0.0)
"""All that the paper varies."""

BSCAN = BscanRecipe(
    name=NAME, version="1.1", epochs=50, batch_size=8, image_px=512, optimiser="adam", learning_rate=1e-3,
    augmentation=FLIPS,
)  # fmt: skip
