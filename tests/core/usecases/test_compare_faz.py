"""FAZ metrics: what counts, what is left out, outliers, pairs and grades; slabs and fields are never pooled."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from demo_rows import Demo

from core.database.session import session_scope
from core.measures.faz_norms import STANDARD_EYE_MM
from core.statistics.means import PairedDifferences
from core.statistics.resampling import Interval
from core.store.faz import FazReading, FazReadings, read_faz
from core.store.scan_filter import ScanFilter
from core.usecases.compare_faz import (
    FazBy,
    FazComparison,
    FazPairs,
    Magnification,
    PairKind,
    compare_faz,
    compare_readings,
)
from core.values import Measured, NotComputable
from core.vocabulary import Laterality, ScaleSource, Slab

AREA = "faz_area_mm2"
DAY = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
USUAL = ScanFilter(slab=Slab.SUPERFICIAL, scan_type="octa-enface 3x3")


def reading(scan_id: int, area: float | None, **changed: object) -> FazReading:
    measure = NotComputable("no scale") if area is None else Measured(area)
    made = FazReading(
        scan_id=scan_id, subject_id=scan_id, subject_code=f"S-{scan_id}", visit_id=scan_id, site_code="CEDAR",
        device_code="CEDAR-A", laterality=Laterality.OD, acquired_at=DAY + timedelta(days=scan_id), ordinal=2,
        scale_source=ScaleSource.MANIFEST, axial_length_mm=None, touches_border=False, measure=measure,
    )  # fmt: skip
    return replace(made, **changed)


def compared(
    readings: Sequence[FazReading], magnification: Magnification = Magnification.NOMINAL, by: FazBy = FazBy.SITE
) -> FazComparison:
    return compare_readings(FazReadings(DAY, tuple(readings), 300, is_cut=False), AREA, by, magnification)


def pairs_of(found: FazComparison, kind: PairKind) -> FazPairs:
    return next(each for each in found.pairs if each.kind is kind)


def look(demo: Demo, chosen: ScanFilter, token: str = "") -> FazComparison:
    with session_scope(demo.database, token=token or demo.rows.manager) as session:
        return compare_faz(session, chosen, AREA, FazBy.SITE, Magnification.NOMINAL)


def test_every_gradable_scan_of_the_slab_and_field_is_shown_once_and_no_other(demo: Demo) -> None:
    found = look(demo, USUAL)
    taken = [a for a in demo.rows.study.acquisitions if a.field_mm == 3.0]
    assert len(found.points) == sum(not a.is_poor for a in taken)
    assert found.n_ungradable == sum(a.is_poor for a in taken)
    assert sum(len(group.points) for group in found.groups) == len(found.points)
    assert found.norm is not None
    assert "116 people" in found.norm.population
    assert all(group.share_outside(found.norm) < 0.3 for group in found.groups if group.n_patients > 10)


def test_deep_zones_are_larger_and_have_a_norm_of_their_own(demo: Demo) -> None:
    superficial, deep = look(demo, USUAL), look(demo, replace(USUAL, slab=Slab.DEEP))
    assert superficial.norm is not None
    assert deep.norm is not None
    assert deep.norm.mean > superficial.norm.mean
    medians = [np.median([point.value for point in found.points]) for found in (superficial, deep)]
    assert medians[1] / medians[0] == pytest.approx(1.35, rel=0.05)


def test_slabs_and_fields_are_not_pooled(demo: Demo) -> None:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        for chosen in (replace(USUAL, slab=None), replace(USUAL, scan_type=None)):
            with pytest.raises(ValueError, match="one slab and one scan type"):
                read_faz(session, chosen, AREA)
        with pytest.raises(ValueError, match="no FAZ metric"):
            read_faz(session, USUAL, "vessel_density")


def test_a_site_s_person_sees_that_site_alone(demo: Demo) -> None:
    bad = demo.rows.study.planted.bad_site
    assert {group.name for group in look(demo, USUAL, demo.rows.technician).groups} == {bad}
    assert look(demo, USUAL, "forged").n_scans == 0
    assert look(demo, replace(USUAL, site_id=demo.rows.site_ids[bad])).groups[0].name == bad


def test_what_is_not_whole_gradable_or_scaled_is_left_out_and_counted() -> None:
    usual = [reading(n, 0.25) for n in range(1, 5)]
    odd = [
        reading(5, 0.9, ordinal=0),
        reading(6, 0.5, touches_border=True),
        reading(7, None, scale_source=None),
    ]
    found = compared([*usual, *odd])
    assert [point.reading.scan_id for point in found.points] == [1, 2, 3, 4]
    assert (found.n_ungradable, len(found.cut_off), found.missing) == (1, 1, {"no scale": 1})
    assert found.sources == {ScaleSource.MANIFEST: 6, None: 1}
    assert found.why_no_outliers == "fewer than 10 values"


def test_a_wrong_outline_is_an_outlier_wherever_it_was_taken() -> None:
    rng = np.random.default_rng(3)
    usual = [reading(n, float(np.exp(rng.normal(-1.4, 0.2)))) for n in range(1, 60)]
    found = compared([*usual, reading(60, 2.5, device_code="ELM-A", site_code="ELM")], by=FazBy.DEVICE)
    assert [point.reading.scan_id for point in found.points if point.is_outlier] == [60]
    assert {group.name: group.n_outliers for group in found.groups} == {"CEDAR-A": 0, "ELM-A": 1}


def test_eyes_visits_and_repeats_are_paired_as_they_were_taken() -> None:
    def one(scan_id: int, area: float, visit: int, eye: Laterality) -> FazReading:
        return reading(scan_id, area, subject_id=1, visit_id=visit, laterality=eye)

    found = compared([
        one(1, 0.20, 1, Laterality.OD), one(2, 0.24, 1, Laterality.OS), one(3, 0.21, 1, Laterality.OD),
        one(4, 0.30, 2, Laterality.OD), one(5, 0.9, 9, Laterality.OS),
    ])  # fmt: skip
    ids = {
        kind: [(pair.first.reading.scan_id, pair.second.reading.scan_id) for pair in pairs_of(found, kind).pairs]
        for kind in PairKind
    }
    assert ids == {PairKind.EYES: [(2, 3)], PairKind.VISITS: [(3, 4), (2, 5)], PairKind.REPEATS: [(1, 3)]}
    assert pairs_of(found, PairKind.EYES).pairs[0].difference == pytest.approx(-0.03)
    assert pairs_of(found, PairKind.VISITS).n_beyond(0.022) == 2
    assert pairs_of(found, PairKind.REPEATS).n_beyond(0.022) == 0


def test_the_own_repeatability_is_that_of_the_simulated_repeats(demo: Demo) -> None:
    rng = np.random.default_rng(4)
    deviation = 0.008  # 2.77 of it is the published repeatability by hand
    readings = [
        reading(10 * eye + n, 0.25 + rng.normal(0, deviation), subject_id=eye, visit_id=eye)
        for eye in range(300)
        for n in (1, 2)
    ]
    found = pairs_of(compared(readings), PairKind.REPEATS).found
    assert isinstance(found, PairedDifferences)
    assert isinstance(found.repeatability, Interval)
    assert found.repeatability.low < 2.77 * deviation < found.repeatability.high


def test_a_grade_that_changes_the_metric_is_seen_and_one_that_does_not_is_not() -> None:
    rng = np.random.default_rng(6)
    readings = [
        reading(n, 0.25 + rng.normal(0, 0.02) + (0.1 if n % 3 == 0 else 0.0), ordinal=n % 3) for n in range(1, 181)
    ]
    effect = compared(readings).effect
    assert isinstance(effect.ungradable, Interval)
    assert isinstance(effect.middle, Interval)
    assert effect.ungradable.low > 0.08
    assert effect.middle.low < 0 < effect.middle.high
    assert [len(grade.values) for grade in effect.grades] == [60, 60, 60]


def test_axial_length_corrects_areas_by_its_square_and_leaves_out_eyes_without_one() -> None:
    readings = [reading(1, 0.25, axial_length_mm=1.1 * STANDARD_EYE_MM), reading(2, 0.25)]
    found = compared(readings, Magnification.CORRECTED)
    assert [point.value for point in found.points] == [pytest.approx(0.25 * 1.21)]
    assert found.missing == {"no axial length": 1}
    assert [point.value for point in compared(readings).points] == [0.25, 0.25]
