"""The comparison of units over the demo study: the planted faults are found by name, and nobody else is red."""

from demo_rows import Demo

from core.database.session import session_scope
from core.phantom.demo_roster import UPDATED_DEVICE, UPDATED_SOFTWARE
from core.store.scan_filter import ScanFilter
from core.store.unit import UnitKind
from core.usecases.judge_units import UnitComparison, compare_units


def compare(demo: Demo, kind: UnitKind, token: str = "", **chosen: object) -> UnitComparison:
    with session_scope(demo.database, token=token or demo.rows.manager) as session:
        return compare_units(session, ScanFilter(**chosen), kind)


def test_the_planted_faults_are_named_and_nobody_else_is_red(demo: Demo) -> None:
    planted = demo.rows.study.planted
    sites = compare(demo, UnitKind.SITE)
    assert [unit.unit.label for unit in sites.red] == [planted.bad_site]
    assert [unit.unit.label for unit in sites.units if not unit.is_judged] == [planted.tiny_site]
    assert sites.units[0].unit.label == planted.bad_site
    devices = compare(demo, UnitKind.DEVICE)
    faulty = {
        planted.declining_device,
        *(each.code for each in demo.rows.study.devices if each.site == planted.bad_site),
    }
    assert {unit.unit.label for unit in devices.red} <= faulty
    assert planted.declining_device in {unit.unit.label for unit in devices.units if unit.is_red or unit.is_amber}


def test_the_counts_are_those_of_the_study(demo: Demo) -> None:
    for kind in UnitKind:
        comparison = compare(demo, kind)
        assert sum(unit.count.tally.decided for unit in comparison.units) == len(demo.rows.study.first_pass), kind
        assert sum(unit.point.count.k for unit in comparison.units) == sum(
            a.is_poor for a in demo.rows.study.first_pass
        )
        visits = {(a.visit.subject.code, a.visit.code) for a in demo.rows.study.first_pass}
        assert sum(unit.point.count.n_clusters for unit in comparison.units) == len(visits), kind
        assert comparison.design is not None
        assert comparison.design.correlation > 0.3, "both scans of a visit share its fate"


def test_software_versions_of_one_device_are_units_of_their_own(demo: Demo) -> None:
    chosen = {"device_id": demo.rows.device_ids[UPDATED_DEVICE]}
    units = compare(demo, UnitKind.SOFTWARE, **chosen).units
    taken = [a.software_version for a in demo.rows.study.first_pass if a.device == UPDATED_DEVICE]
    assert {unit.unit.label: unit.point.count.n for unit in units} == {
        f"Angio 3 · {version}": taken.count(version) for version in set(taken)
    }
    (updated,) = [unit for unit in units if unit.unit.within.software_version == UPDATED_SOFTWARE]
    assert updated.unit.within == ScanFilter(device_model="Angio 3", software_version=UPDATED_SOFTWARE)
    assert updated.count.patients > 0


def test_one_site_s_person_compares_that_site_s_units_alone(demo: Demo) -> None:
    units = compare(demo, UnitKind.DEVICE, demo.rows.technician).units
    assert {unit.unit.site_code for unit in units} == {demo.rows.study.planted.bad_site}


def test_a_scan_type_asks_for_the_visits_of_that_type(demo: Demo) -> None:
    comparison = compare(demo, UnitKind.SITE, scan_type="octa-enface 6x6")
    wide = [a for a in demo.rows.study.first_pass if a.field_mm == 6.0]
    assert sum(unit.point.count.n for unit in comparison.units) == len(wide)
    assert sum(unit.point.count.n_clusters for unit in comparison.units) == len(wide)
    assert comparison.design is not None
    assert comparison.design.correlation == 0.0


def test_without_anything_decided_there_is_no_funnel(demo: Demo) -> None:
    comparison = compare(demo, UnitKind.SITE, scan_type="onh-enface 3x3")
    assert (comparison.funnel, comparison.units) == (None, ())
    assert len(comparison.uncounted) == len(demo.rows.study.sites)
