"""Image indices move the way their names say, and equal their formulas on small images."""

import numpy as np
import pytest
from scipy import ndimage

from core.measures.indices import image_indices
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.values import Measured, NotComputable


@pytest.fixture(scope="module")
def scan():
    return render_octa(OctaPhantomSpec(), 1).image


def test_a_blurred_scan_is_blurrier(scan):
    soft = ndimage.gaussian_filter(scan, 1.5)
    assert image_indices(soft).blurriness.value > 3 * image_indices(scan).blurriness.value


def test_a_noisier_scan_has_a_higher_psnr_inverse(scan):
    noise = np.random.default_rng(1).normal(0, 40, scan.shape)
    noisy = np.clip(scan + noise, 0, 255).astype(np.uint8)
    assert image_indices(noisy).psnr_inverse.value > 1.3 * image_indices(scan).psnr_inverse.value


def test_the_laplacian_is_the_four_neighbour_one():
    image = np.full((9, 9), 10, np.uint8)
    image[4, 4] = 20
    laplacian = np.zeros((9, 9))
    laplacian[4, 4] = -40
    laplacian[[3, 5, 4, 4], [4, 4, 3, 5]] = 10
    assert image_indices(image).blurriness.value == pytest.approx(1 / laplacian.var())


def test_the_median_window_is_three_pixels_wide():
    image = np.full((9, 9), 10, np.uint8)
    image[4, 4] = 20
    residue = np.zeros((9, 9))
    residue[4, 4] = 10
    assert image_indices(image).psnr_inverse.value == pytest.approx(residue.var() / 20)


def test_cov_is_variance_over_maximum_inside_the_region():
    image = np.tile(np.array([[50, 150]], np.uint8), (10, 5))
    region = np.zeros(image.shape, bool)
    region[2:8, 2:8] = True
    found = image_indices(image, region)
    assert found.cov.value == pytest.approx(2500 / 150)
    assert found.mean == Measured(100.0)


def test_a_black_border_does_not_change_the_indices_of_the_field(scan):
    framed = np.pad(scan, 30)
    assert image_indices(framed).mean.value == pytest.approx(image_indices(scan).mean.value, rel=0.01)
    assert image_indices(framed).cov.value == pytest.approx(image_indices(scan).cov.value, rel=0.01)


def test_flat_and_black_images_say_why_there_is_no_value():
    assert image_indices(np.full((20, 20), 90, np.uint8)).blurriness == NotComputable("the image is flat")
    black = image_indices(np.zeros((20, 20), np.uint8))
    assert {black.blurriness, black.psnr_inverse, black.cov, black.mean} == {NotComputable("the image is black")}


def test_the_level_agreement_is_handed_through_or_named_as_missing(scan):
    assert image_indices(scan).q_level_agreement == NotComputable("no deep-supervision head")
    assert image_indices(scan, None, Measured(0.8)).q_level_agreement == Measured(0.8)
