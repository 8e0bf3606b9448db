"""FAZ figures of zones drawn and found as discs: every value follows from the radii."""

import numpy as np
import pytest

from core.training.evaluation.zones import area_agreements, faz_figures
from core.vocabulary import CoipsGrade

RADII = [(10, 10), (12, 12), (14, 14), (11, 13), (13, 11), (12, 12)]


@pytest.fixture
def cases(make_case, make_zone):
    zones = {
        "superficial": [make_zone(drawn, found) for drawn, found in RADII],
        "deep": [make_zone(drawn, found, mm_per_px=None) for drawn, found in [*RADII[:5], (12, 0)]],
    }
    return [
        make_case(
            f"{slab}{index}",
            set="faz_coips",
            slab=slab,
            field_mm=3.0 if slab == "superficial" else None,
            zone=zone,
            grade=CoipsGrade.GRADABLE if index else CoipsGrade.UNGRADABLE,
        )
        for slab, found in zones.items()
        for index, zone in enumerate(found)
    ]


def values(metrics, label):
    return {metric.name: metric.value for metric in metrics if metric.set == label}


SUPERFICIAL, DEEP = "faz_coips superficial 3 mm, held-out", "faz_coips deep field unknown, held-out"


def test_slabs_are_never_pooled_and_good_scans_stand_apart(cases):
    sets = {metric.set: metric.n_images for metric in faz_figures(cases, "held-out")}
    assert sets[SUPERFICIAL] == 6
    assert sets["faz_coips superficial 3 mm, graded gradable or better, held-out"] == 5
    assert not any("deep" in name and "superficial" in name for name in sets)


def test_overlap_and_distances_follow_from_the_radii(cases):
    found = values(faz_figures(cases, "held-out"), SUPERFICIAL)
    # Four of six are equal; of the others the smaller disc lies wholly in the larger, 2 px inside its boundary.
    smaller, larger = 11**2, 13**2
    assert found["FAZ Dice"] == pytest.approx((4 + 2 * 2 * smaller / (smaller + larger)) / 6, abs=0.01)
    assert found["FAZ Jaccard"] == pytest.approx((4 + 2 * smaller / larger) / 6, abs=0.01)
    assert found["FAZ mean surface distance"] == pytest.approx(2 * 2 / 6, abs=0.08)
    assert found["FAZ mean surface distance in mm"] == pytest.approx(
        found["FAZ mean surface distance"] * 3 / 64, abs=1e-4
    )
    assert found["FAZ missed"] == 0


def test_area_bias_and_limits_are_in_square_millimetres_and_only_with_a_known_field(cases):
    metrics = faz_figures(cases, "held-out")
    found = values(metrics, SUPERFICIAL)
    gap = np.pi * (13**2 - 11**2) * (3 / 64) ** 2
    assert found["FAZ area bias"] == pytest.approx(0, abs=0.002)
    half_width = found["FAZ area: half-width of the 95 % limits of agreement"]
    assert half_width == pytest.approx(1.96 * gap * np.sqrt(2 / 5), rel=0.05)
    assert {m.unit for m in metrics if "area" in m.name and "ICC" not in m.name} == {"mm²"}
    assert not any("area" in name or "in mm" in name for name in values(metrics, DEEP))
    assert SUPERFICIAL in {agreement.set for agreement in area_agreements(cases, "held-out")}


def test_a_missed_zone_counts_in_the_overlap_and_is_named(cases):
    metrics = faz_figures(cases, "held-out")
    found = values(metrics, DEEP)
    assert found["FAZ missed"] == pytest.approx(1 / 6, abs=1e-4)
    assert found["FAZ Dice"] < 5 / 6
    distance = next(m for m in metrics if m.set == DEEP and m.name == "FAZ HD95")
    assert distance.n_images == 5
