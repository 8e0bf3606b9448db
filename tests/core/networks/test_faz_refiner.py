"""The refiner: its shape, and a stored output."""

import json
from pathlib import Path

import pytest
import torch

from core.networks.faz_refiner import FazRefiner

HERE = Path(__file__).parent
REFINER, FINDER = FazRefiner(), FazRefiner((8, 16, 16), fold=2)


def known_output(refiner):
    """Every parameter by a formula: a stored output must not depend on a random generator."""
    with torch.no_grad():
        for parameter in refiner.parameters():
            ramp = torch.arange(parameter.numel(), dtype=torch.float32).reshape(parameter.shape)
            scale = 1.0 if parameter.ndim == 1 else (2.0 / parameter[0].numel()) ** 0.5
            parameter.copy_(torch.sin(ramp * 0.7 + parameter.ndim) * scale)
    rows, columns = torch.meshgrid(torch.linspace(-2, 2, 96), torch.linspace(-2, 2, 96), indexing="ij")
    region = torch.stack([torch.sin(5 * rows) * torch.cos(3 * columns), torch.tanh(1 - rows**2 - columns**2)])
    with torch.inference_mode():
        return refiner.eval()(region[None])


@pytest.mark.parametrize(
    ("network", "stored"), [(REFINER, "faz_refiner_output.json"), (FINDER, "faz_finder_output.json")]
)
def test_refiner_and_finder_still_give_the_stored_output(network, stored):
    values = known_output(network)[0, ::16, ::16].flatten().tolist()
    assert values == pytest.approx(json.loads((HERE / stored).read_text()), rel=1e-4, abs=1e-4)


def test_the_mask_has_the_size_of_the_region():
    assert FazRefiner().eval()(torch.zeros(3, 2, 96, 64)).shape == (3, 96, 64)
    assert FazRefiner((8, 16, 16), fold=2).eval()(torch.zeros(3, 2, 64, 48)).shape == (3, 64, 48)
