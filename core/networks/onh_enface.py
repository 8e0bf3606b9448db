"""Networks for en-face scans of the optic nerve head: FPN or U-Net with a classification head, or the encoder alone.

The poster's pipeline (Wu et al., paper 000, Figure 2), with two additions that a recipe may ask for: deep supervision,
whose levels tell by their agreement which scans lack training (paper 002), and motion told per scan line. No pretrained
weights are ever fetched.
"""

from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Literal, NamedTuple

import segmentation_models_pytorch as smp
import torch
from pydantic import BaseModel, ConfigDict, Field
from segmentation_models_pytorch.base.heads import ClassificationHead, SegmentationHead
from torch import Tensor, nn
from torch.nn import functional

from core.errors import UsageError
from core.networks.scan_lines import LineBranch

N_MASKS = 5
"""Background, optic nerve head, shallow and dark signal loss, motion: exclusive, one softmax."""
MOTION = 4
"""Motion's place among them."""
N_LEVELS = 4
"""Of a decoder under deep supervision, the last one's answer among them."""
STRIDE = 32
"""Input sides must be divisible by this."""


class OnhShape(BaseModel):
    """What the network is made of; stored in the model card."""

    model_config = ConfigDict(frozen=True)

    architecture: Literal["fpn", "unet", "classifier"]
    """The decoder; "classifier": none, the encoder with its classification head alone (single task)."""
    encoder: str
    """segmentation_models_pytorch's name: resnet18, resnext101_32x8d, efficientnet-b0; or "tu-" and timm's name."""
    encoder_channels: tuple[int, ...] = ()
    """Of the four stages of a timm ResNet, where it is to be narrower than usual; empty: as it is."""
    decoder_channels: int = Field(default=256, ge=8)
    """Of the FPN's pyramid (its segmentation branch has half); of the U-Net's deepest block, halved in each next."""
    n_grades: int = Field(ge=2, le=4)
    image_px: int = Field(ge=64, multiple_of=STRIDE)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Before the last layer of the classification head."""
    deep_supervision: bool = False
    """The decoder answers at four levels, and learns at each."""
    line_branch: bool = False
    """Motion is told of whole scan lines, by a branch that sees them at the input's resolution."""


class OnhOutput(NamedTuple):
    """What one forward pass gives; logits throughout."""

    grade: Tensor  # (B, n_grades)
    masks: Tensor  # (B, 5, H, W); (B, 0, H, W) of a classifier
    features: Tensor  # (B, C, H/32, W/32), the encoder's last map: what Grad-CAM weighs
    coarser: Tensor  # (B, 3, 5, H, W), the decoder's levels 1 to 3; (B, 0, 5, H, W) without deep supervision


