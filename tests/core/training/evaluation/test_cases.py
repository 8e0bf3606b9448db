"""Cases come from the product's scorer: what it says is judged against what the folder or the phantom knows."""

from dataclasses import replace

import numpy as np
import pytest
from lane import scores_with

from core.errors import UsageError
from core.measures.artifacts import artifact_score
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.scoring.contract import ScanFailure
from core.training.evaluation.cases import (
    BATCH,
    DRAWN_FAMILIES,
    evaluation_phantoms,
    image_cases,
    phantom_cases,
    stranger_cases,
)
from core.training.folder import read_folder
from core.training.splits import split
from core.training.strangers import HELD_OUT_PHOTOGRAPHS
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, CoipsGrade


class MaskingScorer:
    """Says grade 1 of everything and draws the masks it was given by key; nothing elsewhere."""

    def __init__(self, faz=None, artifacts=None, fails=()):
        self.faz, self.artifacts, self.fails = faz or {}, artifacts or {}, fails
        self.batches = []

    def score(self, scans):
        self.batches.append(len(scans))
        return [self._one(scan) for scan in scans]

    def _one(self, scan):
        if scan.key in self.fails:
            return ScanFailure(scan.key, "not finite", is_transient=False)
        nothing = np.zeros(scan.image.shape, bool)
        masks, scored = self.artifacts.get(scan.key, {}), scores_with(1)
        return replace(
            scored,
            key=scan.key,
            findings=replace(scored.octa, faz_mask=self.faz.get(scan.key, nothing)),
            artifacts=tuple(artifact_score(kind, masks.get(kind, nothing)) for kind in OCTA_ARTIFACTS),
        )


@pytest.fixture(scope="module")
def phantoms():
    return [render_octa(OctaPhantomSpec(size_px=96, shadow=0.8, eye_seed=eye), eye) for eye in (1, 2)]


def test_a_scorer_that_draws_the_truth_of_phantoms_is_perfect_and_one_that_draws_nothing_misses_it(phantoms):
    truth = MaskingScorer(
        faz={str(i): phantom.faz_mask for i, phantom in enumerate(phantoms)},
        artifacts={str(i): phantom.artifact_masks for i, phantom in enumerate(phantoms)},
    )
    for case, phantom in zip(phantom_cases(truth, phantoms), phantoms, strict=True):
        assert case.zone.overlap.dice == 1
        found, drawn = case.zone.area_mm2
        assert found == drawn == pytest.approx(phantom.faz_area_mm2, rel=0.1)
        assert case.artifact_overlaps[ArtifactType.SHADOW].dice == 1
        assert case.said.severities[ArtifactType.SHADOW] == case.severities[ArtifactType.SHADOW] == 2
    for case in phantom_cases(MaskingScorer(), phantoms):
        assert case.zone.overlap.dice == 0
        assert case.artifact_overlaps[ArtifactType.SHADOW].recall == 0


def test_images_of_a_folder_keep_their_labels_group_and_field(training_folder):
    images = split(read_folder(training_folder), seed=1)
    scorer = MaskingScorer()
    cases = {case.key: case for case in image_cases(scorer, images)}
    assert len(cases) == len(images)
    assert max(scorer.batches) == BATCH
    zone = cases["faz_phantoms/3.png"].zone
    assert zone.mm_per_px == pytest.approx(3 / 96)
    assert zone.area_mm2[0] == 0
    assert cases["faz_phantoms/2.png"].group == cases["faz_phantoms/3.png"].group
    assert cases["octa_graded/g1.png"].image is not None
    assert not cases["bscan_drawn/0.png"].is_octa
    assert cases["octa_graded/g1.png"].said.probabilities.argmax() == CoipsGrade.GRADABLE


def test_strangers_hold_every_photograph_and_every_family_alike():
    cases = stranger_cases(MaskingScorer(), n_drawn=2 * len(DRAWN_FAMILIES), seed=4)
    counts = {}
    for case in cases:
        counts[case.set] = counts.get(case.set, 0) + 1
    assert counts.pop("photographs") == len(HELD_OUT_PHOTOGRAPHS)
    assert set(counts.values()) == {2}
    assert not any(case.is_octa for case in cases)


def test_a_labelled_image_that_cannot_be_scored_stops_the_evaluation(phantoms):
    with pytest.raises(UsageError, match="1 could not be scored: not finite"):
        phantom_cases(MaskingScorer(fails=["1"]), phantoms)


def test_evaluation_phantoms_are_the_same_every_time():
    first, again = (next(evaluation_phantoms(1, seed=5)) for _ in range(2))
    assert np.array_equal(first.image, again.image)
