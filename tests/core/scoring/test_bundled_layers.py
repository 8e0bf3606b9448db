"""The bundled layer weights: what their card promises, held against phantoms and, where it is, the public set."""

import resource
import time

import numpy as np
import pytest
import torch
from PIL import Image
from strangers import FAMILIES

from core.measures.selection import level_agreement
from core.networks.layers import LayerShape, build_layers
from core.phantom.bscan import BscanLesion, BscanSpec, draw_bscan
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.phantom.volume import random_volume_spec, render_volume
from core.policy.judge import ScanContext, judge
from core.policy.protocol import Protocol
from core.scoring.contract import ScanInput
from core.scoring.lanes.layer_canvas import normalised, on_canvas
from core.scoring.layers_card import LayersCard
from core.scoring.registry import load_scorer, weights_path
from core.scoring.torch_backend.layers import LayerSegmenter
from core.scoring.torch_backend.stored_weights import filled, tensors_of
from core.scoring.torch_backend.volume import VolumeScorer
from core.training.layers.evaluate import evaluate_layers
from core.values import NotComputable
from core.vocabulary import ReasonCode, ScanKind, Slab, Verdict
from core.volume import OctVolume

WEIGHTS = weights_path(ScanKind.VOLUME)
CPU = torch.device("cpu")
MUST = {
    "mean Dice of the layers": (0.80, 1.0),
    "IoU of the whole retina": (0.96, 1.0),
    "boundary error over the graders' difference": (0.0, 1.5),
}


@pytest.fixture(scope="module")
def segmenter():
    return LayerSegmenter.load(WEIGHTS, LayersCard.beside(WEIGHTS), CPU)


@pytest.fixture(scope="module")
def scorer():
    return load_scorer(ScanKind.VOLUME, device="cpu")


def scored(scorer, images):
    return scorer.score([ScanInput(str(number), image, None) for number, image in enumerate(images)])


