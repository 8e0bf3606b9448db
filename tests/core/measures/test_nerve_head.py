"""The nerve head from its mask: known ellipses, specks, borders, scales."""

import numpy as np
import pytest

from core.measures.nerve_head import nerve_head, nerve_head_component
from core.values import Measured, NotComputable, Scale
from core.vocabulary import ScaleSource

SCALE = Scale(6 / 300, 6 / 300, ScaleSource.MANIFEST)


def ellipse(x_px=150.0, y_px=150.0, radius_px=(44.0, 48.0), size_px=300):
    rows, columns = np.mgrid[:size_px, :size_px] + 0.5
    return ((columns - x_px) / radius_px[0]) ** 2 + ((rows - y_px) / radius_px[1]) ** 2 < 1


def test_an_ellipse_has_its_area_and_a_centred_one_no_offset():
    found = nerve_head(ellipse(), SCALE)
    assert found.area_mm2.value == pytest.approx(np.pi * 0.88 * 0.96, rel=0.01)
    assert found.offset_mm.value == pytest.approx(0.0, abs=0.01)
    assert not found.touches_border
    assert not found.is_far_off


def test_offset_is_given_in_millimetres_and_as_a_share_of_the_field():
    found = nerve_head(ellipse(x_px=200.0), SCALE)
    assert found.offset_mm.value == pytest.approx(1.0, abs=0.01)
    assert found.offset_fraction == pytest.approx(50 / 300, abs=0.002)
    assert found.is_far_off


def test_without_a_scale_there_are_no_millimetres_and_still_an_offset():
    found = nerve_head(ellipse(x_px=160.0), None)
    assert found.area_mm2 == found.offset_mm == NotComputable("no scale")
    assert found.offset_fraction == pytest.approx(10 / 300, abs=0.002)


def test_a_disc_at_the_edge_is_said_to_be_cut_off():
    assert nerve_head(ellipse(x_px=285.0), SCALE).touches_border


def test_specks_are_no_nerve_head_and_holes_are_filled():
    mask = np.zeros((300, 300), bool)
    mask[10:30, 10:30] = True  # 400 px, 0.44 %
    assert isinstance(nerve_head(mask, SCALE), NotComputable)
    holed = ellipse()
    holed[140:160, 140:160] = False
    assert nerve_head_component(holed | mask).sum() == ellipse().sum()


def test_an_empty_mask_has_no_nerve_head():
    assert isinstance(nerve_head(np.zeros((100, 100), bool), SCALE), NotComputable)
    assert isinstance(nerve_head(ellipse(), SCALE).area_mm2, Measured)
