"""B-scan phantoms as exports: every class in turn, masks that belong to their class, white wedges beside the retina."""

import numpy as np

from core.phantom.bscan_export import CLASSES, NORMAL, bscan_exports
from core.scoring.lanes.bscan_canvas import WHITE_FROM, fill_white_borders, on_canvas, restored

EXPORTS = list(bscan_exports(16, 4, height_px=124, width_px=128))


def test_every_class_is_drawn_in_turn() -> None:
    drawn = [export.classes[0] for export in EXPORTS]
    assert {*drawn} == {*CLASSES}
    assert [export.phantom.spec.lesion.value for export in EXPORTS[:4]] == ["none", "drusen", "cnv", "fluid"]


def test_a_scan_names_exactly_the_lesions_that_its_masks_show() -> None:
    for export in EXPORTS:
        assert set(export.classes) - {NORMAL} == set(export.masks)
        assert all(mask.any() for mask in export.masks.values())


def test_the_same_seed_draws_the_same_scans() -> None:
    again = list(bscan_exports(2, 4, height_px=124, width_px=128))
    assert all(np.array_equal(one.image, other.image) for one, other in zip(again, EXPORTS, strict=False))


def test_white_wedges_are_filled_and_the_retina_is_left_alone() -> None:
    wedged = [export for export in EXPORTS if (export.image[[0, -1]] >= WHITE_FROM).mean() > 0.3]
    assert wedged
    for export in wedged:
        filled = fill_white_borders(export.image)
        assert (filled[[0, -1]] >= WHITE_FROM).mean() < 0.02
        inside = export.phantom.labels > 0
        away = np.zeros_like(inside)
        away[8:-8] = True
        assert (filled != export.image)[inside & away].mean() < 0.02


def test_a_saturated_layer_that_runs_into_both_sides_is_no_border() -> None:
    image = np.full((124, 128), 20, np.uint8)
    image[60:66] = 255
    assert np.array_equal(fill_white_borders(image), image)


def test_a_map_comes_back_at_the_scan_s_own_size() -> None:
    square = on_canvas(EXPORTS[0].image, 64)
    assert square.shape == (64, 64)
    assert restored(square.astype(np.float32), 124, 128).shape == (124, 128)
