"""The intra-retinal band holds the layers of a simulated B-scan, whatever a device paints around it."""

import numpy as np
import pytest

from core.measures.retina_band import otsu_threshold, retina_band, without_white_border
from core.phantom.bscan import BscanLesion, BscanSpec, draw_bscan


@pytest.mark.parametrize("lesion", list(BscanLesion))
def test_the_band_holds_the_layers_and_little_else(lesion: BscanLesion) -> None:
    spec = BscanSpec(height_px=256, width_px=256, z_mm_per_px=1.9 / 256, x_mm_per_px=6 / 256, lesion=lesion)
    phantom = draw_bscan(spec, 5)
    layers, band = phantom.labels > 0, retina_band(phantom.image)
    assert (layers & band).sum() / layers.sum() > 0.9
    assert band.sum() < 2.5 * layers.sum()


def test_white_corners_of_a_turned_scan_are_no_retina() -> None:
    phantom = draw_bscan(BscanSpec(height_px=256, width_px=256, z_mm_per_px=1.9 / 256, x_mm_per_px=6 / 256), 5)
    turned = phantom.image.copy()
    turned[:40, :60] = 255
    assert not retina_band(turned)[:30, :50].any()
    assert (without_white_border(turned)[:40, :60] < 250).all()


@pytest.mark.parametrize("level", [0, 90, 255])
def test_an_even_image_has_no_band(level: int) -> None:
    assert not retina_band(np.full((64, 64), level, np.uint8)).any()


def test_otsus_threshold_parts_two_peaks() -> None:
    levels = np.concatenate([np.full(500, 20.0), np.full(500, 200.0)]).astype(np.float32)
    assert 20 < otsu_threshold(levels) <= 200
