"""The ONH networks: shapes, seeds, groupings, encoders that begin with weights of photographs."""

import pytest
import torch

from core.errors import UsageError
from core.networks.onh_enface import MOTION, OnhShape, build_onh
from core.scoring.torch_backend.grad_cam import class_maps

NARROW = {"encoder": "tu-resnet18", "encoder_channels": (8, 16, 24, 32), "decoder_channels": 64, "image_px": 64}


def shape(**changes):
    return OnhShape(**{"architecture": "fpn", "n_grades": 4} | NARROW | changes)


@pytest.mark.parametrize("architecture", ["fpn", "unet"])
def test_a_joint_network_gives_grade_and_five_masks_at_the_inputs_size(architecture):
    network = build_onh(shape(architecture=architecture, n_grades=2), seed=1).eval()
    with torch.inference_mode():
        found = network(torch.zeros(2, 1, 64, 64))
    assert found.grade.shape == (2, 2)
    assert found.masks.shape == (2, 5, 64, 64)
    assert found.features.shape == (2, 32, 2, 2)


def test_a_single_task_network_has_the_same_encoder_weights_and_no_masks():
    joint, single = (build_onh(shape(architecture=name), seed=4) for name in ("fpn", "classifier"))
    with torch.inference_mode():
        assert single.eval()(torch.zeros(1, 1, 64, 64)).masks.shape == (1, 0, 64, 64)
    own, other = joint.encoder.state_dict(), single.encoder.state_dict()
    assert own.keys() == other.keys()
    assert all(torch.equal(own[name], other[name]) for name in own)


@pytest.mark.parametrize("architecture", ["fpn", "unet"])
def test_under_deep_supervision_the_answer_stays_the_decoders_own_and_three_coarser_levels_are_told(architecture):
    network = build_onh(shape(architecture=architecture, deep_supervision=True), seed=1).eval()
    image = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        found = network(image)
        own = network.mask_head(network.decoder(network.encoder(image)))
    assert found.coarser.shape == (2, 3, 5, 64, 64)
    torch.testing.assert_close(found.masks, own)
    assert not torch.allclose(found.coarser[:, -1], found.masks)


def test_without_deep_supervision_there_are_no_coarser_levels():
    found = build_onh(shape(), seed=1).eval()(torch.zeros(1, 1, 64, 64))
    assert found.coarser.shape == (1, 0, 5, 64, 64)


def test_a_line_branch_says_the_same_of_a_whole_line_at_every_level():
    network = build_onh(shape(deep_supervision=True, line_branch=True), seed=1).eval()
    found = network(torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(3)))
    moved = torch.cat([found.coarser[0, :, MOTION], found.masks[:, MOTION]])  # (4, 64, 64)
    assert torch.equal(moved, moved[:1, :, :1].expand(4, 64, 64))
    assert moved[0, :, 0].std() > 0


@pytest.mark.parametrize("encoder", ["efficientnet-b0", "resnet18"])
def test_encoders_of_the_poster_can_be_built(encoder):
    network = build_onh(shape(encoder=encoder, encoder_channels=()), seed=1)
    assert network.grade_weight.shape[0] == 4


def test_closed_form_grad_cam_equals_the_backward_pass():
    network = build_onh(shape(), seed=2).eval()
    image = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(5))
    features = network.encoder(image)[-1].detach().requires_grad_()
    for grade in range(4):
        (gradient,) = torch.autograd.grad(network.grade_head(features)[:, grade].sum(), features)
        expected = (gradient.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1)
        found = class_maps(features, network.grade_weight)[:, grade]
        for one, other in zip(expected.detach(), found.detach(), strict=True):
            torch.testing.assert_close(one / one.abs().max(), other / other.abs().max(), atol=1e-5, rtol=1e-4)


def test_an_encoder_for_colour_is_summed_to_grey():
    network = build_onh(shape(), seed=1).eval()
    tensors = {f"encoder.{name}": value.clone() for name, value in network.encoder.state_dict().items()}
    first = next(name for name, value in tensors.items() if value.ndim == 4)
    tensors[first] = tensors[first].repeat(1, 3, 1, 1) / 3
    other = build_onh(shape(), seed=9).eval()
    other.load_encoder(tensors)
    image = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(other.encoder(image)[-1], network.encoder(image)[-1])


def test_weights_of_another_encoder_are_refused():
    network = build_onh(shape(), seed=1)
    with pytest.raises(UsageError, match="do not fit tu-resnet18"):
        network.load_encoder({"conv1.weight": torch.zeros(3, 3, 3, 3)})


@pytest.mark.parametrize("changes", [{"encoder": "resnet19", "encoder_channels": ()}, {"decoder_channels": 48}])
def test_what_cannot_be_built_says_what_can(changes):
    with pytest.raises(UsageError, match=r"cannot be built.*resnet18"):
        build_onh(shape(**changes), seed=1)
