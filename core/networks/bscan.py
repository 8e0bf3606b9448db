"""The dual guidance networks of B-scans: CM-CNN says what is seen, CAM-UNet where; their ablations by configuration.

Diao et al. 2023, "Classification and segmentation of OCT images for age-related macular degeneration based on dual
guidance networks", doi:10.1016/j.bspc.2023.104810, sections 2.2 to 2.4. What the text leaves open is settled by the
sizes it prints, which are MiB of float32: 60.63 is a ResNet-18 whose last map passes a 3 x 3 convolution from 1024 to
512 channels before the classifier.
"""

from enum import StrEnum
from typing import Any, NamedTuple

import timm
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate

STRIDE = 32
"""Of the encoder's last map: 16 x 16 at 512 px."""


class MaskGuidance(StrEnum):
    """How the coarse lesion mask S guides the classifier (Table 5)."""

    NONE = "none"
    """ResNet-18 alone."""
    MASK = "mask"
    """A S: ResNet-18 (mask)."""
    COMPLEMENTARY = "complementary"
    """A S and A (1 - S): CM-CNN."""


class BscanShape(BaseModel):
    """The sizes of the networks and which variants they are; stored in the model card."""

    model_config = ConfigDict(frozen=True)

    n_classes: int = Field(ge=2)
    """Classes of the classifier, the normal one among them."""
    image_px: int = Field(default=512, ge=64)
    """Height and width of the input; divisible by 32."""
    encoder_channels: tuple[int, int, int, int] = (64, 128, 256, 512)
    """Of the four residual layers; these are ResNet-18's."""
    decoder_channels: tuple[int, int, int, int] = (256, 128, 64, 64)
    """Of the four levels that take a skip, from the deepest up; these are the skips' own."""
    mask_guidance: MaskGuidance = MaskGuidance.COMPLEMENTARY
    cam_guidance: bool = True
    """False: Res18-UNet (Table 6)."""


class CmCnnOutput(NamedTuple):
    """What the classifier gives."""

    class_logits: Tensor  # (B, K)
    mask_logits: Tensor | None  # (B, 1, H/32, W/32), the coarse lesion mask S; None without mask guidance
    features: (
        Tensor  # (B, C, H/32, W/32), F: pooled and weighed by one linear layer, so that Grad-CAM has a closed form
    )


class CmCnn(nn.Module):
    """Complementary mask-guided classifier (section 2.2). Input: float32 (B, 1, H, W), grey levels 0 to 1."""

    def __init__(self, shape: BscanShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.encoder_channels[-1]
        self.encoder = resnet18(shape.encoder_channels)
        n_parts = 2 if shape.mask_guidance is MaskGuidance.COMPLEMENTARY else 1
        guided = shape.mask_guidance is not MaskGuidance.NONE
        self.mask_head = nn.Conv2d(width, 1, kernel_size=1) if guided else None
        self.fuse = convolution(n_parts * width, width) if guided else None
        self.classifier = nn.Linear(width, shape.n_classes)

    def forward(self, image: Tensor) -> CmCnnOutput:
        """Classify a batch."""
        features = self.encoder(image)[-1]  # A: (B, C, H/32, W/32)
        mask_logits = None
        if self.mask_head is not None and self.fuse is not None:
            mask_logits = self.mask_head(features)
            mask = torch.sigmoid(mask_logits)  # S
            parts = [features * mask]
            if self.shape.mask_guidance is MaskGuidance.COMPLEMENTARY:
                parts.append(features * (1 - mask))
            features = self.fuse(torch.cat(parts, dim=1))  # F
        return CmCnnOutput(self.classifier(features.mean(dim=(2, 3))), mask_logits, features)


def activation_maps(features: Tensor, class_weights: Tensor) -> Tensor:
    """Grad-CAM of every class, clipped at 0 and with a greatest value of 1; (B, C, h, w), (K, C) to (B, K, h, w).

    One linear layer follows the pooling, so the gradient is that layer's weight everywhere (core.scoring.torch_backend.
    grad_cam says why). A class that no place speaks for has a map of zeros: it then guides nothing.
    """
    maps = torch.einsum("bchw,kc->bkhw", features, class_weights).clamp(min=0)
    peak = maps.amax(dim=(2, 3), keepdim=True)
    return maps / peak.clamp(min=1e-6)


def guiding_map(output: CmCnnOutput, class_weights: Tensor, normal: int | None) -> Tensor:
    """The map (B, 1, h, w) that guides the segmentation: that of the likeliest class that is not normal.

    Where the classifier is right about an ill scan it is the predicted class's. ``normal`` None: every class counts.
    """
    logits = output.class_logits.clone()
    if normal is not None:
        logits[:, normal] = -torch.inf
    chosen = logits.argmax(dim=1)
    maps = activation_maps(output.features, class_weights)
    return maps[torch.arange(len(chosen), device=chosen.device), chosen][:, None]


class CamUnet(nn.Module):
    """Class activation map-guided U-Net (section 2.4): logits (B, N, H, W) of lesions.

    At every level the map, brought to the level's size, multiplies the encoder's features, and the product is added to
    them. Four levels upsample by a 2 x 2 transposed convolution and take their skip; a fifth brings the picture's size.
    Input: image (B, 1, H, W) and map (B, 1, H/32, W/32).
    """

    def __init__(self, shape: BscanShape, n_masks: int = 1) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = resnet18(shape.encoder_channels)
        widths = _widths(self.encoder)  # strides 2, 4, 8, 16, 32
        below = (widths[-1], *shape.decoder_channels)
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, deep, 2, stride=2) for deep in below[:-1])
        self.join = nn.ModuleList(
            nn.Sequential(convolution(deep + skip, width), convolution(width, width))
            for deep, skip, width in zip(below[:-1], widths[-2::-1], below[1:], strict=True)
        )
        last = below[-1] // 2
        self.last = nn.ConvTranspose2d(below[-1], last, 2, stride=2)
        self.head = nn.Sequential(nn.BatchNorm2d(last), nn.ReLU(inplace=True), nn.Conv2d(last, n_masks, kernel_size=1))

    def forward(self, image: Tensor, cam: Tensor) -> Tensor:
        """Segment a batch."""
        return self.decode(self.encoder(image), cam)

    def decode(self, maps: list[Tensor], cam: Tensor) -> Tensor:
        """Logits from the encoder's maps, each guided by the map first."""
        guided = [self._guided(features, cam) for features in maps]
        found = guided.pop()
        for up, join in zip(self.up, self.join, strict=True):
            found = join(torch.cat([up(found), guided.pop()], dim=1))
        logits: Tensor = self.head(self.last(found))
        return logits

    def _guided(self, features: Tensor, cam: Tensor) -> Tensor:
        if not self.shape.cam_guidance:
            return features
        return features * resized(cam, features) + features


