"""The COIPS quality network: any timm backbone with a linear layer for the three grades; downloads nothing."""

import difflib
import sys
from collections.abc import Mapping
from typing import Any

import timm
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from core.errors import UsageError
from core.vocabulary import CoipsGrade

N_CHANNELS = 3
"""Weights of photographs expect three channels; a grey scan is given three times, so they fit unchanged."""


class QualityShape(BaseModel):
    """What the network is made of; stored in the model card."""

    model_config = ConfigDict(frozen=True)

    backbone: str
    """A name that timm knows."""
    image_px: int = Field(ge=32)
    """Height and width of the input."""


class QualityNetwork(nn.Module):
    """Grey images (B, 1, H, W), each z-scored, to grade logits (B, 3) in CoipsGrade order.

    After ``freeze_backbone`` only the last linear layer learns, and the layers below keep the running statistics
    they came with: in training mode batch normalisation would replace them.
    """

    def __init__(self, shape: QualityShape) -> None:
        super().__init__()
        self.shape = shape
        self.is_frozen = False
        self.backbone = _backbone(shape)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, 3) of normalised images (B, 1, H, W)."""
        logits: Tensor = self.backbone(image.expand(-1, N_CHANNELS, -1, -1))  # (B, 3)
        return logits

    @property
    def last_layer(self) -> nn.Module:
        """The layer that turns pooled features into logits."""
        layer = self.backbone.get_classifier()
        assert isinstance(layer, nn.Module)
        return layer

    def freeze_backbone(self) -> None:
        """Leave only the last layer trainable, as the paper did."""
        self.is_frozen = True
        self.requires_grad_(requires_grad=False)
        self.last_layer.requires_grad_(requires_grad=True)

    def train(self, mode: bool = True) -> "QualityNetwork":
        """Switch the mode; a frozen backbone stays as it is at inference."""
        super().train(mode)
        if self.is_frozen:
            self.backbone.eval()
            self.last_layer.train(mode)
        return self

    def load_backbone(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over a backbone's weights in timm's naming; their own last layer is left out.

        Raises
        ------
        UsageError
            A layer is missing or has another shape: the weights belong to another backbone.
        """
        convert = getattr(_module_of(self.backbone), "checkpoint_filter_fn", None)
        given = dict(tensors) if convert is None else dict(convert(dict(tensors), self.backbone))
        own = self.backbone.state_dict()
        kept = {name for name in own if name not in self._names_of_last_layer()}
        wrong = sorted(name for name in kept if name not in given or given[name].shape != own[name].shape)
        wrong = [name for name in wrong if not name.endswith("num_batches_tracked")]
        if wrong:
            raise UsageError(
                f"The weights do not fit {self.shape.backbone}: {wrong[0]} and {len(wrong) - 1} more are missing or "
                "have another shape.",
                remedy=f"Give --init weights of timm's {self.shape.backbone} as .safetensors, or another --backbone.",
            )
        self.backbone.load_state_dict({name: given[name] for name in kept if name in given}, strict=False)

    def _names_of_last_layer(self) -> set[str]:
        ours = {id(value) for value in self.last_layer.parameters()}
        return {name for name, value in self.backbone.named_parameters() if id(value) in ours}


def _backbone(shape: QualityShape) -> Any:
    if not timm.is_model(shape.backbone):
        near = difflib.get_close_matches(shape.backbone, timm.list_models(), n=3, cutoff=0.5)
        raise UsageError(
            f"timm knows no backbone {shape.backbone!r}.",
            remedy=f"Perhaps {' or '.join(near)}?" if near else "List the names with timm.list_models().",
        )
    options: dict[str, Any] = {}
    published = timm.get_pretrained_cfg(shape.backbone)
    if published is not None and published.fixed_input_size and published.input_size[-1] != shape.image_px:
        options["img_size"] = shape.image_px  # transformers are built for one size
    try:
        return timm.create_model(
            shape.backbone, pretrained=False, num_classes=len(CoipsGrade), in_chans=N_CHANNELS, **options
        )
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise UsageError(
            f"{shape.backbone} cannot be built for {shape.image_px} px: {error}",
            remedy="Give the image size it was made for with --image-size, or another --backbone.",
        ) from error


def _module_of(model: nn.Module) -> Any:
    """The timm module that defines this backbone; some hold a converter for older names of the same weights."""
    return sys.modules[type(model).__module__]


def build_quality(shape: QualityShape, *, seed: int) -> QualityNetwork:
    """A freshly initialised network; the same seed gives the same weights."""
    torch.manual_seed(seed)
    return QualityNetwork(shape)
