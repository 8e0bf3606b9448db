"""Shares of artifacts in whole fields and in regions."""

import numpy as np
import pytest

from core.measures.artifacts import artifact_score, scores_in_region
from core.measures.regions import circle_region, field_region, region_of_interest
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.values import NotComputable, Scale, SeverityThresholds
from core.vocabulary import ArtifactType, ScaleSource, Severity

SCALE = Scale(0.01, 0.01, ScaleSource.FILE)


def rows(first, last, shape=(100, 100)):
    mask = np.zeros(shape, bool)
    mask[first:last] = True
    return mask


@pytest.mark.parametrize(
    ("n_rows", "severity"),
    [(0, Severity.NONE), (1, Severity.MILD), (10, Severity.MILD), (11, Severity.SEVERE), (100, Severity.SEVERE)],
)
def test_severity_follows_the_contract_borders(n_rows, severity):
    score = artifact_score(ArtifactType.SHADOW, rows(0, n_rows))
    assert score.severity is severity
    assert score.area_fraction == pytest.approx(n_rows / 100)
    assert score.line_fraction is None


def test_below_one_percent_is_none():
    mask = np.zeros((100, 100), bool)
    mask[0, :99] = True
    assert artifact_score(ArtifactType.DEFOCUS, mask).severity is Severity.NONE


def test_motion_counts_a_line_that_is_half_marked_and_the_larger_share_decides():
    mask = np.zeros((100, 100), bool)
    mask[:15, :60] = True
    score = artifact_score(ArtifactType.MOTION, mask)
    assert score.area_fraction == pytest.approx(0.09)
    assert score.line_fraction == pytest.approx(0.15)
    assert score.severity is Severity.SEVERE


def test_stray_pixels_are_no_lines():
    mask = np.zeros((100, 100), bool)
    mask[:, :20] = True
    assert artifact_score(ArtifactType.MOTION, mask).line_fraction == 0.0


def test_only_the_region_counts_but_the_mask_stays_whole():
    region = circle_region((300, 300), SCALE, 1.0)
    mask = rows(0, 50, (300, 300))
    score = artifact_score(ArtifactType.MOTION, mask, region)
    assert (score.area_fraction, score.line_fraction) == (0.0, 0.0)
    assert score.mask.sum() == mask.sum()


def test_a_protocol_judges_scores_again_in_its_region_and_by_its_borders():
    whole = (artifact_score(ArtifactType.SHADOW, rows(100, 150, (300, 300))),)
    region = circle_region((300, 300), SCALE, 1.0)
    again = scores_in_region(whole, region, SeverityThresholds(0.2, 0.9))
    assert whole[0].severity is Severity.SEVERE
    assert again[0].area_fraction == pytest.approx(0.5, abs=0.01)
    assert again[0].severity is Severity.MILD


def test_a_wrong_or_empty_region_is_refused():
    with pytest.raises(ValueError, match="own size"):
        artifact_score(ArtifactType.SHADOW, rows(0, 1), np.ones((5, 5), bool))
    with pytest.raises(ValueError, match="empty"):
        artifact_score(ArtifactType.SHADOW, rows(0, 1), np.zeros((100, 100), bool))


def test_phantom_masks_measure_as_the_phantom_says():
    phantom = render_octa(OctaPhantomSpec(motion=0.4, shadow=0.6, low_signal=0.2), 5)
    for kind, mask in phantom.artifact_masks.items():
        score = artifact_score(kind, mask)
        assert score.area_fraction == phantom.area_fraction(kind)
        assert score.severity is phantom.severities[kind]


def test_a_circle_has_its_area_in_millimetres_whatever_the_pixels():
    scale = Scale(0.01, 0.02, ScaleSource.FILE)
    region = circle_region((200, 400), scale, 3.0)
    assert region.sum() * scale.area_mm2_per_px == pytest.approx(np.pi * 2.25, rel=0.01)


def test_a_circle_needs_a_scale_and_the_whole_field_does_not():
    assert region_of_interest((10, 10), None, 3.0) == NotComputable("no scale")
    assert region_of_interest((10, 10), None, None).all()


def test_the_field_leaves_out_a_black_border():
    image = np.zeros((60, 80), np.uint8)
    image[5:50, 10:70] = 40
    image[20:30, 20:30] = 0
    region = field_region(image)
    assert region.sum() == 45 * 60
    assert region[25, 25]
    assert not field_region(np.zeros((9, 9), np.uint8)).any()
