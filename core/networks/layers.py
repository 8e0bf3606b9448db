"""The layer networks of paper 004 for grey B-scans: U-Net, and torchvision's FCN and DeepLabV3 on ResNet-50 and -101.

The thesis's U-Net (Ronneberger et al. 2015, arXiv:1505.04597) has four encoder and four decoder blocks joined by a
bridge, with batch normalisation; 64 channels double per block. A smaller one that halves the columns first is what we
bundle: layers are fine in depth and coarse along the retina.
"""

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from core.errors import UsageError
from core.networks.qunet import N_LEVELS, QuNet, QuNetShape
from core.networks.torchvision_schemas import declare_missing_schemas

LayerNetworkName = Literal[
    "unet", "fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101", "qunet"
]
"""As torchvision names them; the thesis's menu says resnet_50 and resnet_101 for the FCNs. qunet is the U-Net++ of
paper 002, whose levels give every assessment its level agreement."""

N_POOLINGS = 4


class LayerShape(BaseModel):
    """The sizes of a layer network; stored in the model card."""

    model_config = ConfigDict(frozen=True)

    network: LayerNetworkName = "unet"
    n_classes: int = Field(ge=2)
    image_px: int = Field(default=256, ge=32)
    base_channels: int = Field(default=64, ge=4)
    """U-Net: channels of the first block, doubled four times."""
    column_stride: int = Field(default=1, ge=1, le=4)
    """U-Net: columns that the first convolution takes together."""
    has_levels: bool = False
    """U-Net: a 1 x 1 head on every decoder block, whose agreement is Q (paper 002); the answer is the last one's."""


class LayerUNet(nn.Module):
    """Z-scored grey B-scans (B, 1, H, W) to logits (B, classes, H, W); H divisible by 16, W by 16 column strides."""

    def __init__(self, shape: LayerShape) -> None:
        super().__init__()
        self.shape = shape
        channels = [shape.base_channels * 2**level for level in range(N_POOLINGS + 1)]
        stride = (1, shape.column_stride)
        self.encoder = nn.ModuleList(
            _block(fan_in, fan_out, stride=stride if level == 0 else (1, 1))
            for level, (fan_in, fan_out) in enumerate(zip([1, *channels], channels, strict=False))
        )
        upwards = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.upsampling = nn.ModuleList(nn.ConvTranspose2d(deep, flat, 2, stride=2) for deep, flat in upwards)
        self.decoder = nn.ModuleList(_block(2 * flat, flat) for _, flat in upwards)
        self.head = nn.Conv2d(channels[0], shape.n_classes, kernel_size=1)
        coarser = upwards[:-1] if shape.has_levels else []
        self.level_heads = nn.ModuleList(nn.Conv2d(flat, shape.n_classes, kernel_size=1) for _, flat in coarser)

    @property
    def n_levels(self) -> int:
        """Levels that answer: one of a network without heads on its coarser blocks."""
        return len(self.level_heads) + 1

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, classes, H, W)."""
        return _at_size(self.head(self._decoded(image)[-1]), image)

    def levels(self, image: Tensor, *, last: int = N_POOLINGS) -> Tensor:
        """Logits (B, L, classes, H, W) of the last so many levels, from the coarsest to the answer."""
        decoded = self._decoded(image)
        heads = [*self.level_heads, self.head]
        chosen = list(zip(heads, decoded[-len(heads) :], strict=True))[-last:]
        return torch.stack([_at_size(head(features), image) for head, features in chosen], dim=1)

    def _decoded(self, image: Tensor) -> list[Tensor]:
        """What each decoder block makes of it, the coarsest first; the last (B, C, H, W / column stride)."""
        features, skipped = image, []
        for level, block in enumerate(self.encoder):
            features = block(functional.max_pool2d(features, 2) if level else features)
            skipped.append(features)
        decoded = []
        for upsample, block, skip in zip(self.upsampling, self.decoder, skipped[-2::-1], strict=True):
            features = block(torch.cat([upsample(features), skip], dim=1))
            decoded.append(features)
        return decoded


class TorchvisionLayers(nn.Module):
    """FCN or DeepLabV3 of torchvision with a first convolution for grey images; logits (B, classes, H, W)."""

    def __init__(self, shape: LayerShape) -> None:
        super().__init__()
        declare_missing_schemas()
        from torchvision.models import segmentation  # noqa: PLC0415 - only once its operators are declared

        self.shape = shape
        build = getattr(segmentation, shape.network)
        self.inner = build(weights=None, weights_backbone=None, num_classes=shape.n_classes, aux_loss=False)
        old = self.inner.backbone.conv1
        self.inner.backbone.conv1 = nn.Conv2d(
            1, old.out_channels, old.kernel_size, stride=old.stride, padding=old.padding, bias=False
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, classes, H, W)."""
        logits: Tensor = self.inner(image)["out"]
        return logits


class LeveledLayers(nn.Module):
    """A QU-Net++ as a layer network: every level while it learns, the last one when it answers."""

    def __init__(self, shape: LayerShape) -> None:
        super().__init__()
        self.shape = shape
        self.inner = QuNet(
            QuNetShape(
                n_classes=shape.n_classes,
                height_px=shape.image_px,
                width_px=shape.image_px,
                base_channels=shape.base_channels,
            )
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, classes, H, W); in training mode those of all levels (B, L, classes, H, W)."""
        levels = self.levels(image)
        return levels if self.training else levels[:, -1]

    @property
    def n_levels(self) -> int:
        """Levels that answer."""
        return N_LEVELS

    def levels(self, image: Tensor, *, last: int = N_LEVELS) -> Tensor:
        """Logits (B, L, classes, H, W) of the last so many levels; of two classes the background's is 0."""
        logits: Tensor = self.inner(image)[:, -last:]  # (B, L, K, H, W)
        return torch.cat([torch.zeros_like(logits), logits], dim=2) if logits.shape[2] == 1 else logits


def _at_size(logits: Tensor, image: Tensor) -> Tensor:
    """Logits (B, classes, h, w) at the size of the image (B, 1, H, W)."""
    if logits.shape[2:] == image.shape[2:]:
        return logits
    return functional.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)


def _block(fan_in: int, fan_out: int, *, stride: tuple[int, int] = (1, 1)) -> nn.Sequential:
    return nn.Sequential(*_convolution(fan_in, fan_out, stride), *_convolution(fan_out, fan_out, (1, 1)))


def _convolution(fan_in: int, fan_out: int, stride: tuple[int, int]) -> tuple[nn.Module, nn.Module, nn.Module]:
    return (
        nn.Conv2d(fan_in, fan_out, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(fan_out),
        nn.ReLU(inplace=True),
    )


def build_layers(shape: LayerShape, *, seed: int) -> LayerUNet | TorchvisionLayers | LeveledLayers:
    """A freshly initialised network; the same seed gives the same weights.

    Raises
    ------
    UsageError
        The U-Net's poolings do not divide the image.
    """
    torch.manual_seed(seed)
    if shape.network == "qunet":
        return LeveledLayers(shape)
    if shape.network != "unet":
        return TorchvisionLayers(shape)
    step = 2**N_POOLINGS * shape.column_stride
    if shape.image_px % step:
        near = max(1, round(shape.image_px / step)) * step
        raise UsageError(
            f"{shape.image_px} px cannot be halved {N_POOLINGS} times after a column stride of {shape.column_stride}.",
            remedy=f"Give --image-size {near}, or another --set column_stride=.",
        )
    return LayerUNet(shape)
