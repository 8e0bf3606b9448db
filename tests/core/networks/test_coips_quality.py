"""The COIPS quality network on any timm backbone: frozen as published, and loaded from a backbone's own weights."""

import pytest
import torch
from torch import nn

from core.errors import UsageError
from core.networks.coips_quality import QualityNetwork, QualityShape, build_quality
from core.training.supervised.recipe import PUBLISHED_BACKBONES

TINY = QualityShape(backbone="test_resnet", image_px=64)


def test_grey_images_become_three_logits():
    assert build_quality(TINY, seed=1).eval()(torch.zeros(2, 1, 64, 64)).shape == (2, 3)


def test_a_frozen_backbone_keeps_weights_and_running_statistics():
    network = build_quality(TINY, seed=1)
    network.freeze_backbone()
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network(torch.randn(4, 1, 64, 64, generator=torch.Generator().manual_seed(1))).sum().backward()
    optimizer.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"backbone.fc.weight", "backbone.fc.bias"}


def test_a_backbones_own_weights_are_taken_over_without_their_last_layer():
    given, network = build_quality(TINY, seed=1), build_quality(TINY, seed=2)
    tensors = given.backbone.state_dict() | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    head = network.last_layer.weight.clone()
    network.load_backbone(tensors)
    taken = network.backbone.state_dict()
    assert all(torch.equal(taken[name], value) for name, value in tensors.items() if not name.startswith("fc."))
    assert torch.equal(network.last_layer.weight, head)


def test_weights_of_another_backbone_are_refused():
    other = QualityNetwork(QualityShape(backbone="test_efficientnet", image_px=64)).backbone.state_dict()
    with pytest.raises(UsageError, match="do not fit test_resnet"):
        build_quality(TINY, seed=1).load_backbone(other)


def test_an_unknown_backbone_is_refused_with_its_neighbours():
    with pytest.raises(UsageError, match="no backbone 'resnet1O1'") as caught:
        QualityNetwork(QualityShape(backbone="resnet1O1", image_px=64))
    assert "resnet101" in caught.value.remedy


def test_a_transformer_is_built_for_the_image_size():
    network = QualityNetwork(QualityShape(backbone="test_vit", image_px=96)).eval()
    assert network(torch.zeros(1, 1, 96, 96)).shape == (1, 3)


def test_nothing_is_downloaded(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr("socket.socket.connect", refuse)
    QualityNetwork(TINY)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", PUBLISHED_BACKBONES)
def test_every_published_backbone_learns_one_step(backbone):
    tiny = {"inception_v3": 96, "swin_large_patch4_window12_384": 192}.get(backbone, 64)
    network = build_quality(QualityShape(backbone=backbone, image_px=tiny), seed=1).train()
    loss = nn.functional.cross_entropy(network(torch.zeros(2, 1, tiny, tiny)), torch.tensor([0, 2]))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(parameter.grad is not None for parameter in network.last_layer.parameters())


@pytest.mark.slow
def test_swin_is_built_at_its_published_size():
    published = PUBLISHED_BACKBONES["swin_large_patch4_window12_384"]
    network = build_quality(
        QualityShape(backbone="swin_large_patch4_window12_384", image_px=published.image_px), seed=1
    )
    assert sum(parameter.numel() for parameter in network.parameters()) > 190e6
