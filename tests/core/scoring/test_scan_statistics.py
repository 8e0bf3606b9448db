"""The scan statistics: finite for any picture, named one by one, and moved by the artifact they are named after."""

import numpy as np
import pytest

from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.scoring.lanes.canvas import place
from core.scoring.lanes.likeness import likeness_features
from core.scoring.lanes.scan_statistics import scan_statistics, statistic_names

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
