"""What is no OCTA en-face image is never graded silently: every kind of stranger ends in review with that one reason."""

import numpy as np
import pytest
from strangers import FAMILIES, PHOTOGRAPHS, coloured

from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.policy.judge import ScanContext, judge
from core.policy.protocol import Protocol
from core.policy.reasons import REASON_TEXTS
from core.scoring.acceptance import with_abstention
from core.scoring.contract import ScanInput
from core.scoring.lanes.likeness import likeness_features
from core.scoring.lanes.noise import SYMMETRY_TOLERANCE, is_power_law_noise, line_asymmetry
from core.scoring.lanes.octa_enface import prepare
from core.scoring.registry import load_scorer
from core.training.folder import read_grey
from core.training.strangers import HELD_OUT_PHOTOGRAPHS, photograph
from core.vocabulary import ReasonCode, ScanKind, Slab, Verdict

CONTEXT = ScanContext(scale=None, slab=Slab.UNKNOWN)


@pytest.fixture(scope="module")
def scorer():
    return load_scorer(ScanKind.OCTA_ENFACE, device="cpu")


def silently_graded(scorer, pictures) -> list[str]:
    """Names of the pictures whose verdict is anything but review as no OCTA en-face image."""
    results = scorer.score([ScanInput(name, picture, None) for name, picture in pictures.items()])
    found = []
    for result in results:
        fitted = with_abstention(result, scorer.calibration, Protocol().conformal_level)
        judgement = judge(fitted, Protocol(), CONTEXT)
        codes = [reason.code for reason in judgement.reasons]
        is_refused = (judgement.verdict, codes) == (Verdict.REVIEW, [ReasonCode.NOT_OCTA])
        if not (is_refused and fitted.grade.abstained):
            found.append(result.key)
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_no_drawn_stranger_is_graded_silently(scorer, family):
    rng = np.random.default_rng(20261121)
    pictures = {f"{family} {at}": picture for at, picture in enumerate(FAMILIES[family](rng))}
    assert silently_graded(scorer, pictures) == []


def test_no_photograph_is_graded_silently(scorer):
    assert set(PHOTOGRAPHS) == set(HELD_OUT_PHOTOGRAPHS), "the others were trained on"
    assert silently_graded(scorer, {name: photograph(name) for name in PHOTOGRAPHS}) == []


@pytest.mark.real_data
def test_no_real_bscan_is_graded_silently(scorer, real_data):
    paths = sorted(real_data.glob("bscan_*/*.png"))[::2] + sorted(real_data.glob("layers_duke_dme/images/*.png"))[::6]
    assert len(paths) > 40
    assert silently_graded(scorer, {path.name: read_grey(path) for path in paths}) == []


def test_the_reason_says_what_the_picture_is_not():
    assert REASON_TEXTS[ReasonCode.NOT_OCTA].label == "Not an OCTA en-face image"


def is_noise(image) -> bool:
    scan = prepare(ScanInput("x", image, None))
    return is_power_law_noise(scan.canvas, scan.placement, likeness_features(scan.canvas, scan.placement))


@pytest.mark.parametrize("exponent", [-0.5, -0.75, -1.0, -1.25])
def test_noise_with_a_spectrum_like_an_octa_images_is_known_for_noise(exponent):
    rng = np.random.default_rng(3)
    assert all(is_noise(coloured(rng, exponent)) for _ in range(4))


def test_phantoms_are_not_taken_for_noise_even_where_they_are_spoilt():
    for eye in range(3):
        for spoilt in ({}, {"low_signal": 0.8}, {"defocus": 0.7}, {"motion": 0.9}):
            assert not is_noise(render_octa(OctaPhantomSpec(eye_seed=eye, **spoilt), eye).image)


def test_a_negative_has_the_opposite_asymmetry_and_noise_has_none():
    image = render_octa(OctaPhantomSpec(), 1).image
    assert line_asymmetry(image) > SYMMETRY_TOLERANCE
    assert line_asymmetry(255 - image) == pytest.approx(-line_asymmetry(image), abs=0.02)
    rng = np.random.default_rng(4)
    assert max(abs(line_asymmetry(coloured(rng, -1.0))) for _ in range(5)) < SYMMETRY_TOLERANCE
    assert line_asymmetry(np.full((64, 64), 90, np.uint8)) == 0.0


@pytest.mark.real_data
def test_no_graded_real_scan_is_taken_for_noise(real_data):
    paths = sorted((real_data / "octa_graded" / "images").glob("*.png"))
    assert len(paths) == 200
    assert [path.name for path in paths if is_noise(read_grey(path))] == []
