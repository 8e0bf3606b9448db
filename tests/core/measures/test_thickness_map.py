"""The thickness map on the file's millimetre grid: right between the B-scans, empty beyond, refused with the reason."""

from dataclasses import replace

import numpy as np
import pytest
from volumes import ascan_places, make_volume, pit_um

from core.measures.thickness_map import (
    NO_MAP,
    NO_PLACE,
    NOT_PARALLEL,
    ONE_BSCAN,
    TOO_SPARSE,
    FundusMap,
    lay_out,
)
from core.vocabulary import ScanPattern
from core.volume import OctVolume

FOVEA = (4.3, 4.1)


def test_the_map_follows_the_true_surface_between_the_bscans():
    volume = make_volume()
    laid = lay_out(pit_um(*ascan_places(volume), FOVEA).astype(np.float32), volume)
    assert isinstance(laid, FundusMap)
    truth = pit_um(laid.x_mm[None, :], laid.y_mm[:, None], FOVEA)
    assert laid.sampled.mean() > 0.99
    assert np.abs(laid.values - truth)[laid.sampled].max() < 6.0
    assert np.abs(laid.values - truth)[laid.sampled].mean() < 0.5


def test_a_turned_and_drifting_volume_lands_at_its_true_place():
    volume = make_volume()
    assert volume.lines_mm is not None
    turn = np.array([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]])
    drift = 0.03 * np.sin(np.arange(49))[:, None]
    moved = np.concatenate([volume.lines_mm[:, :2] @ turn + drift, volume.lines_mm[:, 2:] @ turn + drift], axis=1)
    turned = replace(volume, lines_mm=moved)
    laid = lay_out(pit_um(*ascan_places(turned), (5.0, 2.8)).astype(np.float32), turned)
    assert isinstance(laid, FundusMap)
    truth = pit_um(laid.x_mm[None, :], laid.y_mm[:, None], (5.0, 2.8))
    assert np.abs(laid.values - truth)[laid.sampled].mean() < 0.5


def test_nothing_is_extrapolated_and_a_missing_bscan_leaves_both_its_gaps_empty():
    volume = make_volume(n=9, side_mm=1.6)
    values = np.full((9, 320), 250.0, np.float32)
    values[4] = np.nan
    laid = lay_out(values, volume)
    assert isinstance(laid, FundusMap)
    middle = laid.y_mm[:, None] * np.ones_like(laid.values)
    empty = np.abs(middle - 2.0) < 0.2 - 1e-9
    assert np.array_equal(~laid.sampled, empty)


def test_a_gap_wider_than_half_a_millimetre_is_not_bridged():
    volume = make_volume(n=9, side_mm=1.6)
    assert volume.lines_mm is not None
    lines = volume.lines_mm.copy()
    lines[:4, [1, 3]] += 0.5
    laid = lay_out(np.full((9, 320), 250.0, np.float32), replace(volume, lines_mm=lines))
    assert isinstance(laid, FundusMap)
    rows = laid.sampled.any(axis=1)
    assert not rows[np.abs(laid.y_mm - 2.35) < 0.3].any()
    assert rows[laid.y_mm < 1.9].all()


@pytest.mark.parametrize("pattern", [ScanPattern.LINE, ScanPattern.CIRCLE, ScanPattern.RADIAL])
def test_a_line_circle_or_radial_scan_has_no_map_and_says_why(pattern):
    refused = lay_out(np.zeros((49, 320), np.float32), make_volume(pattern=pattern))
    assert refused == NO_MAP[pattern]
    assert pattern.value in NO_MAP[pattern].reason


def test_one_bscan_no_place_and_bscans_that_cross_have_no_map():
    flat = np.zeros((49, 320), np.float32)
    assert lay_out(flat[:1], OctVolume(np.zeros((1, 9, 320), np.uint8))) == ONE_BSCAN
    assert lay_out(flat, replace(make_volume(), lines_mm=None)) == NO_PLACE
    assert lay_out(flat[:5], make_volume(n=5)) == TOO_SPARSE
    star = make_volume(pattern=ScanPattern.UNKNOWN)
    angle = np.linspace(0, np.pi, 49, endpoint=False)
    spoke = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    crossed = replace(star, lines_mm=np.concatenate([4 - 3 * spoke, 4 + 3 * spoke], axis=1))
    assert lay_out(flat, crossed) == NOT_PARALLEL
    on_a_spot = replace(star, lines_mm=np.tile([1.0, 1.0, 4.0, 1.0], (49, 1)))
    assert lay_out(flat, on_a_spot) == NOT_PARALLEL


def test_places_that_span_more_than_an_eye_are_refused_before_memory_is_taken():
    volume = make_volume(n=3, side_mm=0.4)
    assert volume.lines_mm is not None
    lines = volume.lines_mm * np.array([1.0, 1.0, 1e9, 1.0])
    refused = lay_out(np.zeros((3, 320), np.float32), replace(volume, lines_mm=lines))
    assert not isinstance(refused, FundusMap)
    assert "eye" in refused.reason
