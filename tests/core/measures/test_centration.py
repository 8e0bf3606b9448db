"""Centration against discs put at known places, and against the phantoms' own count."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from core.measures.centration import centration, circle_loss
from core.measures.faz import faz_centroid_px, faz_component
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.values import NotComputable, Scale
from core.vocabulary import ScaleSource, Severity


def disc(shape, centre_px, radius_px=20.0):
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    return np.hypot(x - centre_px[0], y - centre_px[1]) <= radius_px


def test_a_centred_zone_has_no_offset():
    found = centration(disc((300, 300), (150, 150)), Scale(0.01, 0.01, ScaleSource.FILE))
    assert found.offset_mm.value == pytest.approx(0.0, abs=1e-9)
    assert found.severity is Severity.NONE


def test_the_offset_is_given_in_millimetres_and_as_a_share_of_the_field():
    found = centration(disc((300, 300), (180, 110)), Scale(0.01, 0.01, ScaleSource.FILE))
    assert found.offset_mm.value == pytest.approx(0.5, abs=0.005)
    assert found.offset_fraction.value == pytest.approx(0.5 / 3.0, abs=0.002)


def test_pixels_that_are_not_square_are_measured_in_their_own_spacing():
    found = centration(disc((150, 300), (180, 85)), Scale(0.01, 0.02, ScaleSource.FILE))
    assert found.offset_mm.value == pytest.approx(np.hypot(0.3, 0.2), abs=0.005)
    assert found.offset_fraction.value == pytest.approx(np.hypot(0.1, 1 / 15), abs=0.002)


def test_without_a_scale_the_share_and_the_severity_remain():
    found = centration(disc((300, 300), (220, 150)), None)
    assert found.offset_mm == NotComputable("no scale")
    assert found.offset_fraction.value == pytest.approx(70 / 300, abs=0.002)
    assert found.severity is Severity.SEVERE


def test_without_a_zone_nothing_is_computed():
    found = centration(np.zeros((300, 300), bool), Scale(0.01, 0.01, ScaleSource.FILE))
    assert found.severity is None
    assert isinstance(found.offset_mm, NotComputable)
    assert isinstance(found.offset_fraction, NotComputable)


@pytest.mark.parametrize(
    ("share", "severity"),
    [(0.09, Severity.NONE), (0.11, Severity.MILD), (0.14, Severity.MILD), (0.17, Severity.SEVERE)],
)
def test_severity_follows_the_share_of_the_circle_that_is_cut_off(share, severity):
    assert centration(disc((300, 300), (150 + 300 * share, 150)), None).severity is severity


def test_a_wide_field_forgives_a_sideways_offset():
    assert circle_loss((6.0, 3.0), (1.0, 0.0)) == 0.0
    assert circle_loss((3.0, 3.0), (1.0, 0.0)) > 0.2
    assert circle_loss((3.0, 3.0), (0.0, 1.0)) == pytest.approx(circle_loss((3.0, 3.0), (-1.0, 0.0)))


@pytest.mark.parametrize("offset", [(0.1, 0.0), (0.3, 0.2), (-0.4, 0.1), (0.0, 0.9), (1.5, 0.0)])
def test_the_loss_equals_a_count_of_points(offset):
    axis = np.linspace(-1.5, 1.5, 1501)
    x, y = np.meshgrid(axis, axis)
    circle = np.hypot(x, y) <= 1.5
    lost = circle & (np.maximum(abs(x + offset[0]), abs(y + offset[1])) > 1.5)
    assert circle_loss((3.0, 3.0), offset) == pytest.approx(lost.sum() / circle.sum(), abs=0.003)


def test_phantoms_agree_with_the_measure():
    agreed = 0
    for seed, strength in enumerate(np.linspace(0.0, 1.0, 12)):
        phantom = render_octa(replace(OctaPhantomSpec(), decentration=float(strength)), seed)
        found = centration(phantom.faz_mask, phantom.scale)
        if not phantom.faz_mask[[0, -1]].any() and not phantom.faz_mask[:, [0, -1]].any():
            assert found.offset_mm.value == pytest.approx(np.hypot(*phantom.centre_offset_mm), abs=0.01)
            agreed += found.severity is phantom.centration_severity
    assert agreed >= 10


@pytest.mark.parametrize("shift_px", [(0, 0), (20, 0), (-15, 25), (40, -30), (-45, -45)])
def test_a_phantom_shifted_by_known_pixels_is_found_there_to_a_hundredth_of_a_millimetre(shift_px):
    """Crops of one wide rendering: the whole way from the FAZ's mask to millimetres, with nothing drawn anew."""
    wide = render_octa(replace(OctaPhantomSpec(), size_px=456, field_mm=4.5), 3)
    dx, dy = shift_px
    top, left = (456 - 304) // 2 - dy, (456 - 304) // 2 - dx
    zone = wide.faz_mask[top : top + 304, left : left + 304]
    assert zone.sum() == wide.faz_mask.sum()
    px_mm = wide.scale.x_mm_per_px
    expected = np.hypot(wide.centre_offset_mm[0] + dx * px_mm, wide.centre_offset_mm[1] + dy * px_mm)
    assert centration(zone, wide.scale).offset_mm.value == pytest.approx(expected, abs=0.01)


@pytest.mark.real_data
def test_real_scans_cropped_off_centre_are_off_by_the_shift_to_a_hundredth_of_a_millimetre(real_data):
    """COIPS, superficial, 3 x 3 mm: the manual FAZ masks, cropped to 384 of 512 pixels at known places."""
    px_mm, tested, severe = 3.0 / 512, 0, 0
    scale = Scale(px_mm, px_mm, ScaleSource.FILE)
    for path in sorted((real_data / "faz_coips" / "masks").glob("superficial_*.png")):
        mask = np.asarray(Image.open(path)) > 0
        centred = crop(mask, 0, 0)
        for dx, dy in ((-60, 0), (30, 50), (0, -64)):
            moved = crop(mask, dx, dy)
            if faz_component(moved).sum() != faz_component(mask).sum() or touches_border(centred):
                continue
            at_rest = np.array(faz_centroid_px(centred)) - 192.0
            expected = float(np.hypot(at_rest[0] + dx, at_rest[1] + dy)) * px_mm
            found = centration(moved, scale)
            assert found.offset_mm.value == pytest.approx(expected, abs=0.01)
            assert found.severity is not None
            severe += found.severity is Severity.SEVERE
            tested += 1
    assert tested >= 60
    assert severe >= tested // 3


def crop(mask, dx, dy):
    return mask[64 - dy : 448 - dy, 64 - dx : 448 - dx]


def touches_border(mask):
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
