"""FAZ metrics against discs and ellipses of known area, perimeter and axes."""

import numpy as np
import pytest
from scipy.special import ellipe

from core.measures.faz import faz_component, faz_metrics, faz_outline
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.values import NotComputable, Scale
from core.vocabulary import ScaleSource


def scale_of(x_mm, y_mm):
    return Scale(x_mm, y_mm, ScaleSource.FILE)


def ellipse(a_mm, b_mm, scale, *, tilt=0.0, shape=(240, 280), centre_px=(140.3, 119.6)):
    x = (np.arange(shape[1]) + 0.5 - centre_px[0]) * scale.x_mm_per_px
    y = ((np.arange(shape[0]) + 0.5 - centre_px[1]) * scale.y_mm_per_px)[:, None]
    u, v = x * np.cos(tilt) + y * np.sin(tilt), -x * np.sin(tilt) + y * np.cos(tilt)
    return (u / a_mm) ** 2 + (v / b_mm) ** 2 <= 1.0


def perimeter_of(a_mm, b_mm):
    return 4.0 * a_mm * ellipe(1.0 - (b_mm / a_mm) ** 2)


SHAPES = [(0.15, 0.15), (0.3, 0.3), (0.6, 0.6), (0.4, 0.25), (0.5, 0.2)]
SPACINGS = [(0.01, 0.01, 0.01), (0.012, 0.009, 0.015), (0.01, 0.018, 0.025)]
"""Spacing in x and y, and the relative error that is allowed: flat pixels draw a coarser staircase."""


@pytest.mark.parametrize(("a", "b"), SHAPES)
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("tilt", [0.0, 0.6])
def test_discs_and_ellipses_measure_as_geometry_says(a, b, spacing, tilt):
    x, y, rel = spacing
    scale = scale_of(x, y)
    metrics = faz_metrics(ellipse(a, b, scale, tilt=tilt), scale)
    assert metrics.area_mm2.value == pytest.approx(np.pi * a * b, rel=rel)
    assert metrics.perimeter_mm.value == pytest.approx(perimeter_of(a, b), rel=rel)
    assert metrics.axis_ratio.value == pytest.approx(a / b, rel=rel)
    circularity = 4 * np.pi * np.pi * a * b / perimeter_of(a, b) ** 2
    assert metrics.circularity.value == pytest.approx(circularity, rel=2.5 * rel)
    assert metrics.acircularity_index.value == pytest.approx(metrics.circularity.value**-0.5)
    assert not metrics.touches_border


def test_a_phantom_faz_has_the_area_and_nearly_the_perimeter_it_was_drawn_with():
    for seed in range(4):
        phantom = render_octa(OctaPhantomSpec(size_px=512), seed)
        metrics = faz_metrics(phantom.faz_mask, phantom.scale)
        assert metrics.area_mm2.value == pytest.approx(phantom.faz_area_mm2, rel=0.01)
        assert metrics.perimeter_mm.value == pytest.approx(phantom.faz_perimeter_mm, rel=0.04)


def test_without_a_scale_nothing_is_given_in_millimetres():
    metrics = faz_metrics(ellipse(0.3, 0.3, scale_of(0.01, 0.01)), None)
    assert metrics.area_mm2 == metrics.perimeter_mm == metrics.axis_ratio == NotComputable("no scale")
    assert metrics.circularity == metrics.acircularity_index == NotComputable("no scale")


@pytest.mark.parametrize("mask", [np.zeros((50, 50), bool), np.eye(50, dtype=bool) & (np.arange(50) < 5)])
def test_an_empty_mask_or_a_speck_is_no_faz(mask):
    assert faz_metrics(mask, scale_of(0.01, 0.01)) == NotComputable("no FAZ visible")
    assert faz_outline(mask).shape == (0, 2)


def test_specks_beside_the_zone_and_holes_in_it_do_not_count():
    scale = scale_of(0.01, 0.01)
    clean = ellipse(0.3, 0.3, scale)
    noisy = clean.copy()
    noisy[115:120, 135:140] = False
    noisy[5:9, 5:9] = True
    assert np.array_equal(faz_component(noisy), clean)
    assert faz_metrics(noisy, scale) == faz_metrics(clean, scale)


def test_a_zone_cut_off_by_the_border_says_so():
    scale = scale_of(0.01, 0.01)
    metrics = faz_metrics(ellipse(0.3, 0.3, scale, centre_px=(10.0, 100.0)), scale)
    assert metrics.touches_border
    assert metrics.area_mm2.value < np.pi * 0.09


def test_the_outline_is_closed_and_lies_on_the_rim():
    scale = scale_of(0.01, 0.01)
    points = faz_outline(ellipse(0.3, 0.3, scale))
    assert np.array_equal(points[0], points[-1])
    assert np.allclose(np.hypot(points[:, 0] + 0.5 - 140.3, points[:, 1] + 0.5 - 119.6), 30.0, atol=0.6)


def test_a_zone_one_pixel_wide_has_no_outline_and_says_why():
    mask = np.zeros((60, 60), bool)
    mask[30, 10:50] = True
    metrics = faz_metrics(mask, scale_of(0.01, 0.01))
    assert metrics.perimeter_mm == NotComputable("the FAZ is too thin to outline")
    assert metrics.area_mm2.value == pytest.approx(40 * 1e-4)
