"""Trends over the demo study: the planted decline is found at its device and in its week, and no healthy unit breaks a rule."""

from datetime import timedelta

import pytest
from demo_rows import ENDS_ON, TODAY, Demo

from core.database.session import session_scope
from core.statistics.clustering import INDEPENDENT
from core.statistics.control_chart import MIN_VISITS, ChartKind
from core.store.scan_filter import ScanFilter
from core.store.unit import UnitKind
from core.store.unit_week import read_unit_weeks, read_weeks
from core.usecases.watch_units import BaselineSource, Trend, Watch, most_concerning, shared_baseline, watch_units


def look(demo: Demo, kind: UnitKind, chart: ChartKind = ChartKind.LANEY, **chosen: object) -> Watch:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        return watch_units(session, ScanFilter(**chosen), kind, today=TODAY.date(), chart=chart)


def test_rules_are_broken_by_the_planted_faults_and_by_nobody_else(demo: Demo) -> None:
    planted = demo.rows.study.planted
    sites = look(demo, UnitKind.SITE)
    assert {unit.unit.label for unit in sites.units if unit.trend.is_worse} <= {planted.bad_site, "ALDER"}
    assert sites.units[0].unit.label == planted.bad_site
    assert [unit.label for unit in sites.too_few] == [planted.tiny_site]
    devices = look(demo, UnitKind.DEVICE)
    bad = {planted.declining_device, *(each.code for each in demo.rows.study.devices if each.site == planted.bad_site)}
    assert {unit.unit.label for unit in devices.units if unit.trend.is_worse} <= bad
    assert {unit.unit.label for unit in devices.units[:3]} == bad


def test_the_decline_is_dated(demo: Demo) -> None:
    planted = demo.rows.study.planted
    trend = look(demo, UnitKind.DEVICE, device_id=demo.rows.device_ids[planted.declining_device]).trend
    assert isinstance(trend, Trend)
    assert trend.cusum is not None
    assert trend.cusum.points[-1].is_signal
    assert trend.cusum.changed_after is not None
    assert abs(trend.cusum.changed_after - planted.decline_starts_on) <= timedelta(weeks=4)


def test_every_point_holds_enough_visits_and_nothing_is_lost(demo: Demo) -> None:
    trend = look(demo, UnitKind.SITE).trend
    assert isinstance(trend, Trend)
    counts = [point.period.count for point in trend.chart.points]
    assert min(count.n_clusters for count in counts) >= MIN_VISITS
    pending = trend.pending.count.n if trend.pending else 0
    assert sum(count.n for count in counts) + pending == len(demo.rows.study.first_pass)


def test_a_later_period_moves_no_baseline(demo: Demo) -> None:
    whole = look(demo, UnitKind.SITE).trend
    late = look(demo, UnitKind.SITE, since=ENDS_ON - timedelta(weeks=4), until=ENDS_ON + timedelta(days=1)).trend
    assert isinstance(whole, Trend)
    assert isinstance(late, Trend)
    assert late.chart.baseline == whole.chart.baseline
    assert whole.source is BaselineSource.OWN
    assert whole.chart.baseline.ends_on < ENDS_ON - timedelta(weeks=8)


def test_a_unit_of_few_points_is_held_against_the_study_s_first_weeks(demo: Demo) -> None:
    site = look(demo, UnitKind.SITE, site_id=demo.rows.site_ids[demo.rows.study.planted.bad_site]).trend
    assert isinstance(site, Trend)
    assert site.source is BaselineSource.SHARED
    early = [a for a in demo.rows.study.first_pass if demo.rows.study.week_of(a.acquired_at.date()) <= 13]
    assert site.chart.baseline.n == len(early)
    assert site.chart.baseline.centre == pytest.approx(sum(a.is_poor for a in early) / len(early))
    assert site.judged == site.chart.points


def test_laney_s_limits_are_no_narrower_than_those_of_p(demo: Demo) -> None:
    laney, plain = (look(demo, UnitKind.SITE, chart).trend for chart in (ChartKind.LANEY, ChartKind.P))
    assert isinstance(laney, Trend)
    assert isinstance(plain, Trend)
    pairs = zip(laney.chart.points, plain.chart.points, strict=True)
    assert all(wide.high >= narrow.high and wide.low <= narrow.low for wide, narrow in pairs)


def test_nothing_decided_is_no_trend(demo: Demo) -> None:
    watch = look(demo, UnitKind.SITE, scan_type="onh-enface 3x3")
    assert not isinstance(watch.trend, Trend)
    assert watch.units == ()


def test_of_very_many_units_the_most_concerning_are_worked_out(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.usecases.watch_units.MOST_UNITS", 3)
    with session_scope(demo.database, token=demo.rows.manager) as session:
        units = read_unit_weeks(session, ScanFilter(), UnitKind.DEVICE)
        shared = shared_baseline(read_weeks(session, ScanFilter()), INDEPENDENT)
    planted = demo.rows.study.planted
    bad = {planted.declining_device, *(each.code for each in demo.rows.study.devices if each.site == planted.bad_site)}
    assert {each.unit.label for each in most_concerning(units, shared)} == bad
