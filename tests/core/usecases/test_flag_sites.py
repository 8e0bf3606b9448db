"""The matrix of sites by indicators: planted faults are red by name, flags know how long, borders are as written down."""

from collections import Counter
from datetime import date, timedelta

import pytest
from demo_rows import ENDS_ON, TODAY, Demo

from core.database.session import session_scope
from core.statistics.clustering import ClusteredCount
from core.store.scan_filter import ScanFilter
from core.store.site_week import OpenRequests, SiteWeek, Waits
from core.store.unit import Unit
from core.usecases.flag_sites import (
    RECENT_SCANS,
    Change,
    FlagMatrix,
    Indicator,
    Light,
    TurnAroundDays,
    build_matrix,
    flag_sites,
    turn_around_of,
)

PERIOD = {"since": ENDS_ON - timedelta(days=ENDS_ON.weekday() + 7 * 25), "until": ENDS_ON + timedelta(days=5)}
MONDAY = date(2026, 3, 2)
DAY_S = 86_400.0


def look(demo: Demo, token: str = "", **chosen: object) -> FlagMatrix:
    with session_scope(demo.database, token=token or demo.rows.manager) as session:
        return flag_sites(session, ScanFilter(**chosen), today=TODAY.date(), now=TODAY)


def light(matrix: FlagMatrix, site: str, indicator: Indicator) -> Light:
    (row,) = [row for row in matrix.sites if row.site.label == site]
    return next(cell.light for cell in row.cells if cell.indicator is indicator)


@pytest.mark.parametrize("chosen", [PERIOD, {}], ids=["26 weeks", "all time"])
def test_the_bad_site_is_red_and_no_healthy_one(demo: Demo, chosen: dict[str, object]) -> None:
    planted = demo.rows.study.planted
    matrix = look(demo, **chosen)
    declining_site = planted.declining_device.rsplit("-", 1)[0]
    assert {row.site.label for row in matrix.red} - {declining_site} == {planted.bad_site}
    assert matrix.sites[0].site.label == planted.bad_site
    assert light(matrix, planted.bad_site, Indicator.POOR) is Light.RED
    assert light(matrix, planted.bad_site, Indicator.MOTION) is Light.RED
    for site in planted.healthy_sites:
        assert {light(matrix, site, each) for each in (Indicator.POOR, Indicator.MOTION)} == {Light.GREEN}
    assert [row.site.label for row in matrix.sites if not row.is_judged] == [planted.tiny_site]


def test_the_declining_device_shows_in_its_site_s_signal(demo: Demo) -> None:
    assert light(look(demo, **PERIOD), "ALDER", Indicator.LOW_SIGNAL) in (Light.AMBER, Light.RED)


def test_overdue_requests_are_those_of_the_study(demo: Demo) -> None:
    rows = {row.site.label: row for row in look(demo, **PERIOD).sites}
    for code, row in rows.items():
        own = [request for request in demo.rows.study.requests if request.acquisition.site == code]
        (cell,) = [cell for cell in row.cells if cell.indicator is Indicator.OVERDUE]
        assert cell.k == sum(request.is_overdue(TODAY.date()) for request in own)


def test_a_site_s_person_sees_that_site_alone(demo: Demo) -> None:
    matrix = look(demo, demo.rows.technician)
    assert [row.site.label for row in matrix.sites] == [demo.rows.study.planted.bad_site]


def test_before_anything_is_decided_every_rate_is_unknown() -> None:
    period = (MONDAY, MONDAY + timedelta(weeks=26))
    for asked in (period, None):
        matrix = build_matrix(units(2), [], {}, {}, {}, period=asked)
        rates = [cell for row in matrix.sites for cell in row.cells if cell.indicator is not Indicator.OVERDUE]
        assert len(rates) == 2 * (len(Indicator) - 1)
        assert {cell.light for cell in rates} == {Light.UNKNOWN}
        assert not matrix.red


def units(n: int) -> list[Unit]:
    return [Unit(str(id_), f"S{id_}", "", ScanFilter(site_id=id_)) for id_ in range(1, n + 1)]


def weeks(rates: dict[int, list[float]], per_week: int = 10) -> list[SiteWeek]:
    """Sites with a rate per week of ten single captures."""
    return [
        SiteWeek(
            site_id, MONDAY + timedelta(weeks=number),
            ClusteredCount.independent(round(rate * per_week), per_week), Counter(),
        )
        for site_id, own in rates.items()
        for number, rate in enumerate(own)
    ]  # fmt: skip


