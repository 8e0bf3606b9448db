"""The layer networks of paper 004: grey input, the classes asked for, at the image's own size."""

import itertools

import pytest
import torch

from core.errors import UsageError
from core.networks.layers import LayerShape, LayerUNet, build_layers

NETWORKS = ("unet", "fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101")


def parameters_of(channels, n_classes):
    """Counted by hand: two 3 x 3 convolutions without bias and two normalisations per block, 2 x 2 upwards."""

    def block(fan_in, fan_out):
        return 9 * fan_in * fan_out + 9 * fan_out * fan_out + 4 * fan_out

    down = sum(block(a, b) for a, b in zip([1, *channels], channels, strict=False))
    up = sum((4 * deep + 1) * flat + block(2 * flat, flat) for flat, deep in itertools.pairwise(channels))
    return down + up + (channels[0] + 1) * n_classes


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_of_the_thesis_takes_grey_b_scans(network):
    built = build_layers(LayerShape(network=network, n_classes=5, image_px=64, base_channels=4), seed=1).eval()
    with torch.inference_mode():
        found = built(torch.zeros(1, 1, 64, 64))
    assert found.shape == (1, 5, 64, 64)


def test_the_published_u_net_has_four_blocks_each_way_from_64_channels():
    built = build_layers(LayerShape(n_classes=8), seed=1)
    assert isinstance(built, LayerUNet)
    assert len(built.encoder) == 5
    assert len(built.decoder) == 4
    assert sum(p.numel() for p in built.parameters()) == parameters_of([64, 128, 256, 512, 1024], 8)


def test_a_column_stride_halves_the_columns_and_the_logits_keep_the_size():
    built = build_layers(LayerShape(n_classes=8, image_px=64, base_channels=4, column_stride=2), seed=1)
    widths = []
    built.encoder[0].register_forward_hook(lambda _module, _given, found: widths.append(tuple(found.shape[2:])))
    found = built(torch.zeros(1, 1, 64, 96))
    assert widths == [(64, 48)]
    assert found.shape == (1, 8, 64, 96)


def test_a_size_that_cannot_be_halved_is_refused_with_the_nearest_that_can():
    with pytest.raises(UsageError, match="100 px cannot be halved 4 times") as caught:
        build_layers(LayerShape(n_classes=8, image_px=100, column_stride=2), seed=1)
    assert "--image-size 96" in caught.value.remedy


def test_the_same_seed_gives_the_same_weights():
    shape = LayerShape(n_classes=2, image_px=32, base_channels=4)
    one, same, other = (build_layers(shape, seed=seed).head.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
