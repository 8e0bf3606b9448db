"""The networks that paper 003 measures itself against and that we train too: three classifiers, two segmenters.

All from random weights, grey input; the comparison's other rivals stand as published figures only.
"""

from typing import Any

import timm
import torch
from segmentation_models_pytorch import PSPNet
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from core.networks.bscan import CmCnnOutput, convolution, resized

CLASSIFIERS = {"VGG16": "vgg16", "MobileNet": "mobilenetv1_100", "InceptionV3": "inception_v3"}
"""The paper's name and timm's."""
SEGMENTERS = ("PSPNet", "UNet")
UNET_CHANNELS = (32, 64, 128, 256, 512)
"""7.76 million parameters: the 29.62 MiB of Table 3."""


class RivalClassifier(nn.Module):
    """A classifier of Table 2 with pooling and one linear layer behind its last map, so that it has a CAM as well."""

    def __init__(self, name: str, n_classes: int) -> None:
        super().__init__()
        network: Any = timm.create_model(CLASSIFIERS[name], pretrained=False, in_chans=1, num_classes=0)
        self.is_plain = name == "VGG16"
        """VGG16's own two large layers behind the features are left out: pooling takes their place."""
        self.backbone: Any = network.features if self.is_plain else network
        self.classifier = nn.Linear(int(network.num_features), n_classes)

    def forward(self, image: Tensor) -> CmCnnOutput:
        """Classify a batch."""
        features = self.backbone(image) if self.is_plain else self.backbone.forward_features(image)
        return CmCnnOutput(self.classifier(features.mean(dim=(2, 3))), None, features)


class RivalSegmenter(nn.Module):
    """A segmenter of Table 3; with ``cam`` the map, brought to the picture's size, is a second channel of the input."""

    def __init__(self, name: str, *, cam: bool) -> None:
        super().__init__()
        n_in = 2 if cam else 1
        self.takes_cam = cam
        self.network = (
            PSPNet("resnet50", encoder_weights=None, in_channels=n_in, classes=1)
            if name == "PSPNet"
            else PlainUnet(n_in)
        )

    def forward(self, image: Tensor, cam: Tensor) -> Tensor:
        """Logits (B, 1, H, W)."""
        seen = torch.cat([image, resized(cam, image)], dim=1) if self.takes_cam else image
        logits: Tensor = self.network(seen)
        return logits


class PlainUnet(nn.Module):
    """U-Net (Ronneberger et al. 2015, arXiv:1505.04597) with padding and batch normalisation."""

    def __init__(self, n_in: int, channels: tuple[int, ...] = UNET_CHANNELS) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            nn.Sequential(convolution(before, after), convolution(after, after))
            for before, after in zip((n_in, *channels), channels, strict=False)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(deep, flat, 2, stride=2)
            for deep, flat in zip(channels[:0:-1], channels[-2::-1], strict=True)
        )
        self.join = nn.ModuleList(
            nn.Sequential(convolution(2 * flat, flat), convolution(flat, flat)) for flat in channels[-2::-1]
        )
        self.head = nn.Conv2d(channels[0], 1, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, 1, H, W)."""
        maps = [self.down[0](image)]
        for block in list(self.down)[1:]:
            maps.append(block(max_pool2d(maps[-1], 2)))
        found = maps.pop()
        for up, join in zip(self.up, self.join, strict=True):
            found = join(torch.cat([up(found), maps.pop()], dim=1))
        logits: Tensor = self.head(found)
        return logits
