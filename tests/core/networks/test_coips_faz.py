"""The U-Net of COIPS: eight stages from 512 to 4, its parameters counted by hand, its output pinned."""

from itertools import pairwise

import pytest
import torch

from core.errors import UsageError
from core.networks.coips_faz import FazNetwork, FazShape, build_faz

SMALL = FazShape(image_px=32, n_stages=4, base_channels=4, max_channels=16)


def stage_parameters(fan_in, fan_out):
    """Two 3 x 3 convolutions with bias, each with scale and shift of its normalisation."""
    return (9 * fan_in + 1 + 2) * fan_out + (9 * fan_out + 1 + 2) * fan_out


def test_the_published_network_halves_512_to_4_in_eight_stages():
    network = FazNetwork(FazShape())
    sizes = []
    for stage in network.encoder:
        stage.register_forward_hook(lambda _module, _given, found: sizes.append((found.shape[1], found.shape[-1])))
    with torch.inference_mode():
        found = network.eval()(torch.zeros(1, 1, 512, 512))
    assert sizes == [(32, 512), (64, 256), (128, 128), (256, 64), (480, 32), (480, 16), (480, 8), (480, 4)]
    assert found.shape == (1, 2, 512, 512)


def test_the_parameters_are_those_counted_by_hand():
    channels = [32, 64, 128, 256, 480, 480, 480, 480]
    down = sum(stage_parameters(a, b) for a, b in zip([1, *channels], channels, strict=False))
    up = sum(4 * deep * flat + stage_parameters(2 * flat, flat) for flat, deep in pairwise(channels))
    network = FazNetwork(FazShape())
    assert sum(parameter.numel() for parameter in network.parameters()) == down + up + 2 * 32
    assert down + up + 2 * 32 == 41_258_656


def test_every_kernel_is_3_by_3_and_every_downsampling_a_stride_of_2():
    network = FazNetwork(SMALL)
    convolutions = [module for stage in network.encoder for module in stage if isinstance(module, torch.nn.Conv2d)]
    assert {module.kernel_size for module in convolutions} == {(3, 3)}
    assert [module.stride[0] for module in convolutions] == [1, 1, 2, 1, 2, 1, 2, 1]


def test_the_same_seed_gives_the_same_weights():
    one, same, other = (build_faz(SMALL, seed=seed).head.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_output_is_the_one_stored():
    network = FazNetwork(SMALL).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.sin(torch.arange(parameter.numel())).view_as(parameter) * 0.3)
        found = network(torch.cos(torch.arange(32 * 32) / 7).view(1, 1, 32, 32))[0, :, ::11, ::11]
    torch.testing.assert_close(found, torch.tensor(STORED), rtol=1e-4, atol=1e-4)


STORED = [
    [[0.26088, 0.063901, 0.103182], [0.019519, 0.108542, 0.126734], [0.135339, 0.142365, 0.177457]],
    [[-0.168882, 0.001338, -0.009423], [0.010083, -0.037576, -0.024152], [-0.048458, -0.150051, -0.128205]],
]


@pytest.mark.parametrize(("image_px", "n_stages", "cure"), [(500, 8, "512"), (64, 8, "256"), (100, 4, "96")])
def test_a_size_that_cannot_be_halved_is_refused_with_one_that_can(image_px, n_stages, cure):
    with pytest.raises(UsageError, match="cannot be halved") as caught:
        FazNetwork(FazShape(image_px=image_px, n_stages=n_stages))
    assert f"--image-size {cure}" in caught.value.remedy
