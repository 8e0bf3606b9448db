"""The dual guidance networks: the printed sizes, and what the guidance does to features."""

import pytest
import torch

from core.networks.bscan import (
    BscanShape,
    CamUnet,
    CmCnn,
    GuidedSegmenter,
    JointNetwork,
    MaskGuidance,
    activation_maps,
    guiding_map,
    resized,
    size_mib,
)
from core.networks.bscan_rivals import CLASSIFIERS, SEGMENTERS, PlainUnet, RivalClassifier, RivalSegmenter

SMALL = BscanShape(n_classes=3, image_px=64, encoder_channels=(8, 8, 16, 16), decoder_channels=(16, 8, 8, 8))


def test_cm_cnn_has_the_size_that_the_paper_prints() -> None:
    assert size_mib(CmCnn(BscanShape(n_classes=3))) == pytest.approx(60.63, abs=0.02)


def test_cam_unet_is_within_a_hundredth_of_the_printed_size() -> None:
    assert size_mib(CamUnet(BscanShape(n_classes=3))) == pytest.approx(60.79, rel=0.01)


def test_the_rivals_whose_sizes_are_theirs_alone_have_the_printed_ones() -> None:
    assert size_mib(RivalClassifier("MobileNet", 3)) == pytest.approx(12.26, abs=0.03)
    assert size_mib(PlainUnet(1)) == pytest.approx(29.62, abs=0.02)


@pytest.mark.parametrize("guidance", MaskGuidance)
def test_the_last_map_is_a_thirty_second_of_the_image(guidance: MaskGuidance) -> None:
    output = CmCnn(SMALL.model_copy(update={"mask_guidance": guidance})).eval()(torch.rand(2, 1, 64, 64))
    assert output.features.shape == (2, 16, 2, 2)
    assert output.class_logits.shape == (2, 3)
    assert (output.mask_logits is None) is (guidance is MaskGuidance.NONE)


def test_both_halves_of_the_features_reach_the_classifier() -> None:
    network = CmCnn(SMALL).eval()
    assert network.fuse is not None
    assert network.fuse[0].weight.shape[1] == 32  # A S and A (1 - S), 16 channels each


def test_a_heat_map_has_its_greatest_value_at_one_and_none_below_zero() -> None:
    maps = activation_maps(torch.randn(2, 4, 3, 3), torch.randn(5, 4))
    assert maps.min() >= 0
    assert torch.allclose(maps.amax(dim=(2, 3)), torch.ones(2, 5))


def test_the_map_that_guides_is_the_likeliest_lesions_even_where_normal_is_likelier() -> None:
    network = CmCnn(SMALL).eval()
    output = network(torch.rand(1, 1, 64, 64))
    logits = torch.tensor([[9.0, 1.0, 2.0]])
    maps = activation_maps(output.features, network.classifier.weight)
    found = guiding_map(output._replace(class_logits=logits), network.classifier.weight, normal=0)
    assert torch.equal(found[:, 0], maps[:, 2])


def test_a_map_of_zeros_leaves_the_segmentation_as_without_guidance() -> None:
    torch.manual_seed(3)
    guided = CamUnet(SMALL).eval()
    free = CamUnet(SMALL.model_copy(update={"cam_guidance": False})).eval()
    free.load_state_dict(guided.state_dict())
    image, nothing, something = torch.rand(1, 1, 64, 64), torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    assert torch.allclose(guided(image, nothing), free(image, nothing))
    assert not torch.allclose(guided(image, something), free(image, something))


def test_the_map_multiplies_and_is_added_at_every_level() -> None:
    network = CamUnet(SMALL).eval()
    features = torch.rand(1, 8, 8, 8)
    cam = torch.full((1, 1, 2, 2), 0.5)
    assert torch.allclose(network._guided(features, cam), 1.5 * features)


def test_a_larger_map_is_averaged_and_a_smaller_one_interpolated() -> None:
    cam = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    assert resized(cam, torch.zeros(1, 1, 1, 1)).item() == 0.5
    assert resized(cam, torch.zeros(1, 1, 8, 8)).shape[-2:] == (8, 8)


def test_a_finished_guide_learns_nothing_and_keeps_its_statistics() -> None:
    guide = CmCnn(SMALL)
    network = GuidedSegmenter(guide, CamUnet(SMALL), normal=0).train()
    before = {name: value.clone() for name, value in guide.state_dict().items()}
    network(torch.rand(2, 1, 64, 64)).sum().backward()
    assert all(parameter.grad is None for parameter in guide.parameters())
    assert all(torch.equal(value, before[name]) for name, value in guide.state_dict().items())


def test_the_end_to_end_network_has_a_mask_and_a_map_of_every_lesion() -> None:
    output = JointNetwork(SMALL)(torch.rand(2, 1, 64, 64))
    assert output.class_logits.shape == (2, 2)
    assert output.lesion_logits.shape == (2, 2, 64, 64)
    assert output.maps.shape == output.mask_logits.shape == (2, 2, 2, 2)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_rival_classifier_has_a_last_map_for_its_heat_map(name: str) -> None:
    network = RivalClassifier(name, 3).eval()
    with torch.inference_mode():
        output = network(torch.rand(1, 1, 96, 96))
    assert torch.allclose(network.classifier(output.features.mean(dim=(2, 3))), output.class_logits)


@pytest.mark.parametrize("name", SEGMENTERS)
def test_a_rival_segmenter_takes_the_map_as_a_channel_only_where_it_is_told_to(name: str) -> None:
    image, cam = torch.rand(1, 1, 64, 64), torch.rand(1, 1, 2, 2)
    with torch.inference_mode():
        blind = RivalSegmenter(name, cam=False).eval()
        assert torch.equal(blind(image, cam), blind(image, 1 - cam))
        seeing = RivalSegmenter(name, cam=True).eval()
        assert not torch.equal(seeing(image, cam), seeing(image, 1 - cam))
