"""The trend of a fault: the bad site's motion stands out against the study's, a healthy site's does not."""

from collections.abc import Callable

import pytest
from demo_rows import TODAY, Demo

from core.database.session import session_scope
from core.store.example import Fault, read_examples
from core.store.scan_filter import ScanFilter
from core.store.site_week import read_site_weeks
from core.usecases.watch_fault import FAULT_WORDS, watch_fault
from core.usecases.watch_units import Trend
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