def grey(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"), np.uint8)


def test_the_card_promises_what_issue_4_asks_for_and_no_more_than_it_knows():
    card = LayersCard.beside(WEIGHTS)
    assert WEIGHTS.stat().st_size < 16_000_000
    found = {metric.name: metric for metric in card.metrics if metric.topic == "Retinal layers"}
    for name, (low, high) in MUST.items():
        assert low <= found[name].value <= high
        assert found[name].n_subjects == 2
    thickness = [metric for metric in card.metrics if metric.name == "thickness, mean absolute error"]
    assert len(thickness) == 1 + len(BscanLesion)
    assert all(metric.value <= 5.0 for metric in thickness)
    assert card.calibration is None


@pytest.mark.parametrize("lesion", list(BscanLesion))
def test_thickness_is_right_to_five_micrometres_on_phantoms(segmenter, lesion):
    phantom = draw_bscan(BscanSpec(lesion=lesion), 777)
    found = next(segmenter.layers([phantom.image]))
    thickness = (found.boundary_row_px[-1] - found.boundary_row_px[0]) * 1000 * phantom.z_mm_per_px
    assert np.isfinite(thickness).all()
    assert np.abs(thickness - phantom.thickness_um).mean() <= 5.0


def test_layers_do_not_depend_on_what_else_is_in_the_batch(segmenter):
    images = [draw_bscan(BscanSpec(height_px=128, width_px=128, z_mm_per_px=0.015), seed).image for seed in range(3)]
    together = list(segmenter.layers(images))
    alone = next(segmenter.layers(images[2:]))
    np.testing.assert_allclose(together[2].boundary_row_px, alone.boundary_row_px, atol=1e-3)


def listed_qs(network, card, asked):
    """Q of each B-scan as the lane lists it, and as the last two levels of the network give it."""
    (scores,) = VolumeScorer(LayerSegmenter(network, card, CPU)).score([asked])
    size_px = int(card.network["image_px"])
    inputs = torch.from_numpy(np.stack([normalised(on_canvas(each, size_px)) for each in asked.volume.bscans])[:, None])
    with torch.inference_mode():
        labels = network.levels(inputs).argmax(dim=2).to(torch.uint8).numpy()  # (n, levels, S, S)
    listed = scores.findings.document()["bscan_indices"]["q_level_agreement"]
    assert scores.indices.q_level_agreement.value == pytest.approx(listed[len(listed) // 2], abs=1e-3)
    return listed, [level_agreement(each[-2], each[-1]).value for each in labels]


def test_every_b_scan_of_a_volume_has_its_indices_and_its_own_q():
    bscans = np.stack(
        [draw_bscan(BscanSpec(height_px=96, width_px=128, z_mm_per_px=0.02), seed).image for seed in range(3)]
    )
    asked = ScanInput("v", bscans[1], None, volume=OctVolume(bscans))
    card = LayersCard.beside(WEIGHTS)
    bundled = filled(build_layers(LayerShape.model_validate(card.network), seed=0), tensors_of(WEIGHTS), WEIGHTS).eval()
    shape = LayerShape(network="qunet", n_classes=8, image_px=64, base_channels=4)
    other = build_layers(shape, seed=3).eval(), card.model_copy(update={"network": shape.model_dump()})
    for network, own_card in ((bundled, card), other):
        listed, expected = listed_qs(network, own_card, asked)
        assert listed == pytest.approx(expected, abs=2e-3)
        assert len(set(listed)) == 3

    plain = shape.model_copy(update={"network": "unet"})
    without = LayerSegmenter(build_layers(plain, seed=3), card.model_copy(update={"network": plain.model_dump()}), CPU)
    (scores,) = VolumeScorer(without).score([asked])
    listed = scores.findings.document()["bscan_indices"]
    assert listed["q_level_agreement"] == [None] * 3
    assert len(set(listed["blurriness"])) == 3
    assert scores.indices == scores.findings.indices[1]


def test_the_levels_of_the_bundled_network_read_layers_and_their_agreement_goes_with_the_answers_dice():
    card = LayersCard.beside(WEIGHTS)
    told = [metric for metric in card.metrics if metric.topic == "Agreement of the network's levels"]
    for name in {metric.set for metric in told}:
        found = {metric.name: metric.value for metric in told if metric.set == name}
        dices = [found[f"Dice of level {level} of 4"] for level in (1, 2, 3, 4)]
        assert dices == sorted(dices)
        assert dices[2] >= 0.75  # what Q compares the answer with
        assert found["rank correlation of Q and the answer's Dice"] >= 0.4
    assert len({metric.set for metric in told}) == 2


@pytest.mark.real_data
def test_the_levels_agree_least_on_b_scans_unlike_those_that_were_learned(scorer, real_data):
    """Q of real B-scans: of the public set's test subjects higher than of other devices with other diseases."""
    known = [real_data / "layers_duke_dme" / "images" / f"s0{subject}_0{k}.png" for subject in (5, 7) for k in range(6)]
    strange = sorted((real_data / "bscan_srf").glob("*.png"))[:12]
    own, other = (
        [scores.indices.q_level_agreement.value for scores in scored(scorer, [grey(path) for path in paths])]
        for paths in (known, strange)
    )
    assert np.median(other) < np.median(own) - 0.02
    assert min(other) < 0.8 < min(own)


def test_a_picture_of_noise_or_nothing_is_a_result_and_no_error(scorer):
    noise = np.random.default_rng(1).integers(0, 256, (120, 90), np.uint8)
    scans = [ScanInput(key=str(n), image=image, scale=None) for n, image in enumerate((noise, np.zeros_like(noise)))]
    noisy, empty = scorer.score(scans)
    assert noisy.grade.abstained
    assert empty.grade.ordinal == 0
    assert isinstance(empty.findings.fovea, NotComputable)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "B-scans"])
def test_a_picture_that_is_no_b_scan_goes_to_a_person_with_that_reason(scorer, family):
    for scores in scored(scorer, FAMILIES[family](np.random.default_rng(8))[:3]):
        judged = judge(scores, Protocol.default(), ScanContext(scale=None, slab=Slab.UNKNOWN))
        assert (judged.verdict, [reason.code for reason in judged.reasons]) == (
            Verdict.REVIEW, [ReasonCode.NOT_OF_KIND],
        )  # fmt: skip


def test_an_octa_image_given_as_a_volume_is_a_stranger_and_b_scans_of_every_lesion_are_none(scorer):
    octa = render_octa(OctaPhantomSpec(size_px=304), 3).image
    bscans = [draw_bscan(BscanSpec(lesion=lesion), 900 + at).image for at, lesion in enumerate(BscanLesion)]
    assert [scores.is_of_kind for scores in scored(scorer, [octa, *bscans])] == [False] + [True] * len(bscans)


def test_noise_in_a_volume_file_is_a_fault_of_the_capture_for_the_file_says_what_it_is(scorer):
    noise = np.random.default_rng(5).integers(0, 256, (3, 120, 160), np.uint8)
    (scores,) = scorer.score([ScanInput("v", noise[1], None, volume=OctVolume(noise))])
    assert scores.is_of_kind
    assert scores.grade.ordinal == 0
    assert scores.findings.causes == (ReasonCode.IB_OBVIOUS,)
    assert scores.findings.document()["capture"]["n_unlike_retina"] == 3


@pytest.mark.real_data
def test_real_b_scans_of_other_devices_are_rarely_taken_for_strangers_and_real_octa_always(scorer, real_data):
    for folder in ("bscan_kermany", "bscan_srf", "bscan_sdoct"):
        known = [scores.is_of_kind for scores in scored(scorer, [grey(p) for p in (real_data / folder).glob("*.png")])]
        assert np.mean(known) >= 0.95, folder
    octa = sorted((real_data / "octa_graded" / "images").glob("*.png"))[::20]
    assert not any(scores.is_of_kind for scores in scored(scorer, [grey(path) for path in octa]))


@pytest.mark.slow
def test_a_volume_of_97_b_scans_takes_at_most_20_seconds_and_one_and_a_half_gigabytes():
    drawn = render_volume(random_volume_spec(np.random.default_rng(3)), 3)
    scorer = load_scorer(ScanKind.VOLUME, device="cpu")
    started = time.process_time()
    scores = scorer.score([ScanInput("v", drawn.volume.central_bscan, None, volume=drawn.volume)])[0]
    scores.findings.document()
    used_s = time.process_time() - started
    assert np.nanmean(np.abs(scores.findings.thickness_um - drawn.thickness_um)) <= 5.0
    assert used_s <= 40.0, "seconds of two cores"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss <= 1_500_000


@pytest.mark.slow
@pytest.mark.real_data
def test_the_public_set_gives_the_figures_of_the_card(real_data):
    found = evaluate_layers(real_data / "layers_duke_dme")
    assert (found.n_images, found.n_left_out) == (22, 66)
    of_card = {(m.name, m.set): m.value for m in LayersCard.beside(WEIGHTS).metrics if m.topic == "Retinal layers"}
    ours = {m.name: m.value for m in found.metrics if m.topic == "Retinal layers"}
    assert ours == pytest.approx({name: value for (name, _), value in of_card.items()}, abs=0.01)
