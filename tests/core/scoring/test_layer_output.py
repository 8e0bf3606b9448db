"""From probabilities to boundaries: below a pixel, never crossing, one retina, nothing made up where none was found."""

import itertools

import numpy as np
import pytest

from core.phantom.bscan import BscanLesion, BscanSpec, draw_bscan
from core.scoring.lanes.layer_canvas import on_canvas
from core.scoring.lanes.layer_mask import class_shares
from core.scoring.lanes.layer_output import layers_of, one_retina

SIZE = 64


def stack(*rows, width=SIZE, size=SIZE):
    """Certain probabilities (classes, size, width) of layers between these rows."""
    labels = np.zeros(size, np.uint8)
    for number, (top, bottom) in enumerate(itertools.pairwise(rows), start=1):
        labels[top:bottom] = number
    shares = np.stack([labels == number for number in range(len(rows))]).astype(np.float32)
    return np.repeat(shares[:, :, None], width, axis=2)


def test_boundaries_lie_on_the_edges_between_rows():
    found = layers_of(stack(20, 26, 33, 40), SIZE, SIZE)
    assert np.allclose(found.boundary_row_px, np.array([19.5, 25.5, 32.5, 39.5])[:, None])
    assert found.labels[:, 5].tolist() == [0] * 20 + [1] * 6 + [2] * 7 + [3] * 7 + [0] * 24


def test_a_phantom_s_truth_through_the_canvas_comes_back_to_a_third_of_a_pixel():
    for lesion in BscanLesion:
        phantom = draw_bscan(BscanSpec(lesion=lesion), 11)
        found = layers_of(class_shares(phantom.labels, 8, 256, 256), *phantom.image.shape)
        assert np.abs(found.boundary_row_px - phantom.boundary_row_px).mean() < 0.35
        thickness = (found.boundary_row_px[-1] - found.boundary_row_px[0]) * 1000 * phantom.z_mm_per_px
        assert np.abs(thickness - phantom.thickness_um).mean() < 2.0


def test_boundaries_never_cross_whatever_the_network_says():
    rng = np.random.default_rng(3)
    noise = rng.gamma(0.3, size=(8, SIZE, SIZE)).astype(np.float32)
    found = layers_of(noise / noise.sum(axis=0), SIZE, 100)
    rows = found.boundary_row_px[:, np.isfinite(found.boundary_row_px).all(axis=0)]
    assert (np.diff(rows, axis=0) >= 0).all()


def test_columns_without_retina_are_left_out_and_never_filled():
    probabilities = stack(20, 30, 40)
    probabilities[:, :, 25:40] = np.array([1.0, 0.0, 0.0])[:, None, None]
    found = layers_of(probabilities, SIZE, SIZE)
    there = np.isfinite(found.boundary_row_px).all(axis=0)
    assert there.tolist() == [not 25 <= column < 40 for column in range(SIZE)]
    assert not found.labels[:, 25:40].any()


def test_a_hole_within_the_retina_is_retina():
    whole, holed = stack(20, 30, 40), stack(20, 30, 40)
    holed[:, 33:36, 10] = np.array([1.0, 0.0, 0.0])[:, None]
    rows = [layers_of(probabilities, SIZE, SIZE).boundary_row_px[:, 10] for probabilities in (whole, holed)]
    assert rows[1][-1] == pytest.approx(rows[0][-1])
    assert rows[1][0] == pytest.approx(rows[0][0])


def test_specks_in_the_vitreous_are_no_retina_but_a_second_piece_beyond_a_shadow_is():
    mask = np.zeros((SIZE, SIZE), bool)
    mask[30:40, :30] = mask[30:40, 40:] = True
    mask[5:7, 10:13] = True
    kept = one_retina(mask)
    assert not kept[:10].any()
    assert kept[35, 5]
    assert kept[35, 50]


def test_a_retina_that_leaves_the_frame_says_at_which_edge():
    found = layers_of(stack(0, 12, 30), SIZE, SIZE)
    assert found.cut_top.all()
    assert not found.cut_bottom.any()
    low = layers_of(np.roll(stack(20, 30, 40), 24, axis=1), SIZE, SIZE)
    assert low.cut_bottom.all()


def test_an_empty_picture_has_no_retina_and_no_error():
    empty = np.zeros((8, SIZE, SIZE), np.float32)
    empty[0] = 1.0
    found = layers_of(empty, 496, 768)
    assert not found.has_retina
    assert found.boundary_row_px.shape == (8, 768)
    assert not found.labels.any()


def test_the_canvas_keeps_means_of_areas():
    image = np.arange(512 * 512, dtype=np.uint32).reshape(512, 512) % 251
    canvas = on_canvas(image.astype(np.uint8))
    assert canvas.shape == (256, 256)
    assert canvas[3, 4] == pytest.approx(image[6:8, 8:10].mean(), abs=0.5)
