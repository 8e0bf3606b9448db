"""The filter bar over the demo study: every filter acts, or the page says in words that it does not."""

import json
import re
from collections.abc import Callable
from datetime import date

import pytest
from demo_rows import TODAY, Demo
from stopped_clock import stop_clock
from streamlit.testing.v1 import AppTest

from core.broker import NullBell
from core.storage import open_blob_store
from core.store import capture_count
from core.store.scan_filter import whole_weeks
from dashboard.installation import Installation, install

PageOf = Callable[..., AppTest]
OVERVIEW, SITES, TRENDS, WHY = "pages/overview.py", "pages/sites.py", "pages/trends.py", "pages/why.py"
WATCH, FAZ, EXAMPLES, WORKLIST = "pages/watch.py", "pages/faz.py", "pages/examples.py", "pages/worklist.py"
AGREEMENT = "pages/agreement.py"


@pytest.fixture
def demo_page(demo: Demo, monkeypatch: pytest.MonkeyPatch, app_page: PageOf) -> PageOf:
    install(Installation(demo.settings, demo.database, open_blob_store(demo.settings), NullBell()))
    stop_clock(monkeypatch, TODAY)

    def page(path: str, **query: object) -> AppTest:
        return app_page(demo.rows.manager, path, **query)

    return page


def shown(page: AppTest) -> str:
    assert not page.exception, page.exception[0].value
    given = (json.loads(part.proto.json or part.proto.mixed.json) for part in page.get("bidi_component"))
    return "\n".join([*(json.dumps(data, ensure_ascii=False) for data in given), *(c.value for c in page.caption)])


def received(page: AppTest) -> int:
    """The first counter of the Overview."""
    found = re.search(r'First captures received</span><span class=\\"value\\">([\d,\u202f ]+)<', shown(page))
    assert found, shown(page)[:2000]
    return int(re.sub(r"\D", "", found.group(1)))


def test_parts_of_the_overview_add_up_to_the_whole(demo_page: PageOf, demo: Demo):
    whole = received(demo_page(OVERVIEW, period="all"))
    for name, values in (
        ("eye", ("OD", "OS")),
        ("visit", sorted({each.visit.code for each in demo.rows.study.acquisitions})),
    ):
        parts = [received(demo_page(OVERVIEW, period="all", **{name: value})) for value in values]
        assert sum(parts) == whole, name
        assert all(0 < part < whole for part in parts), name


def test_the_overview_counts_what_was_scored_and_how_long_decisions_take(demo_page: PageOf):
    markup = shown(demo_page(OVERVIEW))
    assert "First captures scored" in markup
    turn_around = markup[markup.index("Turn-around, median") :]
    assert re.match(r"Turn-around, median</span><span class=..value..>\d+ (s|min|h)<", turn_around), turn_around[:200]
    assert "over a tenth still open; ±0 s on as many scans before" in turn_around


@pytest.mark.parametrize("path", [OVERVIEW, SITES, TRENDS, WHY, WATCH, FAZ, AGREEMENT])
def test_each_page_of_rates_and_scans_has_the_finer_filters(demo_page: PageOf, path: str, demo: Demo):
    visit = demo.rows.study.acquisitions[0].visit.code
    page = demo_page(path, visit=visit, graded_by="model", period="all")
    chosen = {box.label: box.value for box in page.selectbox}
    assert (chosen["Visit"], chosen["Whose grade counts"]) == (visit, "model")
    assert {"Eye", "Period", "Software"} <= chosen.keys()
    assert "not narrowed by on this page" not in shown(page)


def test_what_a_page_does_not_narrow_by_is_said(demo_page: PageOf):
    assert "Chosen, but not narrowed by on this page: slab. Rates count whole captures." in shown(
        demo_page(TRENDS, slab="deep")
    )
    assert "not narrowed by on this page: visit and period" in shown(demo_page(WORKLIST, visit="M3", period="4w"))
    assert "not narrowed by on this page" not in shown(demo_page(EXAMPLES, slab="deep", visit="M3"))


def test_days_of_one_s_own_are_whole_weeks_where_counts_are_read_and_days_where_scans_are(demo_page: PageOf):
    page = demo_page(WHY, days="2026-09-02..2026-10-13")
    assert "shown are the whole weeks from 31 Aug 2026 to 18 Oct 2026." in shown(page)
    assert page.date_input[0].value == (date(2026, 9, 2), date(2026, 10, 13))
    assert "Counts are kept by week" not in shown(demo_page(WHY, days="2026-08-31..2026-10-18"))
    assert "Counts are kept by week" not in shown(demo_page(EXAMPLES, days="2026-09-02..2026-10-13"))


def test_days_begin_with_those_of_the_period_and_are_chosen_in_a_calendar(demo_page: PageOf):
    page = demo_page(OVERVIEW, period="4w")
    assert not page.date_input
    next(box for box in page.selectbox if box.label == "Period").set_value("days").run()
    assert page.query_params["days"] == "2026-10-26..2026-11-19"
    assert "period" not in page.query_params
    page.date_input[0].set_value((date(2026, 9, 1), date(2026, 9, 30))).run()
    assert page.query_params["days"] == "2026-09-01..2026-09-30"
    next(box for box in page.selectbox if box.label == "Period").set_value("13w").run()
    assert "days" not in page.query_params
    assert not page.date_input


@pytest.mark.parametrize(
    "days",
    ["2026-09-31..2026-10-02", "2026-10-02..2026-09-01", "0001-01-01..9999-12-31", "2026-10-02..9999-12-30", ".."],
)
def test_days_that_are_none_choose_nothing(demo_page: PageOf, days: str):
    assert received(demo_page(OVERVIEW, days=days, period="all")) == received(demo_page(OVERVIEW, period="all"))


def test_too_many_captures_are_refused_and_not_cut(demo_page: PageOf, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(capture_count, "MOST_CAPTURES", 10)
    words = shown(demo_page(TRENDS, eye="OD"))
    assert "here there are more than 10." in words
    assert "Choose a site, a device or a shorter period" in words
    assert "points" not in words


def test_examples_are_narrowed_by_model_version_and_whose_grade_counts(demo_page: PageOf):
    assert 'class=\\"card\\"' in shown(demo_page(EXAMPLES, scored_by=1, graded_by="model"))
    for nobody in ({"scored_by": 99}, {"graded_by": "person"}):
        assert "No such scan" in shown(demo_page(EXAMPLES, **nobody))


def test_whole_weeks_hold_the_days():
    assert whole_weeks(date(2026, 9, 2), date(2026, 10, 14)) == (date(2026, 8, 31), date(2026, 10, 19))
    assert whole_weeks(date(2026, 8, 31), date(2026, 10, 19)) == (date(2026, 8, 31), date(2026, 10, 19))
