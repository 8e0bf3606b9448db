"""A small fully convolutional network that finds lettering burned into a scan."""

import torch
from torch import nn

DILATIONS = (1, 1, 1, 2, 2, 4)
"""Spacing of each layer's 3 x 3 taps; stored beside the weights, so that whoever runs them needs no torch."""
CHANNELS = (1, 12, 24, 32, 32, 32, 32)


class TextDetector(nn.Module):
    """Logit per 4 x 4 pixel cell that the cell lies in a line of text; receptive field 86 pixels.

    Small enough for intake to run it in NumPy (core.intake.burned_in_text), where torch must not be loaded.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(fan_in, fan_out, 3, padding=dilation, dilation=dilation)
            for fan_in, fan_out, dilation in zip(CHANNELS[:-1], CHANNELS[1:], DILATIONS, strict=True)
        )
        self.head = nn.Conv2d(CHANNELS[-1], 1, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits (B, 1, H/4, W/4) of grey images (B, 1, H, W) in [-0.5, 0.5]; H and W are multiples of 4."""
        features = image
        for number, layer in enumerate(self.layers):
            features = torch.relu(layer(features))  # (B, C, h, w)
            if number < 2:  # noqa: PLR2004 - two poolings make the cell of 4 pixels
                features = nn.functional.max_pool2d(features, 2)
        logits: torch.Tensor = self.head(features)
        return logits
