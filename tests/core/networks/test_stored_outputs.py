"""Every other network still says of a drawn picture what it said when the figures were stored, within a tolerance.

A change of a library or of the definition that alters what stored weights mean shows here before it reaches a user.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from core.networks.bscan import BscanShape, CamUnet, CmCnn, JointNetwork
from core.networks.coips_quality import QualityNetwork, QualityShape
from core.networks.layers import LayerShape, build_layers
from core.networks.onh_enface import OnhShape, build_onh
from core.networks.qunet import QuNetShape, build_qunet

STORED = Path(__file__).with_name("stored_outputs.json")
OF_THE_LARGEST = 1e-3
"""Tolerance as a share of the largest stored value: processors round differently, deep sums more than once."""
SIDE = 64
BSCAN = BscanShape(n_classes=3, image_px=SIDE, encoder_channels=(8, 8, 16, 16), decoder_channels=(16, 8, 8, 8))
ONH = {"encoder": "tu-resnet18", "encoder_channels": (8, 16, 24, 32), "decoder_channels": 64, "image_px": SIDE}


def by_formula(network: nn.Module) -> nn.Module:
    """The network with parameters of whole-number arithmetic: they depend on no random generator and no rounding."""
    with torch.no_grad():
        for name, parameter in sorted(network.named_parameters()):
            places = torch.arange(parameter.numel()) + 1000 * len(name)
            spread = ((places * 2654435761 % 2**32).double() / 2**31 - 1).view_as(parameter)  # -1 to 1
            if parameter.ndim > 1:
                parameter.copy_(spread * (6 / parameter[0].numel()) ** 0.5)
            else:
                parameter.copy_((1 if name.endswith("weight") else 0) + 0.2 * spread)
    return network.eval()


def picture() -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    return (0.5 + 0.5 * torch.sin(rows / 5.0) * torch.cos(columns / 7.0)).view(1, 1, SIDE, SIDE)


def guide() -> Tensor:
    return torch.tensor([[[[1.0, 0.2], [0.4, 0.0]]]])


OUTPUTS: dict[str, Callable[[], tuple[Tensor, ...]]] = {
    "coips-quality": lambda: (
        by_formula(QualityNetwork(QualityShape(backbone="test_resnet", image_px=SIDE)))(picture()),
    ),
    "CM-CNN": lambda: tuple(by_formula(CmCnn(BSCAN))(picture())),
    "CAM-UNet": lambda: (by_formula(CamUnet(BSCAN))(picture(), guide()),),
    "end-to-end": lambda: tuple(by_formula(JointNetwork(BSCAN))(picture())),
    "layers U-Net": lambda: (
        by_formula(build_layers(LayerShape(n_classes=8, image_px=SIDE, base_channels=4, column_stride=2), seed=1))(
            picture()
        ),
    ),
    "ONH FPN": lambda: tuple(
        by_formula(
            build_onh(OnhShape(architecture="fpn", n_grades=4, deep_supervision=True, line_branch=True, **ONH), seed=1)
        )(picture())
    ),
    "ONH U-Net": lambda: tuple(
        by_formula(build_onh(OnhShape(architecture="unet", n_grades=4, **ONH), seed=1))(picture())
    ),
    "QU-Net++": lambda: (
        by_formula(build_qunet(QuNetShape(n_classes=3, height_px=SIDE, width_px=SIDE, base_channels=4), seed=1))(
            picture()
        ),
    ),
}


def sampled(name: str) -> list[list[float]]:
    """A few values of each output, evenly over it."""
    with torch.inference_mode():
        return [
            found.flatten()[:: max(1, found.numel() // 12)][:12].double().tolist()
            for found in OUTPUTS[name]()
            if found.numel()
        ]


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_network_still_gives_the_stored_output(name: str) -> None:
    stored = json.loads(STORED.read_text(encoding="utf-8"))[name]
    found = sampled(name)
    assert len(found) == len(stored)
    for values, wanted in zip(found, stored, strict=True):
        largest = max(map(abs, wanted))
        assert largest > 0, "an output of zeros would not tell one network from another"
        assert values == pytest.approx(wanted, rel=OF_THE_LARGEST, abs=OF_THE_LARGEST * largest)
