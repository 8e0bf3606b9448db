"""Simulated lesions in a B-scan that is there already: where they are is known, and the rest stays what it was."""

import numpy as np
import pytest

from core.phantom.bscan import BscanSpec, draw_bscan
from core.phantom.bscan_insert import Backdrop, Inserted, insert_lesions
from core.phantom.bscan_lesion import BscanLesion

SCAN = draw_bscan(BscanSpec(height_px=248, width_px=256, z_mm_per_px=0.0078, noise=0.3), 4)
NOTHING = np.zeros(SCAN.image.shape, np.bool_)
LESIONS = [lesion for lesion in BscanLesion if lesion is not BscanLesion.NONE]


def inserted(kind: BscanLesion, known: np.ndarray = NOTHING, boundary: np.ndarray = SCAN.boundary_row_px) -> Inserted:
    tries = (insert_lesions(Backdrop(SCAN.image, boundary, known), kind, np.random.default_rng(s)) for s in range(20))
    return next(found for found in tries if found is not None)


@pytest.mark.parametrize("kind", LESIONS)
def test_the_mask_lies_where_the_picture_changed_and_within_the_retina(kind: BscanLesion) -> None:
    found = inserted(kind)
    assert kind.value in found.masks
    mask = np.any(list(found.masks.values()), axis=0)
    difference = np.abs(found.image.astype(int) - SCAN.image)
    assert difference[mask].mean() > 3 * difference[-20:].mean()
    rows = np.arange(len(mask))[:, None]
    assert not mask[rows >= np.ceil(SCAN.boundary_row_px[-1]) + 1].any()
    assert 0 < mask.mean() < 0.2


def test_fluid_is_as_dark_as_the_vitreous_and_darker_than_what_was_there() -> None:
    found = inserted(BscanLesion.FLUID)
    mask = found.masks["fluid"]
    assert found.image[mask].mean() < 0.7 * SCAN.image[SCAN.labels > 0].mean()


def test_columns_beside_the_lesions_stay_as_they_were() -> None:
    found = inserted(BscanLesion.DRUSEN)
    columns = ~found.masks["drusen"].any(axis=0)
    far = columns & np.roll(columns, 12) & np.roll(columns, -12)
    assert far.any()
    unchanged = np.abs(found.image.astype(int) - SCAN.image)[:, far] <= 1
    assert unchanged.mean() > 0.99


def test_no_lesion_is_put_where_one_is_drawn_already_and_that_one_moves_with_its_layer() -> None:
    known = NOTHING.copy()
    row = int(SCAN.boundary_row_px[4, 60]) + 1
    known[row : row + 6, 40:90] = True
    for kind in LESIONS:
        found = inserted(kind, known)
        assert not any(mask[:, 40:90].any() for mask in found.masks.values())
        assert 0.5 < found.moved_mask.sum() / known.sum() < 2


def test_without_lesions_the_picture_is_the_same() -> None:
    found = inserted(BscanLesion.NONE)
    assert not found.masks
    assert np.abs(found.image.astype(int) - SCAN.image).max() <= 1


def test_a_picture_in_which_little_retina_was_found_gets_none() -> None:
    boundary = SCAN.boundary_row_px.copy()
    boundary[:, 40:] = np.nan
    assert insert_lesions(Backdrop(SCAN.image, boundary, NOTHING), BscanLesion.CNV, np.random.default_rng(1)) is None


def test_the_same_seed_draws_the_same() -> None:
    one, other = inserted(BscanLesion.CNV), inserted(BscanLesion.CNV)
    assert np.array_equal(one.image, other.image)
