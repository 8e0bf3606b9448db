"""The COIPS FAZ network: the plain 2-D U-Net that the nnU-Net framework plans for a 512 x 512 patch.

Wang et al. (COIPS), section 3.3 and Table 5: patch 512 x 512, seven poolings per axis (512 -> 4), 3 x 3 kernels,
strides of 2. What the paper leaves to nnU-Net is that framework's (Isensee et al. 2021,
doi:10.1038/s41592-020-01008-z; version 1): two convolutions per stage, each followed by instance normalisation and a
leaky ReLU of slope 0.01; 32 channels, doubled per stage up to 480; downsampling by the stage's first convolution;
transposed convolutions without bias upwards. The paper names no deep supervision: there is one output.
"""

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from core.errors import UsageError

N_CLASSES = 2
"""Background and FAZ."""
LEAKINESS = 0.01


class FazShape(BaseModel):
    """The sizes of the U-Net; stored in the model card."""

    model_config = ConfigDict(frozen=True)

    image_px: int = Field(default=512, ge=32)
    """Height and width of the input; divisible by 2 ** (n_stages - 1)."""
    n_stages: int = Field(default=8, ge=2)
    base_channels: int = Field(default=32, ge=4)
    max_channels: int = Field(default=480, ge=4)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each stage, from full resolution down."""
        return tuple(min(self.base_channels * 2**stage, self.max_channels) for stage in range(self.n_stages))


class FazNetwork(nn.Module):
    """Z-scored grey images (B, 1, H, W) to logits (B, 2, H, W) of background and FAZ."""

    def __init__(self, shape: FazShape) -> None:
        super().__init__()
        check_shape(shape)
        self.shape = shape
        channels = shape.channels
        self.encoder = nn.ModuleList(
            _stage(fan_in, fan_out, stride=1 if stage == 0 else 2)
            for stage, (fan_in, fan_out) in enumerate(zip((1, *channels), channels, strict=False))
        )
        upwards = list(zip(channels[:0:-1], channels[-2::-1], strict=True))  # (deeper, shallower) from the bottom
        self.upsampling = nn.ModuleList(
            nn.ConvTranspose2d(deep, flat, 2, stride=2, bias=False) for deep, flat in upwards
        )
        self.decoder = nn.ModuleList(_stage(2 * flat, flat, stride=1) for _, flat in upwards)
        self.head = nn.Conv2d(channels[0], N_CLASSES, kernel_size=1, bias=False)
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, 2, H, W) of normalised images (B, 1, H, W)."""
        features, skipped = image, []
        for stage in self.encoder:
            features = stage(features)  # (B, C_s, H / 2**s, W / 2**s)
            skipped.append(features)
        for upsample, stage, skip in zip(self.upsampling, self.decoder, skipped[-2::-1], strict=True):
            features = stage(torch.cat([upsample(features), skip], dim=1))
        logits: Tensor = self.head(features)  # (B, 2, H, W)
        return logits


def check_shape(shape: FazShape) -> None:
    """Refuse an image size that the poolings do not divide, or that leaves nothing to normalise over."""
    stride = 2 ** (shape.n_stages - 1)
    if shape.image_px % stride or shape.image_px // stride < 2:  # noqa: PLR2004 - instance statistics need two cells
        near = max(2, round(shape.image_px / stride)) * stride
        raise UsageError(
            f"{shape.image_px} px cannot be halved {shape.n_stages - 1} times to at least 2 x 2 cells.",
            remedy=f"Give --image-size {near}, or fewer stages with --set n_stages=N.",
        )


def _stage(fan_in: int, fan_out: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(*_convolution(fan_in, fan_out, stride), *_convolution(fan_out, fan_out, 1))


def _convolution(fan_in: int, fan_out: int, stride: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return (
        nn.Conv2d(fan_in, fan_out, kernel_size=3, stride=stride, padding=1),
        nn.InstanceNorm2d(fan_out, eps=1e-5, affine=True),
        nn.LeakyReLU(LEAKINESS, inplace=True),
    )


def _initialise(module: nn.Module) -> None:
    """He et al. 2015 for leaky units, as nnU-Net does."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, a=LEAKINESS)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def build_faz(shape: FazShape, *, seed: int) -> FazNetwork:
    """A freshly initialised network; the same seed gives the same weights."""
    torch.manual_seed(seed)
    return FazNetwork(shape)
