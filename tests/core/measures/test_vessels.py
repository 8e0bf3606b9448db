"""Vessel measures against drawn nets of known density, and their bias against phantoms of known density."""

from dataclasses import replace

import numpy as np
import pytest

from core.measures.vessels import (
    ANALYSIS_PX,
    binarise,
    fd_300_percent,
    skeleton_density_per_mm,
    vessel_metrics,
)
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.values import ArtifactScore, Measured, NotComputable, Scale
from core.vocabulary import ArtifactType, ScaleSource, Severity, Slab

SCALE = Scale(0.01, 0.01, ScaleSource.FILE)
NOTHING = np.zeros((300, 300), bool)
LEVEL_OF_VESSELS = 200


def net(spacing_px=20, width_px=4, shape=(300, 300)):
    """Vertical vessels of known width and spacing."""
    columns = np.arange(shape[1]) % spacing_px < width_px
    return np.broadcast_to(columns, shape).copy()


def picture(vessels):
    return np.where(vessels, LEVEL_OF_VESSELS, 30).astype(np.uint8)


def disc(radius_px=30):
    y, x = np.mgrid[:300, :300] - 149.5
    return np.hypot(x, y) <= radius_px


def severe(kind):
    return (ArtifactScore(kind, 0.3, None, Severity.SEVERE, NOTHING),)


def measured(image, scale=SCALE, *, faz=NOTHING, large=None, artifacts=()):
    return vessel_metrics(image, scale, faz_mask=faz, large_vessel_mask=large, artifacts=artifacts)


@pytest.mark.parametrize("width", [3, 5, 7])
def test_a_drawn_net_has_its_own_density_or_up_to_two_pixels_more_per_vessel(width):
    """The smoothed edge of a vessel lies above a local threshold: the binarisation widens, never thins."""
    found = measured(picture(net(width_px=width))).perfusion_density_percent
    assert 100 * width / 20 <= found.value <= 100 * (width + 2) / 20


def test_the_skeleton_density_of_parallel_vessels_is_one_over_their_spacing():
    # 0.2 mm apart: 5 mm of vessel in every square millimetre, whatever their width.
    for width in (3, 6):
        found = measured(picture(net(width_px=width))).skeleton_density_per_mm
        assert found.value == pytest.approx(5.0, rel=0.06)


def test_a_diagonal_vessel_is_as_long_as_it_is_and_no_corner_counts_twice():
    found = skeleton_density_per_mm(np.eye(100, dtype=bool), (100, 100), SCALE)
    assert found.value == pytest.approx(99 * 0.01 * np.sqrt(2) / 1.0, rel=1e-6)
    corner = NOTHING[:10, :10].copy()
    corner[5, 2:6] = corner[2:6, 5] = True
    assert skeleton_density_per_mm(corner, (10, 10), SCALE).value <= 6 * 0.01 / 0.01 + 1e-9


def test_pixels_that_are_not_square_are_measured_in_their_own_spacing():
    wide = Scale(0.02, 0.01, ScaleSource.FILE)
    assert skeleton_density_per_mm(net(width_px=1), (300, 300), wide).value == pytest.approx(1 / 0.4, rel=0.02)


def test_fd_300_is_the_density_of_the_ring_alone():
    faz = disc()
    ring = disc(60) & ~faz
    assert fd_300_percent(ring, faz, SCALE).value == pytest.approx(100.0, abs=1.0)
    assert fd_300_percent(~disc(62), faz, SCALE).value == pytest.approx(0.0, abs=1.0)


def test_fd_300_needs_a_scale_a_faz_and_a_whole_ring():
    faz, at_the_edge = disc(), np.roll(disc(), 110, axis=1)
    assert fd_300_percent(net(), faz, None) == NotComputable("no scale")
    assert fd_300_percent(net(), NOTHING, SCALE) == NotComputable("no FAZ visible")
    assert fd_300_percent(net(), at_the_edge, SCALE) == NotComputable("the ring around the FAZ leaves the field")