class GuidedSegmenter(nn.Module):
    """CAM-UNet behind a finished CM-CNN that guides it and learns nothing any more: the second stage of the training.

    ``guide`` gives a CmCnnOutput and ends in the linear layer ``classifier``; ``normal`` is the index of the normal
    class, None where there is none.
    """

    def __init__(self, guide: nn.Module, segmenter: nn.Module, normal: int | None) -> None:
        super().__init__()
        self.guide: Any = guide.requires_grad_(requires_grad=False)
        self.segmenter = segmenter
        self.normal = normal

    def train(self, mode: bool = True) -> "GuidedSegmenter":  # torch's signature
        """The guide keeps its running statistics."""
        super().train(mode)
        self.guide.eval()
        return self

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, N, H, W)."""
        with torch.no_grad():
            cam = guiding_map(self.guide(image), self.guide.classifier.weight, self.normal)
        logits: Tensor = self.segmenter(image, cam)
        return logits


class JointOutput(NamedTuple):
    """What the end-to-end network gives."""

    class_logits: Tensor  # (B, L), one per lesion, independent of each other: none is normal, several may be there
    mask_logits: Tensor  # (B, L, H/32, W/32), a coarse mask of each lesion
    lesion_logits: Tensor  # (B, L, H, W)
    maps: Tensor  # (B, L, H/32, W/32), activation maps 0 to 1


class JointNetwork(nn.Module):
    """Both tasks in one network, several lesions at once: what the paper names as its future work (section 5).

    One encoder. The coarse masks of all lesions together guide the classifier as in CM-CNN; the lesions' activation
    maps, weighed by the lesions' probabilities, guide the decoder of CAM-UNet in the same pass, gradients included.
    ``shape.n_classes`` counts the normal class, which has no output of its own.
    """

    def __init__(self, shape: BscanShape) -> None:
        super().__init__()
        self.shape = shape
        n_lesions, width = shape.n_classes - 1, shape.encoder_channels[-1]
        self.mask_head = nn.Conv2d(width, n_lesions, kernel_size=1)
        self.fuse = convolution(2 * width, width)
        self.classifier = nn.Linear(width, n_lesions)
        self.unet = CamUnet(shape, n_lesions)

    def forward(self, image: Tensor) -> JointOutput:
        """Classify and segment a batch in one pass."""
        maps = self.unet.encoder(image)
        mask_logits = self.mask_head(maps[-1])
        mask = torch.sigmoid(mask_logits).amax(dim=1, keepdim=True)
        features = self.fuse(torch.cat([maps[-1] * mask, maps[-1] * (1 - mask)], dim=1))
        class_logits = self.classifier(features.mean(dim=(2, 3)))
        lesions = activation_maps(features, self.classifier.weight)
        cam = (lesions * torch.sigmoid(class_logits)[:, :, None, None]).amax(dim=1, keepdim=True)
        return JointOutput(class_logits, mask_logits, self.unet.decode(maps, cam), lesions)


def resnet18(channels: tuple[int, int, int, int]) -> nn.Module:
    """ResNet-18 (He et al. 2016, arXiv:1512.03385) of these widths: grey pictures to maps at strides 2 to 32."""
    return timm.create_model(
        "resnet18", pretrained=False, features_only=True, in_chans=1, channels=channels, stem_type=""
    )


def convolution(n_in: int, n_out: int) -> nn.Sequential:
    """3 x 3, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)
    )


def resized(cam: Tensor, features: Tensor) -> Tensor:
    """A map brought to the height and width of other features: averaged where it is larger, bilinear where smaller."""
    size = (int(features.shape[-2]), int(features.shape[-1]))
    if cam.shape[-2] > size[0]:
        return adaptive_avg_pool2d(cam, size)
    return interpolate(cam, size=size, mode="bilinear", align_corners=False)


def size_mib(network: nn.Module) -> float:
    """Size of the parameters in MiB of float32, as the paper's tables count ("#Param (M)")."""
    return sum(parameter.numel() for parameter in network.parameters()) * 4 / 2**20


def _widths(encoder: nn.Module) -> list[int]:
    info = encoder.feature_info
    assert not isinstance(info, Tensor | nn.Module)
    return list(info.channels())
