"""The scan heads: they recover what was planted, folds keep near duplicates together, and folding changes nothing."""

import numpy as np
import pytest

from core.scoring.lanes.scan_heads import artifact_areas, grade_probabilities
from core.scoring.lanes.scan_statistics import statistic_names
from core.training.scan_heads import (
    MILD,
    HeadData,
    bounds_of_areas,
    bounds_of_severities,
    cross_validate,
    fit_heads,
    severity_of_output,
)
from core.vocabulary import ArtifactType

N_SCANS, N_POOLED = 200, 6


@pytest.fixture(scope="module")
def planted():
    """Scans whose grade and log areas are known linear functions of two statistics and of one pooled feature."""
    rng = np.random.default_rng(3)
    pooled = rng.normal(2, 3, (N_SCANS, N_POOLED))
    statistics = np.zeros((N_SCANS, len(statistic_names())))
    # Statistics of real scans are a few traits said in many ways; so are these.
    traits = rng.normal(size=(N_SCANS, 8))
    statistics = -1 + 4 * (traits[:, np.arange(len(statistic_names())) % 8] + 0.3 * rng.normal(size=statistics.shape))
    drive = (pooled[:, 0] - 2) / 3 + traits[:, 5]
    grade = (drive > -0.5).astype(int) + (drive > 0.5)
    log_area = np.stack([MILD + 1.2 + 1.5 * traits[:, number] for number in range(4)], axis=1)
    severities = [dict(zip(ArtifactType, row, strict=True)) for row in severity_of_output(log_area).tolist()]
    low, high = bounds_of_severities(severities)
    groups = [f"group {index // 2}" for index in range(N_SCANS)]
    return HeadData(pooled, statistics, grade, low, high), groups, log_area


@pytest.fixture(scope="module")
def found(planted):
    data, groups, _ = planted
    return cross_validate(data, groups, [str(grade) for grade in data.grade])


def test_left_out_scans_get_the_planted_grades_and_severities(planted, found):
    data, _, log_area = planted
    hit = grade_probabilities(found.outputs, 1.0).argmax(axis=1) == data.grade
    assert hit.mean() > max(np.mean(data.grade == grade) for grade in range(3)) + 0.25
    same = severity_of_output(found.outputs[:, 2:]) == severity_of_output(log_area)
    assert same.mean() > 0.7
    # The extent is right on its own scale, though only bands of it were ever told.
    correlation = [np.corrcoef(found.outputs[:, 2 + number], log_area[:, number])[0, 1] for number in range(4)]
    assert min(correlation) > 0.7


def test_near_duplicates_share_a_fold(planted, found):
    _, groups, _ = planted
    fold = found.fold
    assert set(fold) == set(range(5))
    for group in set(groups):
        assert len({int(number) for number, name in zip(fold, groups, strict=True) if name == group}) == 1


def test_labels_of_pure_noise_are_not_learned(planted):
    data, groups, _ = planted
    shuffled = np.random.default_rng(9).permutation(data.grade)
    noise = HeadData(data.pooled, data.statistics, shuffled, data.low, data.high)
    found = cross_validate(noise, groups, [str(grade) for grade in shuffled])
    hit = grade_probabilities(found.outputs, 1.0).argmax(axis=1) == shuffled
    chance = max(np.mean(shuffled == grade) for grade in range(3))
    assert hit.mean() < chance + 0.1


def test_scans_without_grade_or_severity_have_no_say_in_them(planted):
    data, groups, _ = planted
    unknown = HeadData(
        data.pooled + 50, data.statistics, np.full(N_SCANS, -1), np.full((N_SCANS, 4), np.nan), np.full((N_SCANS, 4), np.nan)
    )
    # Standardising sees every scan; so the same scans are added on both sides, once with labels that are not known.
    both = fit_heads(data.joined(unknown), groups + [f"other {name}" for name in groups])
    assert np.isfinite(both.outputs(data.pooled[:3].astype(np.float32), data.statistics[:3])).all()


def test_known_areas_become_narrow_bands_and_absent_ones_an_upper_limit():
    low, high = bounds_of_areas(np.array([[0.2, 0.0, 0.05, 1.0]]))
    assert (low[0, [0, 2, 3]] < np.log([0.2, 0.05, 1.0])).all()
    assert (high[0, [0, 2, 3]] > np.log([0.2, 0.05, 1.0])).all()
    assert low[0, 1] == -np.inf
    assert np.exp(high[0, 1]) < 0.01


def test_areas_stay_within_the_image(planted):
    data, groups, _ = planted
    heads = fit_heads(data, groups)
    wild = heads.outputs(np.full(N_POOLED, 1e6, np.float32), np.full(len(statistic_names()), -1e9))
    assert all(0 < area <= 1 for area in artifact_areas(wild).values())
