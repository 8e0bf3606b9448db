"""The zone taken for the FAZ is the central one, and a region cut around it comes back to its place."""

import numpy as np
import pytest

from core.scoring.lanes.faz_region import (
    REGION_PX,
    FazDetail,
    FazRegion,
    cut,
    likeliest_zone,
    put_back,
    region_input,
)
from core.statistics.overlap import dice


def disc(shape, x_px, y_px, radius_px):
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    return (columns - x_px) ** 2 + (rows - y_px) ** 2 <= radius_px**2


def test_the_central_zone_is_taken_even_where_another_is_larger():
    fovea, drop_out = disc((200, 200), 104, 95, 12), disc((200, 200), 30, 40, 25)
    assert (likeliest_zone(fovea | drop_out) == fovea).all()


def test_a_zone_far_from_the_middle_is_taken_where_it_is_the_only_one():
    fovea = disc((200, 200), 180, 20, 12)
    assert (likeliest_zone(fovea) == fovea).all()
    speck = np.zeros_like(fovea)
    speck[100, 100] = True
    assert (likeliest_zone(fovea | speck) == fovea).all()


def test_holes_are_filled_and_nothing_is_no_zone():
    ring = disc((100, 100), 50, 50, 20) & ~disc((100, 100), 50, 50, 5)
    assert (likeliest_zone(ring) == disc((100, 100), 50, 50, 20)).all()
    assert not likeliest_zone(np.zeros((50, 60), bool)).any()
    assert FazRegion.around(np.zeros((50, 60), bool)) is None


@pytest.mark.parametrize(
    ("shape", "x_px", "y_px", "radius_px"),
    [((304, 304), 150, 160, 30), ((512, 512), 250, 260, 60), ((200, 320), 170, 90, 9), ((304, 304), 6, 150, 30)],
)
def test_what_is_cut_out_is_put_back_where_it_was(shape, x_px, y_px, radius_px):
    zone = disc(shape, x_px, y_px, radius_px)
    region = FazRegion.around(zone)
    seen = cut(zone.astype(np.uint8) * 255, region)
    back = put_back(FazDetail(region, seen.astype(np.float32) / 255), shape)
    assert seen.shape == (REGION_PX, REGION_PX)
    assert back.shape == shape
    assert dice(back >= 0.5, zone) > 0.97


def test_every_zone_is_seen_at_the_same_size():
    shares = []
    for radius_px in (12, 30, 70):
        zone = disc((400, 400), 200, 200, radius_px)
        shares.append((cut(zone.astype(np.uint8) * 255, FazRegion.around(zone)) > 127).mean())
    assert shares == pytest.approx([np.pi / 4 / 2.6**2] * 3, rel=0.05)


def test_a_mirrored_cut_is_the_mirror_of_the_cut():
    rng = np.random.default_rng(1)
    plane = rng.integers(0, 256, (300, 300), np.uint8)
    region = FazRegion(150.0, 140.0, 80.0)
    mirrored = cut(plane, region, turn=np.diag([-1.0, 1.0]))
    assert np.abs(mirrored.astype(int) - cut(plane, region)[:, ::-1]).max() <= 1


def test_outside_the_scan_the_image_is_mean_grey_and_the_coarse_map_empty():
    image, coarse = np.full((64, 64), 255, np.uint8), np.full((64, 64), 255, np.uint8)
    seen = region_input(image, coarse, FazRegion(0.0, 0.0, 64.0))
    assert seen.shape == (2, REGION_PX, REGION_PX)
    assert seen[0, 0, 0] == pytest.approx(0.0, abs=0.01)
    assert seen[1, 0, 0] == -1.0
    assert seen[1, -1, -1] == 1.0
