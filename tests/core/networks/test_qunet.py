"""QU-Net++ has the parameters that its paper prints, four levels of the image's size, and refuses sizes that do not fit."""

import pytest
import torch

from core.errors import UsageError
from core.networks.qunet import Heads, QuNetShape, build_qunet, level_probabilities, n_parameters


def test_both_networks_have_the_published_numbers_of_parameters() -> None:
    assert n_parameters(build_qunet(QuNetShape(), seed=1)) == 9_045_540
    assert n_parameters(build_qunet(QuNetShape(nested=False), seed=1)) == 7_767_457


@pytest.mark.parametrize("heads", list(Heads))
@pytest.mark.parametrize("n_classes", [2, 8])
def test_every_level_answers_in_the_size_of_the_image(heads: Heads, n_classes: int) -> None:
    shape = QuNetShape(n_classes=n_classes, height_px=32, width_px=48, base_channels=2, heads=heads)
    logits = build_qunet(shape, seed=1).eval()(torch.zeros(2, 1, 32, 48))
    assert logits.shape == (2, 4, 1 if n_classes == 2 else 8, 32, 48)
    probabilities = level_probabilities(logits)
    assert probabilities.shape[2] == n_classes
    assert torch.allclose(probabilities.sum(dim=2), torch.ones(2, 4, 32, 48))


def test_a_u_net_has_one_level() -> None:
    network = build_qunet(QuNetShape(height_px=32, width_px=32, base_channels=2, nested=False), seed=1).eval()
    assert network(torch.zeros(1, 1, 32, 32)).shape == (1, 1, 1, 32, 32)


def test_dropout_is_in_the_two_deepest_stages_and_normalisation_in_the_encoder_alone() -> None:
    network = build_qunet(QuNetShape(height_px=32, width_px=32, base_channels=2), seed=1)
    has = {kind: [any(isinstance(m, kind) for m in stage) for stage in network.encoder]
           for kind in (torch.nn.Dropout, torch.nn.BatchNorm2d)}  # fmt: skip
    assert has == {
        torch.nn.Dropout: [False, False, False, True, True],
        torch.nn.BatchNorm2d: [True, True, True, True, False],
    }
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.decoder.modules())


def test_a_size_that_cannot_be_halved_four_times_is_refused_with_the_nearest_that_can() -> None:
    with pytest.raises(UsageError, match="multiples of 16, for example 96 x 256"):
        build_qunet(QuNetShape(height_px=100, width_px=256), seed=1)


def test_the_same_seed_gives_the_same_weights() -> None:
    shape = QuNetShape(height_px=16, width_px=16, base_channels=2)
    one, other = build_qunet(shape, seed=3), build_qunet(shape, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
