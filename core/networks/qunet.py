"""QU-Net++: a four-level U-Net++ with deep supervision, and the U-Net it is measured against.

Roychowdhury 2021, "QU-net++: Image Quality Detection Framework for Segmentation of Medical 3D Image Stacks", section
II-C and Fig. 4, on Zhou et al. 2018 (U-Net++, doi:10.1007/978-3-030-00889-5_1). The paper prints the number of
parameters of both networks, and they settle what its text leaves open: 7,767,457 is a U-Net of 32 to 512 channels with
batch normalisation after both convolutions of all five encoder stages; 9,045,540 is a U-Net++ of the same channels
with it in X(1,1) to X(4,1) only, transposed convolutions of 2 x 2, and four 1 x 1 heads on the *top row*, X(1,2) to
X(1,5). (Running means and variances are counted, as Keras does.) Heads on the decoder's diagonal, X(4,2) to X(1,5),
whose outputs have to be resized as the text describes, would make 9,045,892; they can be chosen.
"""

from enum import StrEnum
from typing import Final

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from core.errors import UsageError

N_LEVELS: Final = 4
"""Poolings, and outputs under deep supervision."""
DROPOUT: Final = 0.5
"""At X(4,1) and X(5,1); the paper names no rate, this is that of the U-Net it builds on."""


class Heads(StrEnum):
    """Where the four levels read their output."""

    TOP_ROW = "top-row"
    """X(1,2) to X(1,5): full resolution at every level; the published number of parameters."""
    DIAGONAL = "diagonal"
    """X(4,2) to X(1,5): each a half of the resolution of the next, resized to the image."""


class QuNetShape(BaseModel):
    """The sizes of a QU-Net++; stored in the model card."""

    model_config = ConfigDict(frozen=True)

    n_classes: int = Field(default=2, ge=2)
    """Background and the classes to find. Two classes have one output (a sigmoid), as in the paper."""
    height_px: int = Field(default=256, ge=16)
    width_px: int = Field(default=256, ge=16)
    base_channels: int = Field(default=32, ge=2)
    heads: Heads = Heads.TOP_ROW
    nested: bool = True
    """False: the plain U-Net of the comparison, which has one level and so no agreement of levels."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the five stages, from full resolution down."""
        return tuple(self.base_channels * 2**stage for stage in range(N_LEVELS + 1))

    @property
    def n_outputs(self) -> int:
        """Maps per level: one where there are two classes."""
        return 1 if self.n_classes == 2 else self.n_classes  # noqa: PLR2004 - a sigmoid says both


class QuNet(nn.Module):
    """Normalised grey images (B, 1, H, W) to logits (B, L, K, H, W): L levels (4, or 1 of the U-Net), K maps."""

    def __init__(self, shape: QuNetShape) -> None:
        super().__init__()
        check_shape(shape)
        self.shape = shape
        channels = shape.channels
        stages = zip((1, *channels), channels, strict=False)
        self.encoder = nn.ModuleList(_encoder_stage(shape, *fans, stage) for stage, fans in enumerate(stages))
        self.upsampling = nn.ModuleDict()
        self.decoder = nn.ModuleDict()
        for row, column in _decoder_nodes(nested=shape.nested):
            flat, deep = channels[row], channels[row + 1]
            n_skips = column if shape.nested else 1
            self.upsampling[f"{row}-{column}"] = nn.ConvTranspose2d(deep, flat, 2, stride=2)
            self.decoder[f"{row}-{column}"] = _convolutions((n_skips + 1) * flat, flat, normalised=False)
        self.heads = nn.ModuleList(nn.Conv2d(channels[row], shape.n_outputs, 1) for row, _ in _head_nodes(shape))
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, L, K, H, W) of every level, at the image's size."""
        nodes: dict[tuple[int, int], Tensor] = {}
        features = image
        for row, stage in enumerate(self.encoder):
            features = stage(features if row == 0 else functional.max_pool2d(features, 2))
            nodes[row, 0] = features  # (B, C_row, H / 2**row, W / 2**row)
        for row, column in _decoder_nodes(nested=self.shape.nested):
            below = nodes[row + 1, column - 1] if self.shape.nested else nodes[row + 1, N_LEVELS - 1 - row]
            upwards = self.upsampling[f"{row}-{column}"](below)
            skips = [nodes[row, c] for c in (range(column) if self.shape.nested else (0,))]
            nodes[row, column] = self.decoder[f"{row}-{column}"](torch.cat([upwards, *skips], dim=1))
        levels = [
            _at_size(head(nodes[node]), image.shape[-2:])
            for head, node in zip(self.heads, _head_nodes(self.shape), strict=True)
        ]
        return torch.stack(levels, dim=1)  # (B, L, K, H, W)


