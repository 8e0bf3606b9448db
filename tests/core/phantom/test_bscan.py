"""Tests for the simulated B-scans and volumes and their truth."""

import numpy as np
import pytest

from core.phantom.bscan import (
    BscanLesion,
    BscanSpec,
    VolumeSpec,
    draw_bscan,
    draw_volume_lines,
    random_bscan_spec,
)
from core.phantom.retina import RetinaShape

SMALL = BscanSpec(height_px=160, width_px=128, z_mm_per_px=0.012, x_mm_per_px=0.046, noise=0.1)


def test_ring_means_and_volume_are_those_of_a_fine_grid() -> None:
    shape = RetinaShape(nasal_slope_um_per_mm=2.0)
    axis = np.arange(-3.0, 3.0, 0.01) + 0.005
    x, y = np.meshgrid(axis, axis)
    thickness, distance = shape.total_um(x, y), np.hypot(x, y)
    for inner, outer in ((0.0, 0.5), (0.5, 1.5), (1.5, 3.0)):
        ring = (distance >= inner) & (distance < outer)
        assert shape.ring_mean_um(inner, outer) == pytest.approx(thickness[ring].mean(), abs=0.3)
    summed = thickness[distance < 3.0].sum() * 1e-3 * 0.01**2
    assert shape.volume_mm3(3.0) == pytest.approx(summed, rel=2e-3)


def test_the_pit_is_thinner_than_the_rim_as_in_a_healthy_eye() -> None:
    shape = RetinaShape()
    centre, rim = shape.ring_mean_um(0.0, 0.5), shape.ring_mean_um(0.5, 1.5)
    assert 220 < centre < 290
    assert 300 < rim < 360


def test_labels_follow_the_boundaries_and_the_same_seed_gives_the_same_bytes() -> None:
    phantom, again = draw_bscan(SMALL, 7), draw_bscan(SMALL, 7)
    assert np.array_equal(phantom.image, again.image)
    assert not np.array_equal(phantom.image, draw_bscan(SMALL, 8).image)
    assert phantom.image.shape == phantom.labels.shape == (160, 128)
    column = 40
    rows = np.ceil(phantom.boundary_row_px[:, column]).astype(int)
    for layer in range(1, 8):
        assert (phantom.labels[rows[layer - 1] : rows[layer], column] == layer).all()
    assert (phantom.labels[: rows[0], column] == 0).all()
    assert (phantom.labels[rows[7] :, column] == 0).all()


def test_boundaries_never_cross() -> None:
    for number, lesion in enumerate(BscanLesion):
        spec = random_bscan_spec(np.random.default_rng([4, number]), lesion, height_px=128, width_px=128)
        assert (np.diff(draw_bscan(spec, number).boundary_row_px, axis=0) > 0).all()


@pytest.mark.parametrize("lesion", list(BscanLesion))
def test_each_kind_shows_its_lesion_within_the_retina(lesion: BscanLesion) -> None:
    spec = BscanSpec(height_px=248, width_px=256, z_mm_per_px=0.0078, x_mm_per_px=0.0232, lesion=lesion)
    for seed in range(4):
        phantom = draw_bscan(spec, seed)
        shown = {name for name, mask in phantom.lesions.items() if mask.any()}
        own = set() if lesion is BscanLesion.NONE else {lesion.value}
        assert own <= shown <= own | {"fluid"} if lesion is BscanLesion.CNV else shown == own
        assert all((phantom.labels[mask] > 0).all() for mask in phantom.lesions.values())


def test_tilt_and_bend_leave_the_thickness_alone() -> None:
    retina = RetinaShape()
    flat = draw_bscan(BscanSpec(retina=retina), 1)
    tilted = draw_bscan(BscanSpec(retina=retina, tilt_mm_per_mm=0.1, bend_per_mm=-0.006), 1)
    np.testing.assert_allclose(flat.thickness_um, tilted.thickness_um, atol=0.2)
    np.testing.assert_allclose(flat.thickness_um, retina.total_um(flat.spec.x_mm, 0.0), atol=0.2)


def test_a_volume_is_thinnest_where_its_fovea_was_put() -> None:
    spec = VolumeSpec(n_lines=21, line_distance_mm=0.28, fovea_mm=(0.6, -0.55), bscan=SMALL)
    volume = draw_volume_lines(spec, 5)
    thickness = np.stack([line.thickness_um for line in volume.lines])
    line, column = np.unravel_index(thickness.argmin(), thickness.shape)
    start_x, y, end_x, _ = volume.lines_mm[line]
    x = start_x + (end_x - start_x) * (column + 0.5) / SMALL.width_px
    assert x == pytest.approx(volume.fovea_mm[0], abs=0.06)
    assert y == pytest.approx(volume.fovea_mm[1], abs=0.2)
    expected = volume.retina.total_um(np.array(0.0), 0.0)
    assert thickness.min() == pytest.approx(float(expected), abs=4.0)


def test_layers_are_seen_at_their_levels_and_noise_only_adds_grain() -> None:
    clean = draw_bscan(BscanSpec(noise=0.0), 3)
    noisy = draw_bscan(BscanSpec(noise=1.0), 3)
    mean = [float(clean.image[clean.labels == layer].mean()) for layer in range(8)]
    assert mean[1] > mean[2] > mean[3] > mean[5] > mean[0] + 10
    assert mean[6] > mean[5] + 60
    assert np.array_equal(clean.boundary_row_px, noisy.boundary_row_px)
    assert noisy.image[noisy.labels == 2].std() > 1.5 * clean.image[clean.labels == 2].std()


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 64 x 64 px, got 32 x 496"):
        BscanSpec(width_px=32)
    with pytest.raises(ValueError, match="noise lies between 0 and 1, got 2"):
        BscanSpec(noise=2.0)
