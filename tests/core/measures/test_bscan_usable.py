"""Coverage of a B-scan: phantoms whose retina is whole, cut off, half dark or missing."""

import numpy as np

from core.measures.bscan_usable import bscan_coverage
from core.phantom.bscan import BscanSpec, draw_bscan

SPEC = BscanSpec(248, 256, 0.0078, 0.0232, noise=0.2)


def test_a_whole_retina_is_neither_cut_nor_dim() -> None:
    found = bscan_coverage(draw_bscan(SPEC, seed=2).image)
    assert found.retina > 0.95
    assert found.cut == 0
    assert found.dim < 0.05


def test_a_retina_that_leaves_the_picture_is_cut() -> None:
    image = draw_bscan(SPEC, seed=2).image
    top = int(draw_bscan(SPEC, seed=2).boundary_row_px[0].mean())
    assert bscan_coverage(image[top + 10 :]).cut > 0.5


def test_a_third_in_the_dark_is_counted_as_dim() -> None:
    image = draw_bscan(SPEC, seed=2).image.astype(np.float32)
    image[:, :85] *= 0.35
    assert bscan_coverage(image.astype(np.uint8)).dim > 0.2


def test_an_even_picture_has_no_retina() -> None:
    assert bscan_coverage(np.full((128, 128), 90, np.uint8)).retina == 0
