"""The trend of a fault: the bad site's motion stands out against the study's, a healthy site's does not."""

from collections.abc import Callable

import pytest
from demo_rows import TODAY, Demo

from core.database.session import session_scope
from core.store.example import Fault, read_examples
from core.store.scan_filter import ScanFilter
from core.store.site_week import read_site_weeks
from core.store.unit import UnitKind
from core.usecases import watch_fault_units as watch_fault_units_module
from core.usecases.watch_fault import FAULT_WORDS, watch_fault
from core.usecases.watch_fault_units import watch_fault_units
from core.usecases.watch_units import Trend, Watch
from core.values import NotComputable

Look = Callable[[str | None, Fault], Trend | NotComputable]


@pytest.fixture
def look(demo: Demo) -> Look:
    def looked(site: str | None, fault: Fault) -> Trend | NotComputable:
        chosen = ScanFilter(study_id=demo.rows.study_id, site_id=demo.rows.site_ids[site] if site else None)
        with session_scope(demo.database, token=demo.rows.manager) as session:
            return watch_fault(session, chosen, fault, today=TODAY.date())

    return looked


def test_the_bad_site_s_motion_stands_above_the_study_s_and_a_healthy_site_s_does_not(demo: Demo, look: Look) -> None:
    planted = demo.rows.study.planted
    bad, healthy = look(planted.bad_site, Fault.MOTION), look(planted.healthy_sites[0], Fault.MOTION)
    assert isinstance(bad, Trend)
    assert isinstance(healthy, Trend)
    assert bad.is_worse
    assert not healthy.is_worse
    assert bad.what == FAULT_WORDS[Fault.MOTION]


def test_the_points_of_all_sites_hold_every_capture_with_the_fault(demo: Demo, look: Look) -> None:
    trend = look(None, Fault.MOTION)
    assert isinstance(trend, Trend)
    with session_scope(demo.database, token=demo.rows.manager) as session:
        counted = sum(each.faults.get(Fault.MOTION, 0) for each in read_site_weeks(session, ScanFilter()))
    left = trend.pending.count.k if trend.pending else 0
    assert sum(point.period.count.k for point in trend.chart.points) + left == counted > 0


def test_without_a_single_fault_the_trend_lies_at_nought(look: Look) -> None:
    trend = look(None, Fault.DEVIATION)
    assert isinstance(trend, Trend)
    assert {point.value for point in trend.chart.points} == {0.0}
    assert not trend.is_worse


def test_a_selection_without_captures_says_so(demo: Demo) -> None:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        found = watch_fault(session, ScanFilter(scan_type="bscan 6x6"), Fault.MOTION, today=TODAY.date())
    assert isinstance(found, NotComputable)


def test_the_scans_behind_a_point_are_those_with_the_fault(demo: Demo) -> None:
    bad = ScanFilter(site_id=demo.rows.site_ids[demo.rows.study.planted.bad_site])
    with session_scope(demo.database, token=demo.rows.manager) as session:
        found = read_examples(session, bad, fault=Fault.MOTION, page_size=200)
        none = read_examples(session, bad, fault=Fault.DEVIATION)
        (counted,) = read_site_weeks(session, bad)
    assert len(found.items) >= 2 * counted.faults[Fault.MOTION] > 0, "both slabs of a capture; repeats come on top"
    assert none.items == ()


@pytest.fixture
def all_units(demo: Demo) -> Callable[..., Watch]:
    def looked(kind: UnitKind, fault: Fault = Fault.MOTION, **chosen: object) -> Watch:
        asked = ScanFilter(study_id=demo.rows.study_id, **chosen)
        with session_scope(demo.database, token=demo.rows.manager) as session:
            return watch_fault_units(session, asked, fault, kind, today=TODAY.date())

    return looked


def test_the_bad_site_s_motion_comes_first_of_all_sites(demo: Demo, all_units: Callable[..., Watch]) -> None:
    planted = demo.rows.study.planted
    watch = all_units(UnitKind.SITE)
    worse = [unit.unit.label for unit in watch.units if unit.trend.is_worse]
    assert worse[0] == planted.bad_site
    assert not set(worse) & set(planted.healthy_sites)
    assert {unit.trend.what for unit in watch.units} == {FAULT_WORDS[Fault.MOTION]}


def test_the_declining_device_s_signal_comes_first_of_all_devices(demo: Demo, all_units: Callable[..., Watch]) -> None:
    watch = all_units(UnitKind.DEVICE, Fault.LOW_SIGNAL)
    assert watch.units[0].unit.label == demo.rows.study.planted.declining_device
    assert watch.units[0].trend.is_worse


@pytest.mark.parametrize("kind", UnitKind)
def test_all_units_together_hold_every_capture_with_the_fault(
    demo: Demo, all_units: Callable[..., Watch], kind: UnitKind
) -> None:
    watch = all_units(kind)
    assert watch.n_units == len(watch.units) + len(watch.too_few)
    with session_scope(demo.database, token=demo.rows.manager) as session:
        counted = sum(each.faults.get(Fault.MOTION, 0) for each in read_site_weeks(session, ScanFilter()))
    found = sum(
        sum(point.period.count.k for point in unit.trend.chart.points)
        + (unit.trend.pending.count.k if unit.trend.pending else 0)
        for unit in watch.units
    )
    assert found <= counted
    assert found == counted or watch.too_few or kind is UnitKind.TECHNICIAN


def test_a_unit_s_points_are_those_of_its_own_trend(
    demo: Demo, look: Look, all_units: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_fault_units_module, "WEEKS_OF_MANY", 1)
    bad = demo.rows.study.planted.bad_site
    alone = look(bad, Fault.MOTION)
    assert isinstance(alone, Trend)
    (unit,) = [each for each in all_units(UnitKind.SITE).units if each.unit.label == bad]
    assert [point.period.count for point in unit.trend.chart.points] == [
        point.period.count for point in alone.chart.points
    ]


def test_of_many_units_those_of_most_concern_are_shown(
    demo: Demo, all_units: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_fault_units_module, "MOST_UNITS", 1)
    watch = all_units(UnitKind.SITE)
    assert [unit.unit.label for unit in watch.units] == [demo.rows.study.planted.bad_site]
    assert watch.n_units == len(demo.rows.site_ids)


def test_units_without_captures_have_no_trends(all_units: Callable[..., Watch]) -> None:
    watch = all_units(UnitKind.SITE, scan_type="bscan 6x6")
    assert not watch.units
    assert isinstance(watch.trend, NotComputable)
