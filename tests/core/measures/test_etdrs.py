"""The ETDRS grid and the fovea on surfaces known in closed form."""

import numpy as np
import pytest
from volumes import pit_um

from core.measures.etdrs import NO_EYE, EtdrsSector, EtdrsThickness, etdrs_thickness
from core.measures.fovea import NO_PIT, OUTSIDE, Fovea, find_fovea, marked_fovea
from core.measures.thickness_map import FundusMap
from core.values import Measured, NotComputable
from core.vocabulary import Laterality

FOVEA = Fovea(3.27, 3.11)
AXIS = 0.02 * (np.arange(325) + 0.5)


def surface(values: np.ndarray) -> FundusMap:
    return FundusMap(np.broadcast_to(values, (325, 325)).astype(np.float32), AXIS, AXIS)


def of(thickness: FundusMap, eye: Laterality | None = Laterality.OD, fovea: Fovea = FOVEA) -> EtdrsThickness:
    found = etdrs_thickness(thickness, fovea, eye)
    assert isinstance(found, EtdrsThickness)
    return found


def value(measure: Measured | NotComputable) -> float:
    assert isinstance(measure, Measured)
    return measure.value


def test_a_flat_retina_has_its_thickness_in_every_sector_and_the_volume_of_its_cylinder():
    grid = of(surface(np.float32(270.0)), fovea=Fovea(3.25, 3.25))
    assert {round(value(mean), 3) for mean in grid.sectors.values()} == {270.0}
    assert len(grid.sectors) == 9
    assert value(grid.total_volume_mm3) == pytest.approx(0.270 * np.pi * 9.0, rel=1e-3)


def test_the_central_subfield_and_the_volume_of_a_pit_are_those_of_its_integral():
    grid = of(surface(pit_um(AXIS[None, :], AXIS[:, None], (FOVEA.x_mm, FOVEA.y_mm))))
    radius = np.linspace(0.0, 3.0, 300_001)
    profile = pit_um(radius, np.zeros(1), (0.0, 0.0)) * radius
    central = 2.0 * np.trapezoid(profile[radius <= 0.5], radius[radius <= 0.5]) / 0.25
    assert value(grid.central_subfield_um) == pytest.approx(central, abs=0.6)
    assert value(grid.total_volume_mm3) == pytest.approx(2e-3 * np.pi * np.trapezoid(profile, radius), rel=1e-3)


@pytest.mark.parametrize(("eye", "thicker"), [(Laterality.OD, "nasal"), (Laterality.OS, "temporal")])
def test_the_right_side_of_the_fundus_is_nasal_in_a_right_eye_and_temporal_in_a_left(eye, thicker):
    grid = of(surface(np.where(AXIS[None, :] > FOVEA.x_mm, 320.0, 240.0)), eye)
    assert value(grid.sectors[EtdrsSector(f"outer_{thicker}")]) == pytest.approx(320.0)
    assert value(grid.sectors[EtdrsSector.INNER_SUPERIOR]) == pytest.approx(280.0, abs=1.0)


def test_superior_is_the_upper_side_of_the_fundus_image():
    grid = of(surface(np.where(AXIS[:, None] < FOVEA.y_mm, 320.0, 240.0)))
    assert value(grid.sectors[EtdrsSector.OUTER_SUPERIOR]) == pytest.approx(320.0)
    assert value(grid.sectors[EtdrsSector.OUTER_INFERIOR]) == pytest.approx(240.0)


def test_without_the_eye_only_nasal_and_temporal_are_withheld():
    grid = of(surface(np.float32(270.0)), None)
    assert grid.sectors[EtdrsSector.INNER_NASAL] == NO_EYE
    assert isinstance(grid.sectors[EtdrsSector.OUTER_INFERIOR], Measured)
    assert isinstance(grid.total_volume_mm3, Measured)


def test_a_sector_with_less_than_95_percent_scanned_is_not_reported_and_neither_is_the_volume():
    values = np.full((325, 325), 270.0)
    values[FOVEA.y_mm - 2.85 > AXIS] = np.nan
    full_enough = of(surface(values))
    assert 0.95 < full_enough.sampled_fraction[EtdrsSector.OUTER_SUPERIOR] < 0.99
    assert isinstance(full_enough.total_volume_mm3, Measured)
    values[FOVEA.y_mm - 2.6 > AXIS] = np.nan
    grid = of(surface(values))
    missing = grid.sectors[EtdrsSector.OUTER_SUPERIOR]
    assert isinstance(missing, NotComputable)
    assert "95%" in missing.reason
    assert isinstance(grid.sectors[EtdrsSector.INNER_SUPERIOR], Measured)
    assert isinstance(grid.total_volume_mm3, NotComputable)


def test_an_eye_without_a_fovea_has_no_grid_and_keeps_the_reason():
    assert etdrs_thickness(surface(np.float32(270.0)), NO_PIT, Laterality.OD) == NO_PIT


@pytest.mark.parametrize("fovea", [(3.25, 3.25), (2.4, 3.9), (4.1, 2.6)])
def test_the_fovea_is_found_within_a_cell_or_two_under_noise(fovea):
    rng = np.random.default_rng(1)
    values = pit_um(AXIS[None, :], AXIS[:, None], fovea) + 8.0 * rng.standard_normal((325, 325))
    found = find_fovea(surface(values))
    assert isinstance(found, Fovea)
    assert np.hypot(found.x_mm - fovea[0], found.y_mm - fovea[1]) < 0.06
    assert not found.is_manual


@pytest.mark.parametrize("values", [np.float32(300.0), 200.0 + 40.0 * AXIS[None, :], np.float32(np.nan)])
def test_a_retina_without_a_pit_has_no_fovea(values):
    assert isinstance(find_fovea(surface(values)), NotComputable)


def test_a_swollen_macula_has_no_fovea_until_a_person_marks_it():
    swollen = surface(280.0 + 200.0 * np.exp(-((AXIS[None, :] - 3.2) ** 2 + (AXIS[:, None] - 3.2) ** 2) / 1.5))
    assert find_fovea(swollen) == NO_PIT
    assert marked_fovea(swollen, 3.2, 3.2) == Fovea(3.2, 3.2, is_manual=True)
    assert marked_fovea(swollen, 9.0, 3.2) == OUTSIDE