def test_without_a_scale_only_shares_of_the_field_are_given():
    found = measured(picture(net()), None, faz=disc(), large=net())
    assert isinstance(found.perfusion_density_percent, Measured)
    assert isinstance(found.large_vessel_area_density_percent, Measured)
    assert found.skeleton_density_per_mm == found.fd_300_percent == NotComputable("no scale")


@pytest.mark.parametrize(
    ("kind", "reason"), [(ArtifactType.LOW_SIGNAL, "low signal"), (ArtifactType.SHADOW, "severe shadow")]
)
def test_where_the_retina_is_not_lit_no_density_is_given(kind, reason):
    found = measured(picture(net()), faz=disc(), large=net(), artifacts=severe(kind))
    hidden = NotComputable(reason)
    assert (found.perfusion_density_percent, found.skeleton_density_per_mm, found.fd_300_percent) == (hidden,) * 3
    assert found.large_vessel_area_density_percent.value == pytest.approx(20.0)


def test_motion_and_a_mild_shadow_leave_the_densities():
    mild = (ArtifactScore(ArtifactType.SHADOW, 0.05, None, Severity.MILD, NOTHING),)
    assert isinstance(measured(picture(net()), artifacts=mild).perfusion_density_percent, Measured)
    assert isinstance(measured(picture(net()), artifacts=severe(ArtifactType.MOTION)).skeleton_density_per_mm, Measured)


def test_a_black_image_has_low_signal_and_not_no_vessels():
    assert measured(np.zeros((300, 300), np.uint8)).perfusion_density_percent == NotComputable("low signal")


def test_a_model_without_the_head_says_so():
    reason = NotComputable("the model has no large-vessel head")
    assert measured(picture(net())).large_vessel_area_density_percent == reason


def test_a_large_image_is_reduced_and_gives_the_same_density_and_length():
    small = measured(picture(net()))
    large = measured(np.kron(picture(net()), np.ones((3, 3), np.uint8)), Scale(0.01 / 3, 0.01 / 3, ScaleSource.FILE),
                     faz=np.zeros((900, 900), bool))  # fmt: skip
    assert max(binarise(np.zeros((900, 700), np.uint8)).shape) == ANALYSIS_PX
    assert large.perfusion_density_percent.value == pytest.approx(small.perfusion_density_percent.value, abs=6.0)
    assert large.skeleton_density_per_mm.value == pytest.approx(small.skeleton_density_per_mm.value, rel=0.1)


def test_capillaries_that_dropped_out_are_missing_from_the_density():
    """The measure's purpose: eye by eye, less perfusion gives less density, and the truth falls with it."""
    for seed in range(3):
        healthy, diseased = (
            render_octa(OctaPhantomSpec(eye_seed=seed, nonperfusion=lost), seed) for lost in (0.0, 0.8)
        )
        densities = [measured(p.image, p.scale).perfusion_density_percent.value for p in (healthy, diseased)]
        lengths = [measured(p.image, p.scale).skeleton_density_per_mm.value for p in (healthy, diseased)]
        assert diseased.capillary_density_fraction < healthy.capillary_density_fraction - 0.03
        assert densities[1] < densities[0]
        assert lengths[1] < lengths[0]


@pytest.mark.parametrize("slab", [Slab.SUPERFICIAL, Slab.INNER_RETINA])
def test_the_large_vessels_of_a_phantom_are_part_of_its_vessels_and_spare_the_faz(slab):
    phantom = render_octa(OctaPhantomSpec(slab=slab), 2)
    assert not (phantom.large_vessel_mask & ~phantom.vessel_mask).any()
    assert 0.02 < phantom.large_vessel_mask.mean() < 0.16
    assert phantom.large_vessel_mask[phantom.faz_mask].mean() < 0.03
    assert phantom.image[phantom.large_vessel_mask].mean() > 1.5 * phantom.image[~phantom.vessel_mask].mean()
    assert phantom.capillary_density_fraction < phantom.vessel_mask.mean()


def test_the_deep_slab_has_no_large_vessels_of_its_own():
    assert not render_octa(replace(OctaPhantomSpec(), slab=Slab.DEEP), 1).large_vessel_mask.any()
