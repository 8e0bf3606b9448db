"""The asymmetry of lines is the one of its definition: differences of Gaussians with mirrored borders."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.stats import skew

from core.scoring.lanes.noise import line_asymmetry


@pytest.mark.parametrize("shape", [(256, 256), (256, 171), (45, 256)])
def test_the_asymmetry_is_the_skewness_of_levelled_differences_of_gaussians(shape):
    image = np.random.default_rng(8).integers(0, 256, shape, dtype=np.uint8)
    fine, middle, coarse = (gaussian_filter(image / 255, sigma, truncate=3.0) for sigma in (1.0, 2.0, 4.0))
    levelled = [detail / (np.sqrt(uniform_filter(detail**2, 33)) + 1e-3) for detail in (fine - middle, middle - coarse)]
    expected = sum(skew(detail[8:-8, 8:-8], axis=None) for detail in levelled)
    assert line_asymmetry(image) == pytest.approx(expected, abs=1e-4)
