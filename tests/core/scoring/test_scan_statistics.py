"""The scan statistics: finite for any picture, named one by one, and moved by the artifact they are named after."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.scoring.lanes.canvas import place
from core.scoring.lanes.likeness import likeness_features
from core.scoring.lanes.scan_statistics import scan_statistics, statistic_names
from core.scoring.lanes.texture_statistics import texture_names, texture_statistics

SILENT = np.full((128, 128), -8.0, np.float32)


def statistics(image, artifact_logits=None):
    canvas, placement = place(image)
    found = scan_statistics(
        canvas,
        placement,
        artifact_logits=np.stack([SILENT] * 4) if artifact_logits is None else artifact_logits,
        faz_logits=SILENT,
        large_vessel_logits=SILENT,
        simulated_grade_logits=np.zeros(3, np.float32),
        likeness=likeness_features(canvas, placement),
    )
    return dict(zip(statistic_names(), found, strict=True))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((304, 304), np.uint8),
        np.full((304, 304), 255, np.uint8),
        np.random.default_rng(1).integers(0, 256, (304, 304), dtype=np.uint8),
        np.random.default_rng(1).integers(0, 256, (600, 40), dtype=np.uint8),
        np.tile(np.arange(256, dtype=np.uint8), (64, 1)),
    ],
    ids=["black", "white", "noise", "narrow", "ramp"],
)
def test_every_number_is_finite_for_any_picture(image):
    assert all(np.isfinite(value) for value in statistics(image).values())


def test_names_are_unique():
    assert len(set(statistic_names())) == len(statistic_names())


def test_motion_makes_neighbouring_rows_less_alike_but_not_columns():
    clean, moved = (
        statistics(render_octa(OctaPhantomSpec(size_px=304, motion=strength), 7).image) for strength in (0.0, 0.9)
    )
    assert moved["row_likeness_q01"] < clean["row_likeness_q01"] - 0.1
    assert moved["row_step_max"] > clean["row_step_max"]
    assert abs(moved["column_step_max"] - clean["column_step_max"]) < moved["row_step_max"] - clean["row_step_max"]


def test_low_signal_adds_grain():
    clean, weak = (
        statistics(render_octa(OctaPhantomSpec(size_px=304, low_signal=strength), 7).image) for strength in (0.0, 0.9)
    )
    assert weak["fine_share"] > clean["fine_share"]


def test_the_area_of_an_artifact_is_measured_where_its_logits_are_high():
    logits = np.stack([SILENT] * 4)
    logits[1, :32] = 6.0
    found = statistics(np.full((304, 304), 90, np.uint8), logits)
    assert np.exp(found["shadow_above_0.5"]) == pytest.approx(0.25, abs=0.01)
    assert found["shadow_lines"] == pytest.approx(0.25, abs=0.01)
    assert np.exp(found["motion_above_0.5"]) < 0.01


def test_a_picture_too_narrow_for_windows_still_has_every_number():
    found = texture_statistics(np.zeros((256, 5), np.float32))
    assert found.shape == (len(texture_names()),)
    assert np.isfinite(found).all()


def test_blur_takes_fine_structure_from_the_finest_scale_first():
    sharp = render_octa(OctaPhantomSpec(size_px=256), 7).image.astype(np.float32) / 255
    clear, blurred = (
        dict(zip(texture_names(), texture_statistics(plane), strict=True))
        for plane in (sharp, gaussian_filter(sharp, 2.0))
    )
    lost = [blurred[f"texture_fine_sd_{scale}"] / clear[f"texture_fine_sd_{scale}"] for scale in (1, 2, 4)]
    assert lost[0] < lost[1] < lost[2] < 1


def test_stripes_are_told_by_their_direction():
    stripes = np.tile(np.float32([0.2, 0.2, 0.8, 0.8]), (64, 16))
    across, down = (
        dict(zip(texture_names(), texture_statistics(plane), strict=True))
        for plane in (stripes, np.ascontiguousarray(stripes.T))
    )
    assert across["texture_gradient_anisotropy_1"] > 1 > -1 > down["texture_gradient_anisotropy_1"]
    assert across["texture_row_change_max"] == 0 < down["texture_row_change_max"]


def test_uniform_patterns_are_shares():
    shares = texture_statistics(np.random.default_rng(2).random((64, 64)).astype(np.float32))
    patterns = [value for name, value in zip(texture_names(), shares, strict=True) if "_pattern_" in name]
    assert sum(patterns) == pytest.approx(1)
