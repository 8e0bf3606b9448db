"""Thickness of A-scans: the paper's rule on masks, the distance of boundaries, and the comparison with the device."""

from dataclasses import replace

import numpy as np
import pytest
from volumes import make_volume

from core.measures.thickness import (
    NO_DEPTH_SCALE,
    NO_DEVICE_LAYERS,
    NO_RETINA,
    DeviceThickness,
    compare_with_device,
    device_thickness,
    leaving_fraction,
    mean_thickness_um,
    retina_extent_px,
    thickness_by_boundaries_um,
    thickness_by_runs_um,
)
from core.values import Measured, NotComputable


def column(*runs: tuple[int, int], height: int = 100) -> np.ndarray:
    mask = np.zeros((height, 1), np.bool_)
    for start, end in runs:
        mask[start:end] = True
    return mask


def test_thickness_of_a_mask_is_the_rows_of_its_run_times_the_depth_of_a_row():
    assert thickness_by_runs_um(column((30, 70)), 3.87)[0] == pytest.approx(40 * 3.87, rel=1e-6)


def test_a_run_of_a_tenth_of_the_height_or_less_does_not_start_the_retina():
    start, end = retina_extent_px(column((5, 15), (40, 70)))
    assert (start[0], end[0]) == (39.5, 69.5)


def test_the_last_end_closes_the_retina_whatever_lies_between():
    start, end = retina_extent_px(column((20, 40), (45, 70), (80, 82)))
    assert (start[0], end[0]) == (19.5, 81.5)


@pytest.mark.parametrize("runs", [(), ((0, 50),), ((60, 100),), ((10, 20),)])
def test_a_column_without_a_seen_retina_has_no_thickness(runs):
    assert np.isnan(thickness_by_runs_um(column(*runs), 4.0)).all()


def test_edge_columns_without_retina_stay_empty_and_are_not_interpolated():
    mask = np.concatenate([column(), column((30, 70)), column(), column((30, 72)), column()], axis=1)
    assert np.isfinite(thickness_by_runs_um(mask, 4.0)).tolist() == [False, True, False, True, False]


def test_boundaries_that_cross_or_are_missing_have_no_thickness():
    inner = np.array([10, 10, np.nan, 10], np.float32)
    outer = np.array([50, 5, 50, np.nan], np.float32)
    thickness = thickness_by_boundaries_um(inner, outer, 4.0)
    assert thickness[0] == pytest.approx(160.0)
    assert np.isnan(thickness[1:]).all()


def test_the_share_of_columns_that_leave_the_frame_counts_only_columns_with_retina():
    mask = np.concatenate([column((0, 50)), column((10, 60)), column(), column((60, 100))], axis=1)
    assert leaving_fraction(mask) == pytest.approx(2 / 3)
    assert leaving_fraction(np.zeros((4, 10, 10), np.bool_)) == 0.0


def test_the_mean_leaves_out_what_was_not_measured():
    assert mean_thickness_um(np.array([[200.0, np.nan, 300.0]], np.float32)) == Measured(250.0)
    assert mean_thickness_um(np.full((2, 3), np.nan, np.float32)) == NO_RETINA


def test_the_devices_thickness_is_measured_to_where_the_device_drew():
    volume = make_volume(np.full((49, 320), 250.0))
    device = device_thickness(volume)
    assert isinstance(device, DeviceThickness)
    assert device.outer_boundary == "BM"
    assert np.allclose(device.thickness_um, 250.0, rtol=1e-5)
    assert volume.device_boundaries is not None
    drawn = {"ILM": volume.device_boundaries["ILM"], "RPE": volume.device_boundaries["BM"]}
    stopped = device_thickness(replace(volume, device_boundaries=drawn))
    assert isinstance(stopped, DeviceThickness)
    assert stopped.outer_boundary == "RPE"


def test_without_layers_or_depth_the_device_has_no_thickness():
    assert device_thickness(make_volume()) == NO_DEVICE_LAYERS
    assert device_thickness(replace(make_volume(np.full((49, 320), 250.0)), z_mm_per_px=None)) == NO_DEPTH_SCALE


def test_the_comparison_finds_a_known_bias_and_its_limits_and_skips_what_one_side_lacks():
    rng = np.random.default_rng(4)
    device = DeviceThickness(np.full((40, 500), 300.0, np.float32), "BM")
    ours = (300.0 - 7.0 + 5.0 * rng.standard_normal((40, 500))).astype(np.float32)
    ours[0] = np.nan
    agreement = compare_with_device(ours, device)
    assert not isinstance(agreement, NotComputable)
    assert agreement.bias_um == pytest.approx(-7.0, abs=0.15)
    assert agreement.high_um - agreement.low_um == pytest.approx(2 * 1.96 * 5.0, rel=0.02)
    assert agreement.n_ascans == 39 * 500


def test_a_comparison_of_nothing_is_not_computable():
    device = DeviceThickness(np.full((1, 3), np.nan, np.float32), "BM")
    assert isinstance(compare_with_device(np.zeros((1, 3), np.float32), device), NotComputable)