def matrix_of(found: list[SiteWeek], n_weeks: int, n_shown: int, **extra: object) -> FlagMatrix:
    until = MONDAY + timedelta(weeks=n_weeks)
    period = (until - timedelta(weeks=n_shown), until)
    given = {"requests": {}, "waits": {}} | extra
    return build_matrix(units(6), found, dict.fromkeys(range(1, 7), 9), period=period, **given)  # type: ignore[arg-type]


def test_a_flag_knows_whether_it_is_new_or_lasting() -> None:
    healthy = {site: [0.1] * 24 for site in range(3, 7)}
    late, always = [0.1] * 20 + [0.9] * 4, [0.9] * 24
    matrix = matrix_of(weeks({1: late, 2: always} | healthy), 24, 4)
    runs = {row.site.label: row.cells[0].n_in_a_row for row in matrix.sites}
    assert runs["S1"] == 1
    assert runs["S2"] == 6
    assert runs["S3"] == 0
    assert {row.site.label: row.is_newly_red for row in matrix.red} == {"S1": True, "S2": False}


def test_arrows_tell_the_way_against_the_period_before() -> None:
    rates = {1: [0.1] * 8 + [0.5] * 8, 2: [0.5] * 8 + [0.1] * 8} | {site: [0.2] * 16 for site in range(3, 7)}
    changes = {row.site.label: row.cells[0].change for row in matrix_of(weeks(rates), 16, 8).sites}
    assert (changes["S1"], changes["S2"], changes["S3"]) == (Change.WORSE, Change.BETTER, Change.SAME)


def test_without_a_period_before_there_is_no_arrow() -> None:
    rates = {site: [0.2] * 4 for site in range(1, 7)}
    assert {row.cells[0].change for row in matrix_of(weeks(rates), 4, 4).sites} == {None}


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        pytest.param(OpenRequests(5, 0), Light.GREEN, id="none overdue"),
        pytest.param(OpenRequests(5, 2), Light.AMBER, id="few"),
        pytest.param(OpenRequests(9, 4), Light.AMBER, id="less than half"),
        pytest.param(OpenRequests(6, 3), Light.RED, id="half of them"),
    ],
)
def test_overdue_requests_have_fixed_borders(requests: OpenRequests, expected: Light) -> None:
    rates = {site: [0.2] * 4 for site in range(1, 7)}
    assert light(matrix_of(weeks(rates), 4, 4, requests={1: requests}), "S1", Indicator.OVERDUE) is expected


@pytest.mark.parametrize(
    ("waits", "expected"),
    [
        pytest.param(Waits((DAY_S,) * 20, (True,) * 20), Light.GREEN, id="a day"),
        pytest.param(
            Waits((DAY_S,) * 15 + (5 * DAY_S,) * 5, (True,) * 20), Light.AMBER, id="a quarter after five days"
        ),
        pytest.param(Waits((DAY_S,) * 15 + (9 * DAY_S,) * 5, (True,) * 15 + (False,) * 5), Light.RED, id="a backlog"),
        pytest.param(Waits((DAY_S,) * 15 + (60.0,) * 5, (True,) * 15 + (False,) * 5), Light.GREEN, id="just sent"),
    ],
)
def test_turn_around_counts_what_is_still_open(waits: Waits, expected: Light) -> None:
    rates = {site: [0.2] * 4 for site in range(1, 7)}
    assert light(matrix_of(weeks(rates), 4, 4, waits={1: waits}), "S1", Indicator.TURN_AROUND) is expected


def test_turn_around_of_all_sites_is_held_against_as_many_scans_before() -> None:
    newer, older = (1.0,) * 15, (3.0,) * 15
    decided = Waits(tuple(day * DAY_S for day in newer + older), (True,) * 30)
    found = turn_around_of([decided, Waits((2.0 * DAY_S,), (True,))])
    assert found == TurnAroundDays(n=16, n_open=0, median=1.0, p90=1.0, median_before=3.0)
    assert turn_around_of([]) is None


def test_open_scans_count_as_long_as_they_wait() -> None:
    half_open = Waits((1.0 * DAY_S, 9.0 * DAY_S, 9.0 * DAY_S), (True, False, False))
    assert turn_around_of([half_open]) == TurnAroundDays(3, 2, None, None, None)
    mostly = turn_around_of([Waits(tuple(DAY_S * day for day in (1, 1, 2, 5)), (True, True, True, False))])
    assert mostly == TurnAroundDays(4, 1, 1.0, None, None)


def test_the_demo_s_turn_around_is_that_of_its_latest_scans(demo: Demo) -> None:
    found = look(demo, **PERIOD).turn_around
    assert found is not None
    n_sites = len(demo.rows.site_ids)
    assert 0 < found.n <= n_sites * RECENT_SCANS
