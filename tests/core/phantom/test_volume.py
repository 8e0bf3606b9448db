"""Simulated volumes: in the middle of their fundus image, true to their eye, known in closed form."""

from dataclasses import replace

import numpy as np
import pytest

from core.measures.etdrs import EtdrsSector, EtdrsThickness, etdrs_thickness
from core.measures.fovea import Fovea, find_fovea
from core.measures.thickness import DeviceThickness, ThicknessAgreement, compare_with_device, device_thickness
from core.measures.thickness_map import FundusMap, lay_out
from core.phantom.bscan import BscanLesion
from core.phantom.volume import SLO_MM, OctVolumePhantom, random_volume_spec, render_volume
from core.values import Measured
from core.vocabulary import Laterality


@pytest.fixture(scope="module")
def phantom() -> OctVolumePhantom:
    spec = random_volume_spec(np.random.default_rng(1), width_px=96, n_bscans=33)
    healthy = replace(spec.bscan, lesion=BscanLesion.NONE, height_px=160, z_mm_per_px=0.0118)
    return render_volume(replace(spec, line_distance_mm=0.188, fovea_mm=(0.05, -0.04), bscan=healthy), 5)


def test_thickness_on_the_grid_is_the_integral_of_the_drawn_retina(phantom: OctVolumePhantom):
    thickness = lay_out(phantom.thickness_um, phantom.volume)
    assert isinstance(thickness, FundusMap)
    fovea = find_fovea(thickness)
    assert isinstance(fovea, Fovea)
    assert np.hypot(fovea.x_mm - phantom.fovea_mm[0], fovea.y_mm - phantom.fovea_mm[1]) < 0.1
    grid = etdrs_thickness(thickness, Fovea(*phantom.fovea_mm), phantom.volume.laterality)
    assert isinstance(grid, EtdrsThickness)
    assert isinstance(grid.central_subfield_um, Measured)
    assert isinstance(grid.total_volume_mm3, Measured)
    retina = phantom.drawn.retina
    assert grid.central_subfield_um.value == pytest.approx(retina.ring_mean_um(0.0, 0.5), abs=1.5)
    assert grid.total_volume_mm3.value == pytest.approx(retina.volume_mm3(3.0), rel=2e-3)


def test_the_nerve_fibres_are_thicker_on_the_nasal_side_of_either_eye(phantom: OctVolumePhantom):
    for eye in Laterality:
        sign = 1.0 if eye is Laterality.OD else -1.0
        bscan = phantom.drawn.spec.bscan
        assert bscan.retina is not None
        turned = replace(bscan, retina=replace(bscan.retina, nasal_slope_um_per_mm=sign * 2.5))
        drawn = render_volume(replace(phantom.drawn.spec, bscan=turned), 5)
        assert drawn.volume.laterality is eye
        thickness = lay_out(drawn.thickness_um, drawn.volume)
        assert isinstance(thickness, FundusMap)
        grid = etdrs_thickness(thickness, Fovea(*drawn.fovea_mm), eye)
        assert isinstance(grid, EtdrsThickness)
        nasal, temporal = grid.sectors[EtdrsSector.INNER_NASAL], grid.sectors[EtdrsSector.INNER_TEMPORAL]
        assert isinstance(nasal, Measured)
        assert isinstance(temporal, Measured)
        assert nasal.value > temporal.value + 2.0


def test_the_device_draws_nearly_the_truth_and_nothing_at_the_edges(phantom: OctVolumePhantom):
    device = device_thickness(phantom.volume)
    assert isinstance(device, DeviceThickness)
    agreement = compare_with_device(phantom.thickness_um, device)
    assert isinstance(agreement, ThicknessAgreement)
    assert abs(agreement.bias_um) < 3.0
    assert agreement.n_ascans == 33 * (96 - 2)


def test_the_raster_lies_in_the_middle_of_the_fundus_image_and_runs_upwards(phantom: OctVolumePhantom):
    lines = phantom.volume.lines_mm
    assert lines is not None
    assert lines[:, [0, 2]].mean() == pytest.approx(SLO_MM / 2)
    assert lines[:, 1].mean() == pytest.approx(SLO_MM / 2)
    assert (np.diff(lines[:, 1]) < 0).all()


def test_the_same_seed_gives_the_same_volume(phantom: OctVolumePhantom):
    again = render_volume(phantom.drawn.spec, 5)
    assert np.array_equal(again.volume.bscans, phantom.volume.bscans)
    assert phantom.volume.slo is not None
    assert np.array_equal(again.volume.slo, phantom.volume.slo)
