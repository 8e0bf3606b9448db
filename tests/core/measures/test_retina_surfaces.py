"""Surfaces of the retina and their differences, on retinas whose shape is known in closed form."""

import numpy as np
import pytest

from core.measures.fovea import Fovea
from core.measures.retina_surfaces import difference_at_fovea, lay_surfaces
from core.measures.thickness_map import FundusMap
from core.values import NotComputable
from core.vocabulary import ScanPattern
from core.volume import OctVolume

Z_MM = 0.004
WIDTH, N = 120, 25


def volume(**changes: object) -> OctVolume:
    y = np.linspace(1.0, 4.0, N)
    lines = np.stack([np.full(N, 1.0), y, np.full(N, 4.0), y], axis=1)
    stated = {"z_mm_per_px": Z_MM, "x_mm_per_px": 3.0 / WIDTH, "lines_mm": lines, "scan_pattern": ScanPattern.VOLUME}
    return OctVolume(np.zeros((N, 200, WIDTH), np.uint8), **stated | changes)


def borders() -> tuple[np.ndarray, np.ndarray]:
    """A retina of 60 rows at the left that gains 30 to the right, and lies 2 rows deeper from B-scan to B-scan."""
    inner = np.broadcast_to(20.0 + 2.0 * np.arange(N)[:, None], (N, WIDTH)).astype(np.float32)
    return inner, (inner + 60.0 + 30.0 * np.linspace(0, 1, WIDTH)).astype(np.float32)


def flat(values: np.ndarray, *, left: float = 0.0, top: float = 0.0) -> FundusMap:
    rows, columns = values.shape
    return FundusMap(values.astype(np.float32), left + 0.1 * np.arange(columns), top + 0.1 * np.arange(rows))


def test_borders_and_thickness_stand_at_their_depth_in_micrometres():
    surfaces = lay_surfaces(*borders(), volume())
    x = (surfaces.thickness.x_mm - 1.0) / 3.0
    assert surfaces.thickness.values[60] == pytest.approx(4.0 * (60.0 + 30.0 * x), abs=1.5)
    assert surfaces.end.values - surfaces.start.values == pytest.approx(surfaces.thickness.values, abs=0.01)
    assert surfaces.start.values[-1, 0] - surfaces.start.values[0, 0] == pytest.approx(4.0 * 2.0 * (N - 1), rel=0.01)


def test_where_one_border_is_missing_there_is_no_surface_at_all():
    inner, outer = borders()
    outer[:, :60] = np.nan
    surfaces = lay_surfaces(inner, outer, volume())
    assert not surfaces.start.sampled[:, :70].any()
    assert np.array_equal(surfaces.start.sampled, surfaces.thickness.sampled)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"z_mm_per_px": None}, "depth scale"),
        ({"lines_mm": None}, "where the B-scans lie"),
        ({"scan_pattern": ScanPattern.CIRCLE}, "circle scan"),
    ],
)
def test_what_has_no_surface_says_why(changes: dict[str, object], reason: str):
    found = lay_surfaces(*borders(), volume(**changes))
    assert isinstance(found, NotComputable)
    assert reason in found.reason


def test_no_retina_is_no_surface():
    nothing = np.full((N, WIDTH), np.nan, np.float32)
    assert lay_surfaces(nothing, nothing, volume()) == NotComputable("no retina was found")


def test_a_visit_later_is_compared_at_the_fovea_and_not_at_the_edge_of_the_image():
    y, x = np.mgrid[:40, :40]
    before = flat(300.0 + x + 2.0 * y)
    after = flat(300.0 + (x - 3) + 2.0 * (y + 2) + 7.0)  # the eye lay 3 cells to the right and 2 up, and gained 7 um
    found = difference_at_fovea(after, Fovea(2.3, 1.8), before, Fovea(2.0, 2.0))
    assert found.values[found.sampled] == pytest.approx(7.0, abs=1e-3)
    assert found.sampled.mean() > 0.8
    assert not found.sampled[:, :3].any()  # beyond the edge of the earlier map nothing is made up


def test_the_fellow_eye_is_turned_over_so_that_nasal_meets_nasal():
    _, x = np.mgrid[:30, :41]
    right, left = flat(300.0 + 2.0 * x), flat(300.0 + 2.0 * (40 - x))
    fovea = Fovea(2.0, 1.5)
    assert np.nanmax(np.abs(difference_at_fovea(right, fovea, left, fovea, is_mirrored=True).values)) < 1e-3
    assert np.nanmax(np.abs(difference_at_fovea(right, fovea, left, fovea).values)) == pytest.approx(80.0)
