"""The canvas: geometry there and back, at every size, with the padding kept out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.special import expit

from core.scoring.lanes.canvas import CANVAS_PX, Placement, logistic, normalise, place, restore

SIDES = st.integers(min_value=32, max_value=700)


@settings(max_examples=40, deadline=None)
@given(height=SIDES, width=SIDES)
def test_a_map_comes_back_at_the_images_own_size(height, width):
    canvas, placement = place(np.zeros((height, width), np.uint8))
    assert canvas.shape == (CANVAS_PX, CANVAS_PX)
    for side in (8, 128):
        assert restore(np.ones((side, side), np.float32), placement).shape == (height, width)


@pytest.mark.parametrize(("height", "width"), [(304, 304), (320, 320), (512, 512), (300, 400), (512, 200)])
def test_a_disc_comes_back_where_it_was(height, width):
    rows, columns = np.mgrid[0:height, 0:width]
    disc = np.hypot(rows - 0.4 * height, columns - 0.6 * width) < 0.15 * min(height, width)
    canvas, placement = place(disc.astype(np.uint8) * 255)
    at_stride_2 = canvas.reshape(128, 2, 128, 2).mean(axis=(1, 3)).astype(np.float32) / 255
    back = restore(at_stride_2, placement) >= 0.5
    assert 2 * (back & disc).sum() / (back.sum() + disc.sum()) > 0.97


@pytest.mark.parametrize(("height", "width"), [(304, 304), (90, 90), (300, 400), (171, 512)])
def test_a_map_is_brought_back_as_pillow_would_do_it(height, width):
    network_map = np.random.default_rng(3).random((128, 128), np.float32)
    left, top, right, bottom = Placement.of(height, width).box(2)
    cells = Image.fromarray(network_map[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))])
    inside = (left - int(left), top - int(top), right - int(left), bottom - int(top))
    expected = np.asarray(cells.resize((width, height), Image.Resampling.BILINEAR, box=inside))
    np.testing.assert_allclose(restore(network_map, Placement.of(height, width)), expected, atol=1e-6)


def test_probabilities_are_the_logistic_function_however_sure_the_network_is():
    logits = np.array([-1e4, -90, -20, -1, 0, 1, 20, 90, 1e4], np.float32)
    np.testing.assert_allclose(logistic(logits), expit(logits), rtol=1e-6, atol=1e-30)


def test_what_lies_in_the_padding_never_bleeds_into_the_image():
    placement = Placement.of(128, 256)
    network_map = np.full((128, 128), 100.0, np.float32)
    network_map[32:96] = 1.0
    assert restore(network_map, placement).max() == pytest.approx(1.0)


def test_the_padding_is_the_normalised_zero():
    canvas, placement = place(np.full((100, 300), 255, np.uint8))
    assert abs(float(normalise(canvas)[0, 0])) < 0.01
    assert canvas[placement.top_px + 5, 100] == 255


@pytest.mark.parametrize("shape", [(31, 300), (300, 300, 3), (0, 0)])
def test_an_image_that_cannot_be_scored_is_refused_with_its_shape(shape):
    with pytest.raises(ValueError, match="at least 32 x 32"):
        place(np.zeros(shape, np.uint8))
