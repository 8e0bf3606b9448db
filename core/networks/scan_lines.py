"""Tells per scan line whether the eye moved: how well each line agrees with those above it, shifted sideways.

A break is one to a few lines high and runs across the whole field, so that a decoder which answers at a quarter of the
resolution cannot place it, while a line's agreement with its neighbours is a mean over all its pixels. The correlations
at several shifts are those of FlowNet's correlation layer (Dosovitskiy et al. 2015, doi:10.1109/ICCV.2015.316), in one
direction.
"""

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

LINES_ABOVE: Final = (1, 2, 3)
"""A line is compared with the first, second and third above it: breaks are about so high."""
MOST_SHIFT_PX: Final = 6
"""To either side, in pixels of the network's input: 0.28 mm of a 6 mm field at 128 px, a small saccade."""
_SMOOTHED_PX, _LOCAL_PX = 3, 15
"""Along the line: speckle is smoothed away, and the light around taken off, so that structure is left to compare."""
_OWN: Final = 3
"""What is told of a line beside the correlations: its mean, its spread, its step from the line above."""


class LineBranch(nn.Module):
    """Normalised grey images (B, 1, H, W) to one logit of motion per scan line, (B, H)."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        n_features = len(LINES_ABOVE) * (2 * MOST_SHIFT_PX + 1) + _OWN
        self.across = nn.Sequential(
            nn.InstanceNorm1d(n_features, affine=True),  # a break stands out against the image's own lines
            nn.Conv1d(n_features, channels, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.Conv1d(channels, channels, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.Conv1d(channels, 1, kernel_size=3, padding=1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, H)."""
        with torch.no_grad():  # the features have no weights
            features = line_features(image)  # (B, F, H)
        logits: Tensor = self.across(features)
        return logits[:, 0]


def line_features(image: Tensor) -> Tensor:
    """What is known of each line of images (B, 1, H, W): correlations with lines above, mean, spread, step; (B, F, H).

    A line without one so far above is compared with the first.
    """
    step = functional.pad((image[:, :, 1:] - image[:, :, :-1]).abs().mean(dim=3), (1, 0), mode="replicate")
    own = (image.mean(dim=3), image.std(dim=3), step)  # each (B, 1, H)
    return torch.cat([torch.stack(list(_correlations(image)), dim=1), *own], dim=1)


def _correlations(image: Tensor) -> Iterator[Tensor]:
    """Of every line with each of those above at each shift, (B, H), about -1..1."""
    smooth = functional.avg_pool2d(image, (1, _SMOOTHED_PX), stride=1, padding=(0, _SMOOTHED_PX // 2))
    structure = smooth - functional.avg_pool2d(smooth, (1, _LOCAL_PX), stride=1, padding=(0, _LOCAL_PX // 2))
    structure = structure / (structure.square().mean(dim=3, keepdim=True) + 1e-3).sqrt()  # a flat line: no structure
    width = image.shape[3]
    for n_lines in LINES_ABOVE:
        above = functional.pad(structure, (0, 0, n_lines, 0), mode="replicate")[:, :, :-n_lines]
        for shift in range(-MOST_SHIFT_PX, MOST_SHIFT_PX + 1):
            first, end = max(0, shift), width + min(0, shift)
            overlap = structure[..., first:end] * above[..., first - shift : end - shift]
            yield overlap.mean(dim=3)[:, 0]
