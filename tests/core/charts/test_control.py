"""The control chart: points, limits and signals as judged, the period crops what is drawn and nothing else."""

from datetime import timedelta

import pytest
from demo_rows import ENDS_ON, TODAY, Demo

from core.charts.control import WORSE, draw_control, draw_cusum, draw_ewma, point_rows
from core.charts.dictionaries import POINT_COLUMNS
from core.database.session import session_scope
from core.store.mark import read_marks
from core.store.scan_filter import ScanFilter
from core.store.unit import UnitKind
from core.usecases.watch_units import Trend, watch_units


@pytest.fixture(scope="module")
def trend(demo: Demo) -> Trend:
    chosen = ScanFilter(site_id=demo.rows.site_ids[demo.rows.study.planted.bad_site])
    with session_scope(demo.database, token=demo.rows.manager) as session:
        found = watch_units(session, chosen, UnitKind.SITE, today=TODAY.date()).trend
    assert isinstance(found, Trend)
    return found


def test_points_that_break_a_rule_say_which(trend: Trend) -> None:
    rows = point_rows(trend)
    assert len(rows) == len(trend.chart.points)
    bad = [row for row in rows if row["standing"] == WORSE]
    assert bad
    assert all("beyond the limits" in str(row["rules"]) or "in a row" in str(row["rules"]) for row in bad)
    assert set(POINT_COLUMNS) <= set(rows[0])


def test_the_period_crops_what_is_drawn(trend: Trend) -> None:
    since = ENDS_ON - timedelta(weeks=8)
    rows = point_rows(trend, since)
    assert 0 < len(rows) < len(point_rows(trend))
    assert all(str(row["to"]) >= since.isoformat() for row in rows)


def test_the_charts_of_a_page_share_their_days(trend: Trend) -> None:
    domains = set()
    for chart in (draw_control(trend), draw_cusum(trend), draw_ewma(trend)):
        for layer in chart.to_dict()["layer"]:
            x = layer["encoding"].get("x")
            domains |= {tuple(x["scale"]["domain"])} if x and "scale" in x else set()
    assert len(domains) == 1


def test_marks_within_the_drawn_days_are_uprights(trend: Trend, demo: Demo) -> None:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        marks = read_marks(session, ScanFilter())
    assert marks
    text = str(draw_control(trend, marks).to_dict())
    assert all(mark.kind in text for mark in marks)
    assert marks[0].kind not in str(draw_control(trend, marks, marks[-1].happened_at.date()).to_dict())
