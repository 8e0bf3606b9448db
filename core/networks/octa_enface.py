"""The joint OCTA en-face network: one shared encoder; heads for grade, artifact masks, FAZ mask and modality.

No pretrained weights are ever fetched: the encoder is made with ``pretrained=False``.
"""

from typing import NamedTuple

import timm
import torch
from pydantic import BaseModel, ConfigDict
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from timm.models import FeatureInfo
from torch import Tensor, nn

from core.networks.faz_refiner import FazRefiner
from core.vocabulary import OCTA_ARTIFACTS, CoipsGrade


class OctaEnfaceShape(BaseModel):
    """The sizes of the network; stored in the model card, so that the weights alone need no code to be rebuilt.

    The default encoder is timm's ResNet-18 at half width with the plain 7 x 7 stem. ResNet-10-T at half width with a
    thinner decoder left the training images themselves at a FAZ Dice of about 0.91 (docs/experiments.md).
    """

    model_config = ConfigDict(frozen=True)

    encoder: str = "resnet18"
    """A ResNet that timm knows (its stem, strides and channels are set here)."""
    encoder_channels: tuple[int, int, int, int] = (32, 64, 128, 256)
    decoder_channels: tuple[int, int, int, int] = (128, 64, 32, 24)
    refiner_channels: tuple[int, ...] = ()
    """Of the second look at the FAZ (core.networks.faz_refiner); empty: there is none."""
    finder_channels: tuple[int, ...] = ()
    """Of what finds the FAZ in the middle of the scan (core.scoring.lanes.faz_looks); empty: there is none."""
    finder_fold: int = 1
    finder_px: int = 96
    """Side of what the finder sees."""


class OctaEnfaceOutput(NamedTuple):
    """What one forward pass gives; logits throughout."""

    grade: Tensor  # (B, 3), in CoipsGrade order; trained on simulated artifacts alone (core.scoring.lanes.scan_heads)
    is_octa: Tensor  # (B,)
    artifacts: Tensor  # (B, 4, H/2, W/2), in OCTA_ARTIFACTS order
    faz: Tensor  # (B, H/2, W/2)
    large_vessels: Tensor  # (B, H/2, W/2)
    features: Tensor  # (B, C, H/32, W/32), the encoder's last map: what Grad-CAM weighs


class OctaEnfaceNetwork(nn.Module):
    """Unet on a small ResNet whose masks come at stride 2; grade and modality by global pooling and one layer each.

    The decoder stops at stride 2 (four blocks): the last block of a Unet costs a third of the whole pass, and
    masks are resized to the input's own size anyway.

    Input: float32 (B, 1, H, W), normalised by core.scoring.lanes.canvas; H and W divisible by 32.
    """

    def __init__(self, shape: OctaEnfaceShape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = timm.create_model(
            shape.encoder,
            pretrained=False,
            features_only=True,
            in_chans=1,
            channels=shape.encoder_channels,
            stem_type="",
        )
        info = self.encoder.feature_info
        assert isinstance(info, FeatureInfo)
        channels = list(info.channels())
        self.decoder = UnetDecoder(
            [1, *channels],
            shape.decoder_channels,
            n_blocks=len(shape.decoder_channels),
            interpolation_mode="bilinear",
        )
        pooled, decoded = channels[-1], shape.decoder_channels[-1]
        self.grade_head = nn.Linear(pooled, len(CoipsGrade))
        self.modality_head = nn.Linear(pooled, 1)
        self.artifact_head = nn.Conv2d(decoded, len(OCTA_ARTIFACTS), kernel_size=3, padding=1)
        self.line_head = LineHead(decoded)
        self.faz_head = nn.Conv2d(decoded, 1, kernel_size=3, padding=1)
        self.large_vessel_head = nn.Conv2d(decoded, 1, kernel_size=3, padding=1)
        self.faz_refiner = FazRefiner(shape.refiner_channels) if shape.refiner_channels else None
        self.faz_finder = FazRefiner(shape.finder_channels, shape.finder_fold) if shape.finder_channels else None

    def refine_with(self, refiner: FazRefiner) -> None:
        """Take a refiner that was trained on this network's coarse zones."""
        self.faz_refiner = refiner
        self.shape = self.shape.model_copy(update={"refiner_channels": refiner.channels})

    def find_with(self, finder: FazRefiner, size_px: int) -> None:
        """Take a finder of the FAZ that sees the middle of scans at ``size_px``."""
        self.faz_finder = finder
        update = {"finder_channels": finder.channels, "finder_fold": finder.fold, "finder_px": size_px}
        self.shape = self.shape.model_copy(update=update)

    def forward(self, image: Tensor) -> OctaEnfaceOutput:
        """Score normalised images (B, 1, H, W) in one pass."""
        maps = self.encoder(image)  # strides 2, 4, 8, 16, 32
        features = maps[-1]  # (B, C, H/32, W/32)
        pooled = features.mean(dim=(2, 3))  # (B, C)
        decoded = self.decoder([image, *maps])  # (B, D, H/2, W/2)
        return OctaEnfaceOutput(
            grade=self.grade_head(pooled),
            is_octa=self.modality_head(pooled).squeeze(1),
            artifacts=self._artifacts(decoded),
            faz=self.faz_head(decoded).squeeze(1),
            large_vessels=self.large_vessel_head(decoded).squeeze(1),
            features=features,
        )

    def _artifacts(self, decoded: Tensor) -> Tensor:
        """Artifact logits (B, 4, H/2, W/2); motion's are those of the cell and of its line together."""
        local = self.artifact_head(decoded)
        motion = local[:, :1] + self.line_head(decoded)
        return torch.cat([motion, local[:, 1:]], dim=1)


class LineHead(nn.Module):
    """What whole scan lines say about motion: eye movement hits lines, and a shifted band shows only across its width.

    Features (B, D, H, W) to logits (B, 1, H, 1): mean and spread of each line, then two small layers down the lines.
    """

    def __init__(self, n_features: int, n_hidden: int = 24) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2 * n_features, n_hidden, kernel_size=(7, 1), padding=(3, 0)),
            nn.ReLU(inplace=True),
            nn.Conv2d(n_hidden, 1, kernel_size=(7, 1), padding=(3, 0)),
        )

    def forward(self, decoded: Tensor) -> Tensor:
        """Logits of each line."""
        mean = decoded.mean(dim=3, keepdim=True)
        spread = (decoded - mean).abs().mean(dim=3, keepdim=True)
        logits: Tensor = self.layers(torch.cat([mean, spread], dim=1))
        return logits


def build_octa_enface(shape: OctaEnfaceShape | None = None) -> OctaEnfaceNetwork:
    """A freshly initialised network in channels-last layout (1.6 times as fast as the default on CPU, measured)."""
    network = OctaEnfaceNetwork(shape or OctaEnfaceShape())
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
