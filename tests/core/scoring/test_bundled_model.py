"""What the bundled weights can do: phantoms with known truth, strangers, and the held-out part of the real scans.

The bounds were set by hand, below what one run gave: they catch a model that broke, and claim no accuracy. The card
holds the measured figures.
"""

import numpy as np
import pytest

from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.policy.judge import ScanContext, judge
from core.policy.protocol import Protocol
from core.scoring.contract import ScanInput
from core.scoring.registry import load_scorer
from core.statistics.overlap import dice
from core.training.evaluation.cases import evaluation_phantoms
from core.training.folder import read_folder, read_grey
from core.training.splits import Part, split
from core.training.strangers import HELD_OUT_PHOTOGRAPHS, blank, fundus, gradient, noise, photograph, text
from core.vocabulary import ArtifactType, ReasonCode, ScanKind, Slab, Verdict

MEAN_PHANTOM_FAZ_DICE = 0.7
MEDIAN_PHANTOM_FAZ_DICE = 0.8
LEAST_SEPARATION = {ArtifactType.SHADOW: 0.3, ArtifactType.LOW_SIGNAL: 0.3}
"""Least mean Dice per type. Motion is not among them: these weights mark where it lies too seldom (0.08 measured)."""
SUPERFICIAL_FAZ_DICE = 0.90


@pytest.fixture(scope="module")
def scorer():
    return load_scorer(ScanKind.OCTA_ENFACE, device="cpu")


def score(scorer, images):
    return scorer.score([ScanInput(str(index), image, None) for index, image in enumerate(images)])


@pytest.fixture(scope="module")
def phantoms():
    return list(evaluation_phantoms(40, seed=99))


@pytest.fixture(scope="module")
def phantom_scores(scorer, phantoms):
    return score(scorer, [phantom.image for phantom in phantoms])


def test_the_faz_of_phantoms_is_found(phantoms, phantom_scores):
    overlaps = [dice(found.faz_mask, phantom.faz_mask) for phantom, found in zip(phantoms, phantom_scores, strict=True)]
    assert np.mean(overlaps) > MEAN_PHANTOM_FAZ_DICE
    assert np.median(overlaps) > MEDIAN_PHANTOM_FAZ_DICE


@pytest.mark.parametrize(("kind", "least"), LEAST_SEPARATION.items())
def test_an_artifact_takes_more_of_a_phantom_that_has_it(scorer, kind, least):
    """Same eye with and without the artifact: the masked share must rise, and lie where the truth says."""
    rises, overlaps = [], []
    clean = [render_octa(OctaPhantomSpec(eye_seed=eye), eye) for eye in range(4)]
    bad = [render_octa(OctaPhantomSpec(eye_seed=eye, **{kind.value: 0.8}), eye) for eye in range(4)]
    results = score(scorer, [phantom.image for phantom in clean + bad])
    for before, after, truth in zip(results[:4], results[4:], bad, strict=True):
        index = list(ArtifactType).index(kind)
        rises.append(after.artifacts[index].area_fraction - before.artifacts[index].area_fraction)
        overlaps.append(dice(after.artifacts[index].mask, truth.artifact_masks[kind]))
    assert np.mean(rises) > 0.05
    assert np.mean(overlaps) > least


def test_clean_phantoms_grade_better_than_spoilt_ones(scorer):
    clean = [render_octa(OctaPhantomSpec(eye_seed=eye), eye).image for eye in range(4)]
    spoilt = [render_octa(OctaPhantomSpec(eye_seed=eye, low_signal=0.95, motion=0.9), eye).image for eye in range(4)]
    grades = [result.grade.probabilities["ungradable"] for result in score(scorer, clean + spoilt)]
    assert max(grades[:4]) < min(grades[4:])


def strangers():
    rng = np.random.default_rng(4711)
    drawn = {
        f"{draw.__name__} {index}": draw(rng) for draw in (blank, noise, gradient, text, fundus) for index in (0, 1, 2)
    }
    return drawn | {name: photograph(name) for name in HELD_OUT_PHOTOGRAPHS}


def test_strangers_are_refused_and_go_to_review(scorer):
    pictures = strangers()
    results = score(scorer, pictures.values())
    taken = [name for name, result in zip(pictures, results, strict=True) if result.is_octa]
    assert taken == []
    judgement = judge(results[0], Protocol.default(), ScanContext(scale=None, slab=Slab.UNKNOWN))
    assert judgement.verdict is Verdict.REVIEW
    assert [reason.code for reason in judgement.reasons] == [ReasonCode.NOT_OCTA]


def test_phantoms_of_every_slab_and_field_are_no_strangers(phantom_scores):
    assert sum(not result.is_octa for result in phantom_scores) <= 1


@pytest.fixture(scope="module")
def held_out(real_data):
    return [item.image for item in split(read_folder(real_data), seed=1) if item.part is Part.HELD_OUT]


@pytest.mark.real_data
def test_the_faz_of_held_out_real_scans_is_found(scorer, held_out):
    drawn = [image for image in held_out if image.key.startswith("faz_coips/")]
    overlaps = {"superficial": [], "deep": []}
    for image, result in zip(drawn, score(scorer, [image.pixels() for image in drawn]), strict=True):
        overlaps[image.slab].append(dice(result.faz_mask, image.faz()))
    assert len(drawn) == 27
    assert np.mean(overlaps["superficial"] + overlaps["deep"]) >= 0.85  # the bound
    assert np.mean(overlaps["superficial"]) > SUPERFICIAL_FAZ_DICE


@pytest.mark.real_data
def test_held_out_real_scans_are_no_strangers(scorer, held_out):
    octa = [image for image in held_out if image.key.startswith("octa_graded/")]
    octa += [image for image in held_out if image.key.startswith("octa_pool/")][::6]
    refused = [
        image.key
        for image, result in zip(octa, score(scorer, [image.pixels() for image in octa]), strict=True)
        if not result.is_octa
    ]
    assert len(refused) <= 0.02 * len(octa), refused


@pytest.mark.real_data
def test_bscans_are_strangers(scorer, real_data):
    paths = sorted(real_data.glob("bscan_*/*.png"))[::4] + sorted(real_data.glob("layers_duke_dme/images/*.png"))[::11]
    taken = [
        path.name
        for path, result in zip(paths, score(scorer, [read_grey(path) for path in paths]), strict=True)
        if result.is_octa
    ]
    assert len(paths) > 15
    assert taken == []
