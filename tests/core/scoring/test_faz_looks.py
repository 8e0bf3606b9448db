"""Where the second look at the FAZ looks, and which of two opinions it believes."""

import numpy as np
import pytest

from core.scoring.lanes.faz_looks import SeenScan, WideLook, claim_of, second_looks
from core.scoring.lanes.faz_region import FazDetail, FazRegion, put_back

SIDE = 200
CERTAIN, UNSURE = 0.99, 0.7


def disc(x_px, y_px, radius_px):
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    return (columns - x_px) ** 2 + (rows - y_px) ** 2 <= radius_px**2


def a_scan(fovea, first_look):
    """Black where the fovea is; the first look found what it is given."""
    return SeenScan(np.where(fovea, 0, 120).astype(np.uint8), first_look.astype(np.uint8) * 255)


def dark_is_faz(views, sure=CERTAIN):
    """A refiner that takes every dark pixel for FAZ."""
    return np.where(views[:, 0] < 0, sure, 0.01).astype(np.float32)


def zone_of(detail):
    return put_back(detail, (SIDE, SIDE)) >= 0.5


def test_without_a_wide_look_only_the_first_look_says_where():
    fovea, elsewhere = disc(100, 100, 15), disc(40, 40, 12)
    (detail,) = second_looks([a_scan(fovea, elsewhere)], dark_is_faz)
    assert (detail.region.x_px, detail.region.y_px) == pytest.approx((40, 40), abs=1)
    assert second_looks([a_scan(fovea, np.zeros_like(fovea))], dark_is_faz) == [None]


def test_a_wide_look_finds_what_the_first_look_missed_or_misplaced():
    fovea = disc(105, 96, 15)
    for first_look in (np.zeros_like(fovea), disc(40, 40, 12)):
        (detail,) = second_looks([a_scan(fovea, first_look)], dark_is_faz, WideLook(dark_is_faz, 128))
        found = zone_of(detail)
        assert (found & fovea).sum() > 0.9 * fovea.sum()


def test_a_fovea_outside_the_middle_is_still_found_by_the_first_look():
    fovea = disc(170, 30, 12)
    (detail,) = second_looks([a_scan(fovea, fovea)], dark_is_faz, WideLook(dark_is_faz, 128))
    assert (zone_of(detail) & fovea).sum() > 0.9 * fovea.sum()


def test_two_opinions_are_both_looked_at_and_one_look_is_spared_where_they_agree():
    fovea, n_views = disc(100, 100, 15), []

    def counted(views):
        n_views.append(len(views))
        return dark_is_faz(views)

    agreeing, differing = a_scan(fovea, disc(103, 100, 15)), a_scan(fovea, disc(40, 40, 12))
    second_looks([agreeing, differing], counted, WideLook(counted, 64))
    assert n_views == [2, 3]


def test_the_claim_grows_with_certainty_and_falls_with_the_distance_from_the_middle():
    inside = np.pad(np.ones((32, 32), np.float32), 32)
    middle, edge = FazRegion(100, 100, 60), FazRegion(170, 100, 60)
    sure = claim_of(FazDetail(middle, inside * np.float32(CERTAIN)), (SIDE, SIDE))
    assert sure == pytest.approx(CERTAIN, abs=1e-3)
    assert sure > claim_of(FazDetail(middle, inside * np.float32(UNSURE)), (SIDE, SIDE))
    assert sure > claim_of(FazDetail(edge, inside * np.float32(CERTAIN)), (SIDE, SIDE))
    assert claim_of(FazDetail(middle, inside * np.float32(0.4)), (SIDE, SIDE)) == 0.0