class OnhNetwork(nn.Module):
    """Normalised grey images (B, 1, H, W) to grade and masks in one pass.

    The classification head pools the encoder's last map and has one linear layer, so that Grad-CAM needs no backward
    pass (core.scoring.torch_backend.grad_cam).
    """

    def __init__(self, shape: OnhShape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder, self.decoder, self.mask_head = _parts(shape)
        channels = int(self.encoder.out_channels[-1])
        self.grade_head = ClassificationHead(channels, shape.n_grades, pooling="avg", dropout=shape.dropout)
        draws = self.decoder is not None
        self.level_heads = _level_heads(shape, self.decoder) if draws and shape.deep_supervision else None
        self.line_branch = LineBranch() if draws and shape.line_branch else None

    def forward(self, image: Tensor) -> OnhOutput:
        """Score normalised images (B, 1, H, W)."""
        maps = self.encoder(image)  # strides 1, 2, 4, 8, 16, 32
        grade = self.grade_head(maps[-1])  # (B, n_grades)
        if self.decoder is None or self.mask_head is None:
            return OnhOutput(grade, image[:, :0], maps[-1], image[:, :0, None])
        levels = self._levels(maps)  # (B, L, 5, H, W)
        if self.line_branch is not None:
            lines = self.line_branch(image)[:, None, None, :, None]  # (B, 1, 1, H, 1)
            moved = lines.expand(-1, levels.shape[1], -1, -1, levels.shape[4])
            levels = torch.cat([levels[:, :, :MOTION], moved], dim=2)
        return OnhOutput(grade, levels[:, -1], maps[-1], levels[:, :-1])

    def _levels(self, maps: list[Tensor]) -> Tensor:
        """Logits (B, L, 5, H, W) of the decoder's levels, the answer last; one without deep supervision."""
        if self.level_heads is None:
            answer: Tensor = self.mask_head(self.decoder(maps))  # (B, 5, H, W)
            return answer[:, None]
        coarse_first = (_fpn_levels if self.shape.architecture == "fpn" else _unet_levels)(self.decoder, maps)
        heads = [*self.level_heads, self.mask_head]
        return torch.stack([head(level) for head, level in zip(heads, coarse_first, strict=True)], dim=1)

    @property
    def grade_weight(self) -> Tensor:
        """Weights (n_grades, C) of the classification head's linear layer."""
        layer = next(part for part in self.grade_head if isinstance(part, nn.Linear))
        return layer.weight

    def load_encoder(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over an encoder's weights in its own naming; a first layer for colour is summed to grey.

        Raises
        ------
        UsageError
            A layer is missing or has another shape: the weights belong to another encoder.
        """
        own = self.encoder.state_dict()
        given = {name.removeprefix("encoder."): value for name, value in tensors.items()}
        fitted = {name: _grey(given[name], own[name]) for name in own if name in given}
        wrong = sorted(name for name in own if name not in fitted or fitted[name].shape != own[name].shape)
        wrong = [name for name in wrong if not name.endswith("num_batches_tracked")]
        if wrong:
            raise UsageError(
                f"The weights do not fit {self.shape.encoder}: {wrong[0]} and {len(wrong) - 1} more are missing or "
                "have another shape.",
                remedy=f"Give --init the weights of {self.shape.encoder} in segmentation_models_pytorch's naming.",
            )
        self.encoder.load_state_dict(fitted, strict=False)


def _parts(shape: OnhShape) -> tuple[Any, Any, Any]:
    """Encoder, decoder and mask head; the last two None for a classifier."""
    options: dict[str, Any] = {"channels": shape.encoder_channels} if shape.encoder_channels else {}
    common: dict[str, Any] = {"encoder_name": shape.encoder, "encoder_weights": None, "in_channels": 1, **options}
    wide = shape.decoder_channels
    try:
        if shape.architecture == "classifier":
            return smp.encoders.get_encoder(shape.encoder, in_channels=1, weights=None, **options), None, None
        if shape.architecture == "fpn":
            network: Any = smp.FPN(
                classes=N_MASKS, decoder_pyramid_channels=wide, decoder_segmentation_channels=wide // 2, **common
            )
        else:
            network = smp.Unet(classes=N_MASKS, decoder_channels=[max(8, wide >> step) for step in range(5)], **common)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UsageError(
            f"{shape.architecture} with the encoder {shape.encoder!r} cannot be built: {error}.",
            remedy="Take resnet18 to -152, resnext101_32x8d, efficientnet-b0 to -b7, or 'tu-' and timm's name; "
            "for an FPN decoder_channels of 64 or a multiple.",
        ) from error
    return network.encoder, network.decoder, network.segmentation_head


def _level_heads(shape: OnhShape, decoder: Any) -> nn.ModuleList:
    """One head for each level but the last, which has the mask head; all answer at the input's size."""
    if shape.architecture == "fpn":
        places = [(decoder.out_channels, 4)] * (N_LEVELS - 1)
    else:
        wide = [block.conv2[0].out_channels for block in decoder.blocks]
        places = [(wide[-level], 2 ** (level - 1)) for level in range(N_LEVELS, 1, -1)]
    return nn.ModuleList(SegmentationHead(channels, N_MASKS, kernel_size=1, upsampling=n) for channels, n in places)


def _fpn_levels(decoder: Any, maps: list[Tensor]) -> list[Tensor]:
    """The merged pyramid from its coarsest map alone to all four; the last is what the decoder itself gives."""
    pyramid = [decoder.p5(maps[-1])]
    for block, skip in zip((decoder.p4, decoder.p3, decoder.p2), maps[-2:-5:-1], strict=True):
        pyramid.append(block(pyramid[-1], skip))
    branches = [block(level) for block, level in zip(decoder.seg_blocks, pyramid, strict=True)]
    merged = accumulate(branches)  # each (B, C, H/4, W/4)
    return [functional.dropout2d(level, decoder.dropout.p, decoder.training) for level in merged]


def _unet_levels(decoder: Any, maps: list[Tensor]) -> list[Tensor]:
    """The last four blocks of the decoder, at strides 8, 4, 2 and 1; the last is what the decoder itself gives."""
    skips: list[Tensor | None] = [*maps[-2:0:-1], None]
    level, levels = decoder.center(maps[-1]), []
    for block, skip, target in zip(decoder.blocks, skips, maps[-2::-1], strict=True):
        level = block(level, *target.shape[2:], skip_connection=skip)
        levels.append(level)
    return levels[-N_LEVELS:]


def _grey(given: Tensor, own: Tensor) -> Tensor:
    """Weights (out, 3, k, k) of a layer for colour as those of one for grey: equal channels add up to the same."""
    is_first = given.ndim == own.ndim == 4 and given.shape[1] == 3 and own.shape[1] == 1  # noqa: PLR2004 - convolutions
    return given.sum(dim=1, keepdim=True) if is_first else given


def build_onh(shape: OnhShape, *, seed: int) -> OnhNetwork:
    """A freshly initialised network; the same seed gives the same weights, and the same encoder with any decoder."""
    torch.manual_seed(seed)
    return OnhNetwork(shape)
