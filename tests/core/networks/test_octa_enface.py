"""The joint network: shapes, a stored output, and that it never reaches for the net."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from core.networks.octa_enface import LineHead, OctaEnfaceNetwork, build_octa_enface
from core.networks.torchvision_schemas import declare_missing_schemas

STORED = Path(__file__).with_name("octa_enface_output.json")
RELATIVE_TOLERANCE = 1e-4
OF_THE_LARGEST = 1e-6
"""Single precision resolves 1e-7 of the largest value: sums that nearly cancel differ by some of it between processors."""


@pytest.fixture(scope="module", autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def with_known_weights(network: OctaEnfaceNetwork) -> OctaEnfaceNetwork:
    """Fill every parameter by a formula: a stored output must not depend on a random generator."""
    with torch.no_grad():
        for parameter in network.parameters():
            ramp = torch.arange(parameter.numel(), dtype=torch.float32).reshape(parameter.shape)
            scale = 1.0 if parameter.ndim == 1 else (2.0 / parameter[0].numel()) ** 0.5
            parameter.copy_(torch.sin(ramp * 0.7 + parameter.ndim) * scale)
    return network.eval()


def known_image() -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.linspace(-2, 2, 96), torch.linspace(-2, 2, 128), indexing="ij")
    return (torch.sin(5 * rows) * torch.cos(3 * columns) + rows)[None, None]


def summary(network: OctaEnfaceNetwork) -> dict[str, list[float]]:
    with torch.inference_mode():
        output = network(known_image())
    return {
        "grade": output.grade.flatten().tolist(),
        "is_octa": output.is_octa.tolist(),
        "artifacts": output.artifacts[0, :, ::16, ::16].flatten().tolist(),
        "faz": output.faz[0, ::16, ::16].flatten().tolist(),
        "large_vessels": output.large_vessels[0, ::16, ::16].flatten().tolist(),
        "features": output.features[0, ::32].flatten().tolist(),
    }


def test_the_network_still_gives_the_stored_output():
    stored = json.loads(STORED.read_text())
    for name, values in summary(with_known_weights(build_octa_enface())).items():
        largest = max(map(abs, stored[name]))
        assert values == pytest.approx(stored[name], rel=RELATIVE_TOLERANCE, abs=OF_THE_LARGEST * largest), name


def test_masks_come_at_stride_2_and_the_last_map_at_stride_32():
    output = build_octa_enface().eval()(torch.zeros(2, 1, 64, 96))
    assert output.grade.shape == (2, 3)
    assert output.is_octa.shape == (2,)
    assert output.artifacts.shape == (2, 4, 32, 48)
    assert output.faz.shape == output.large_vessels.shape == (2, 32, 48)
    assert output.features.shape[2:] == (2, 3)


def test_a_disturbed_line_changes_the_motion_logits_across_its_whole_width():
    torch.manual_seed(0)
    head = LineHead(4)
    features = torch.randn(1, 4, 32, 20)
    disturbed = features.clone()
    disturbed[:, :, 10, :6] += 3
    change = (head(disturbed) - head(features)).abs()
    assert change.shape == (1, 1, 32, 1)
    assert change[0, 0, 10, 0] > 0
    assert change[0, 0, 24:].max() == 0


def test_building_the_network_opens_no_connection(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("the network tried to reach the net")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    build_octa_enface()


def test_timm_and_smp_import_after_core_networks_in_a_fresh_process():
    code = "import core.networks, timm, segmentation_models_pytorch, torchvision; print('imported')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "imported", done.stderr


def test_declaring_the_schemas_twice_is_harmless():
    assert declare_missing_schemas() == declare_missing_schemas()
