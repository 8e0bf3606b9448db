"""The second look at the FAZ: a small Unet on a region cut around the coarse zone, at one scale for every FAZ."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, pixel_shuffle, pixel_unshuffle

REFINER_CHANNELS = (16, 32, 48, 64, 96)
"""Half a million parameters; about a fifth of the joint network's time on a CPU core."""


class FazRefiner(nn.Module):
    """Unet (Ronneberger et al. 2015, arXiv:1505.04597) with batch normalisation; masks at the region's own size.

    With ``fold`` 2 its first level works on cells of 2 x 2 pixels, each pixel a channel, and gives four logits per
    cell (Shi et al. 2016, arXiv:1609.05158): a finer region for the time of a coarse one.

    Input: float32 (B, 2, H, W) of core.scoring.lanes.faz_region: normalised image and coarse zone; H and W divisible
    by ``fold`` and by 2 per level but the first. Output: logits (B, H, W).
    """

    def __init__(self, channels: tuple[int, ...] = REFINER_CHANNELS, fold: int = 1) -> None:
        super().__init__()
        self.channels, self.fold = channels, fold
        widths = (2 * fold**2, *channels)
        self.down = nn.ModuleList(_block(before, after) for before, after in zip(widths, channels, strict=False))
        self.up = nn.ModuleList(
            _block(below + beside, beside) for below, beside in zip(channels[:0:-1], channels[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(channels[0], fold**2, kernel_size=1)

    def forward(self, regions: Tensor) -> Tensor:
        """Score regions in one pass."""
        cells = pixel_unshuffle(regions, self.fold) if self.fold > 1 else regions
        maps = [self.down[0](cells)]
        for block in list(self.down)[1:]:
            maps.append(block(max_pool2d(maps[-1], 2)))
        found = maps.pop()
        for block in self.up:
            wide = interpolate(found, scale_factor=2.0, mode="nearest")
            found = block(torch.cat([wide, maps.pop()], dim=1))
        logits: Tensor = self.head(found)
        return (pixel_shuffle(logits, self.fold) if self.fold > 1 else logits).squeeze(1)


def _block(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
        nn.Conv2d(n_out, n_out, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )
