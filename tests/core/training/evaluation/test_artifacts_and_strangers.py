"""Severity against readers, masks against phantoms, strangers refused: from cases made by hand."""

import numpy as np
import pytest

from core.statistics.overlap import mask_overlap
from core.training.evaluation.artifacts import mask_figures, severity_figures
from core.training.evaluation.recognition import recognition_figures
from core.training.folder import Reading
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, CoipsGrade

MOTION, SHADOW = ArtifactType.MOTION, ArtifactType.SHADOW
SEVERITIES = [0, 1, 2, 0, 1, 2, 0, 1, 2]


def found(metrics, name, label):
    return next((metric for metric in metrics if (metric.name, metric.set) == (name, label)), None)


@pytest.fixture
def rated(make_case):
    nothing = dict.fromkeys(OCTA_ARTIFACTS, 0)
    cases = []
    for index, severity in enumerate(SEVERITIES):
        truth = nothing | {MOTION: severity, SHADOW: severity}
        readings = tuple(Reading(CoipsGrade.GRADABLE, nothing | {MOTION: severity}) for _ in "ab")
        said = nothing | {MOTION: severity, SHADOW: 2 - severity}
        cases.append(make_case(index, severities=truth, readings=readings, found=said))
    return cases


def test_severity_kappa_is_one_where_the_model_agrees_and_minus_one_where_it_reverses(rated):
    metrics = severity_figures(rated, "octa_graded", "held-out")
    label = "octa_graded, held-out"
    assert found(metrics, "motion: severity kappa", label).value == 1
    assert found(metrics, "motion: readers' severity kappa", label).value == 1
    assert found(metrics, "shadow: severity kappa", label).value == -1
    assert found(metrics, "shadow: severe AUC", label).value == 0
    assert found(metrics, "defocus: severity kappa", label) is None


def test_masks_are_judged_by_type_and_strength_and_errors_where_there_is_nothing(make_case):
    left, half = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    left[:, :10], half[:, :5] = True, True
    cases = [
        make_case(
            index,
            set="phantoms",
            severities=dict.fromkeys(OCTA_ARTIFACTS, 0) | {MOTION: 2 if index < 6 else 0},
            found=dict.fromkeys(OCTA_ARTIFACTS, 0) | {MOTION: 2},
            artifact_overlaps=dict.fromkeys(OCTA_ARTIFACTS, mask_overlap(half, left)),
        )
        for index in range(12)
    ]
    metrics = mask_figures(cases, "held-out")
    assert found(metrics, "motion Dice", "phantoms, motion severe, held-out").value == pytest.approx(2 / 3, abs=1e-4)
    assert found(metrics, "motion precision", "phantoms, motion severe, held-out").value == 1
    assert found(metrics, "motion recall", "phantoms, motion severe, held-out").value == 0.5
    assert found(metrics, "motion: share marked in error", "phantoms, motion none, held-out").value == 0.2
    assert not [metric for metric in metrics if "mild" in metric.set]


def test_strangers_are_counted_per_kind_and_all_refused_is_no_certainty(make_case):
    refused = [make_case(f"s{i}", set="drawn noise", is_octa=False, taken=False) for i in range(6)]
    mistaken = [make_case(f"b{i}", set="bscans", is_octa=False, taken=i < 5) for i in range(10)]
    real = [make_case(f"r{i}", taken=i > 0) for i in range(5)]
    metrics = recognition_figures([*refused, *mistaken, *real], "held-out")
    assert found(metrics, "refused as no OCTA", "drawn noise, held-out").value == 1
    assert found(metrics, "refused as no OCTA", "drawn noise, held-out").low == pytest.approx(
        0.025 ** (1 / 6), abs=1e-4
    )
    assert found(metrics, "refused as no OCTA", "bscans, held-out").value == 0.5
    assert found(metrics, "taken for OCTA", "octa_graded, held-out").value == 0.8
