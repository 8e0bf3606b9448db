"""Networks for en-face scans of the optic nerve head: FPN or U-Net with a classification head, or the encoder alone.

The poster's pipeline (Wu et al., paper 000, Figure 2). No pretrained weights are ever fetched.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import segmentation_models_pytorch as smp
import torch
from pydantic import BaseModel, ConfigDict, Field
from segmentation_models_pytorch.base.heads import ClassificationHead
from torch import Tensor, nn

from core.errors import UsageError

N_MASKS = 5
"""Background, optic nerve head, shallow and dark signal loss, motion: exclusive, one softmax."""
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


class OnhOutput(NamedTuple):
    """What one forward pass gives; logits throughout."""

    grade: Tensor  # (B, n_grades)
    masks: Tensor  # (B, 5, H, W); (B, 0, H, W) of a classifier
    features: Tensor  # (B, C, H/32, W/32), the encoder's last map: what Grad-CAM weighs


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

    def forward(self, image: Tensor) -> OnhOutput:
        """Score normalised images (B, 1, H, W)."""
        maps = self.encoder(image)  # strides 1, 2, 4, 8, 16, 32
        grade = self.grade_head(maps[-1])  # (B, n_grades)
        if self.decoder is None or self.mask_head is None:
            return OnhOutput(grade, image[:, :0], maps[-1])
        return OnhOutput(grade, self.mask_head(self.decoder(maps)), maps[-1])

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


def _grey(given: Tensor, own: Tensor) -> Tensor:
    """Weights (out, 3, k, k) of a layer for colour as those of one for grey: equal channels add up to the same."""
    is_first = given.ndim == own.ndim == 4 and given.shape[1] == 3 and own.shape[1] == 1  # noqa: PLR2004 - convolutions
    return given.sum(dim=1, keepdim=True) if is_first else given


def build_onh(shape: OnhShape, *, seed: int) -> OnhNetwork:
    """A freshly initialised network; the same seed gives the same weights, and the same encoder with any decoder."""
    torch.manual_seed(seed)
    return OnhNetwork(shape)