def check_shape(shape: QuNetShape) -> None:
    """Refuse an image size that four poolings do not divide; the message names the nearest that they do."""
    stride = 2**N_LEVELS
    if shape.height_px % stride or shape.width_px % stride:
        near = tuple(max(1, round(size / stride)) * stride for size in (shape.height_px, shape.width_px))
        raise UsageError(
            f"{shape.height_px} x {shape.width_px} px cannot be halved {N_LEVELS} times.",
            remedy=f"Give multiples of {stride}, for example {near[0]} x {near[1]}.",
        )


def build_qunet(shape: QuNetShape, *, seed: int) -> QuNet:
    """A freshly initialised network; the same seed gives the same weights."""
    torch.manual_seed(seed)
    return QuNet(shape)


def n_parameters(network: nn.Module) -> int:
    """Weights and running statistics, as Keras and so the paper counts them."""
    return sum(value.numel() for value in network.state_dict().values() if value.is_floating_point())


def level_probabilities(logits: Tensor) -> Tensor:
    """Probabilities (..., C, H, W) of the classes from logits (..., K, H, W): a sigmoid of one map, else a softmax."""
    if logits.shape[-3] == 1:
        inside = torch.sigmoid(logits)
        return torch.cat([1 - inside, inside], dim=-3)
    return torch.softmax(logits, dim=-3)


def _decoder_nodes(*, nested: bool) -> list[tuple[int, int]]:
    """Row and column, from 0, of every node behind the encoder's, in the order in which they can be computed.

    The paper's X(i,j) is row i - 1, column j - 1. A U-Net has the last node of each row only.
    """
    if not nested:
        return [(row, N_LEVELS - row) for row in reversed(range(N_LEVELS))]
    return [(row, column) for column in range(1, N_LEVELS + 1) for row in range(N_LEVELS + 1 - column)]


def _head_nodes(shape: QuNetShape) -> list[tuple[int, int]]:
    """The nodes that levels 1 to 4 read; a U-Net has the last only."""
    if not shape.nested:
        return [(0, N_LEVELS)]
    if shape.heads is Heads.TOP_ROW:
        return [(0, level) for level in range(1, N_LEVELS + 1)]
    return [(N_LEVELS - level, level) for level in range(1, N_LEVELS + 1)]


def _encoder_stage(shape: QuNetShape, fan_in: int, fan_out: int, stage: int) -> nn.Sequential:
    """Two convolutions; dropout in the two deepest stages, and in a U-Net++ no normalisation in the very deepest."""
    normalised = stage < N_LEVELS or not shape.nested
    layers = _convolutions(fan_in, fan_out, normalised=normalised)
    if stage >= N_LEVELS - 1:
        layers.append(nn.Dropout(DROPOUT))
    return layers


def _convolutions(fan_in: int, fan_out: int, *, normalised: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (fan_in, fan_out):
        layers.append(nn.Conv2d(channels, fan_out, kernel_size=3, padding=1))
        if normalised:
            layers.append(nn.BatchNorm2d(fan_out))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _at_size(logits: Tensor, size: torch.Size) -> Tensor:
    if logits.shape[-2:] == size:
        return logits
    return functional.interpolate(logits, size=tuple(size), mode="bilinear", align_corners=False)


def _initialise(module: nn.Module) -> None:
    """He et al. 2015: the decoder has no normalisation to make up for a bad scale."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
