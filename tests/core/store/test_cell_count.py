"""What pages read of the running sums is what the counts say, whatever is asked for, folded or not."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from counted_programme import ENDS_AT, FILTERS, MONDAY, PERIOD, counted_programme
from sqlalchemy import delete, insert, select, text
from sqlalchemy.orm import Session

from core.database import tables
from core.database.embedded import Addresses
from core.database.session import Database, session_scope
from core.store.cell_count import Place, Spans, fitting_grain, read_cell_counts
from core.store.cell_week import CellWeeks, read_tally_weeks, read_visit_weeks
from core.store.generated_counts import count_programme
from core.store.generated_programme import write_programme
from core.store.packed import visit_sums
from core.store.rate import KEY_COLUMNS, fold_deltas
from core.store.rate_audit import rebuild_sums, wrong_sums
from core.store.rate_sum import SERIES_TALLIES, WEEK, Count, Grain
from core.store.scan_filter import ScanFilter, read_filter_choices
from core.usecases.check_rates import verify_rates
from core.vocabulary import RateMeasure

FIELDS: dict[Grain, tuple[str, ...]] = {
    Grain.SITE: ("site_id",),
    Grain.DEVICE: ("site_id", "device_id"),
    Grain.SOFTWARE: ("site_id", "device_id", "software_version"),
    Grain.TECHNICIAN: ("site_id", "technician_id"),
}
ALL_FILTERS = {**FILTERS, "a device": ScanFilter(device_id=4), "a technician": ScanFilter(technician_id=5)}
EVERY = tuple(RateMeasure)


@pytest.fixture(scope="module")
def manager(
    servers: Addresses, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Database, str]]:
    """A generated programme of three sites whose counts are half folded, and a manager's token for it."""

    def half_folded(owner: Database) -> None:
        with session_scope(owner) as session:
            count_programme(session)
        assert verify_rates(owner) == []
        with session_scope(owner) as session:
            unfold(session, one_in=2)

    home: Path = tmp_path_factory.mktemp("programme")
    with counted_programme(servers, database_template, home, n_scans=700, count=half_folded) as programme:
        yield programme


def unfold(session: Session, *, one_in: int) -> None:
    """Make some counts deltas again, part of them twice and once negative."""
    columns = [getattr(tables.Rate, name) for name in KEY_COLUMNS]
    rows = session.execute(select(tables.Rate.id, *columns, tables.Rate.n).where(tables.Rate.id % one_in == 0)).all()
    session.execute(delete(tables.Rate).where(tables.Rate.id.in_([row.id for row in rows])))
    deltas = [{**dict(zip(KEY_COLUMNS, row[1:-1], strict=True)), "n": n} for row in rows for n in (row.n + 1, -1)]
    session.execute(insert(tables.RateDelta), deltas)
    rebuild_sums(session)


def rows_under(session: Session, chosen: ScanFilter) -> list[Count]:
    """Counts and deltas as they stand in their tables, filtered here and not by the database."""
    found = []
    devices = {each.id: each for each in session.scalars(select(tables.Device))}
    for table in (tables.Rate, tables.RateDelta):
        columns = [getattr(table, name) for name in KEY_COLUMNS]
        found += [Count(*row) for row in session.execute(select(*columns, table.n))]
    names = ("site_id", "device_id", "technician_id", "software_version")
    return [
        row
        for row in found
        if all(getattr(chosen, name) in (None, getattr(row, name)) for name in names)
        and chosen.device_model in (None, devices[row.device_id].model)
        and chosen.manufacturer in (None, devices[row.device_id].manufacturer)
        and row.scan_type in ({chosen.scan_type} if chosen.scan_type else {row.scan_type})
        and (row.measure != RateMeasure.VISITS or row.scan_type == (chosen.scan_type or ""))
        and (chosen.since is None or row.week_on >= chosen.since)
        and (chosen.until is None or row.week_on < chosen.until)
    ]


def place_of(row: Count, grain: Grain) -> Place:
    return Place(**{name: getattr(row, name) for name in FIELDS[grain]})


@pytest.mark.parametrize("grain", Grain)
@pytest.mark.parametrize("asked", ALL_FILTERS)
def test_sums_are_those_of_the_counts(manager: tuple[Database, str], asked: str, grain: Grain) -> None:
    database, token = manager
    chosen = ALL_FILTERS[asked]
    with session_scope(database, token=token) as session:
        true: Counter[tuple[Place, str, str]] = Counter()
        for row in rows_under(session, chosen):
            true[place_of(row, grain), row.measure, row.detail] += row.n
        found = read_cell_counts(session, chosen, grain, EVERY)
    assert {(each.place, each.measure.value, each.detail): each.n for each in found} == +true
    assert found


@pytest.mark.parametrize("grain", Grain)
@pytest.mark.parametrize("asked", ALL_FILTERS)
def test_weeks_are_those_of_the_counts(manager: tuple[Database, str], asked: str, grain: Grain) -> None:
    database, token = manager
    chosen = ALL_FILTERS[asked]
    with session_scope(database, token=token) as session:
        rows = [row for row in rows_under(session, chosen) if row.measure == RateMeasure.VISITS]
        weeks = read_visit_weeks(session, chosen, grain)
    true: dict[tuple[Place, date], list[int]] = {}
    for row in rows:
        sums = true.setdefault((place_of(row, grain), row.week_on), [0] * 6)
        for number, one in enumerate(visit_sums(row.detail)):
            sums[number] += row.n * one
    assert by_week(weeks) == {key: sums for key, sums in true.items() if any(sums)}


def by_week(found: list[CellWeeks]) -> dict[tuple[Place, date], list[int]]:
    return {
        (weeks.place, weeks.starts_on + WEEK * number): sums
        for weeks in found
        for number, sums in enumerate(weeks.counts.tolist())
        if any(sums)
    }


@pytest.mark.parametrize("asked", ALL_FILTERS)
def test_tallies_by_week_are_those_of_the_counts(manager: tuple[Database, str], asked: str) -> None:
    database, token = manager
    with session_scope(database, token=token) as session:
        true: Counter[tuple[Place, date, str]] = Counter()
        for row in rows_under(session, ALL_FILTERS[asked]):
            if row.measure in SERIES_TALLIES:
                true[Place(row.site_id), row.week_on, row.measure] += row.n
        found = by_week(read_tally_weeks(session, ALL_FILTERS[asked]))
    assert {
        (*key, measure.value): n
        for key, sums in found.items()
        for measure, n in zip(SERIES_TALLIES, sums, strict=True)
        if n
    } == +true


def test_consecutive_periods_are_told_apart(manager: tuple[Database, str]) -> None:
    database, token = manager
    borders = [MONDAY - timedelta(weeks=each) for each in (200, 90, 89, 10)]
    with session_scope(database, token=token) as session:
        spans = Spans((None, *borders, None))
        parts = read_cell_counts(session, ScanFilter(), Grain.DEVICE, EVERY, spans)
        whole = read_cell_counts(session, ScanFilter(), Grain.DEVICE, EVERY)
        one = read_cell_counts(session, ScanFilter(since=borders[1], until=borders[2]), Grain.DEVICE, EVERY)
    assert {each.span for each in parts} == {0, 1, 2, 3, 4}
    added: Counter[tuple[Place, str, str]] = Counter()
    for each in parts:
        added[each.place, each.measure, each.detail] += each.n
    assert added == {(each.place, each.measure, each.detail): each.n for each in whole}
    assert {each._replace(span=0) for each in parts if each.span == 2} == set(one)


def test_folding_changes_no_number_and_leaves_right_sums(owner_database: Database, worker_database: Database) -> None:
    with session_scope(owner_database) as session:
        write_programme(session, n_scans=300, ends_at=ENDS_AT, n_sites=2)
        count_programme(session)
        unfold(session, one_in=1)
        session.execute(text("update rate_delta set n = n"))
        before = set(read_cell_counts(session, ScanFilter(), Grain.SOFTWARE, EVERY))
    n_folded = 1
    while n_folded:
        with session_scope(worker_database) as session:
            n_folded = fold_deltas(session, limit=700)
        with session_scope(worker_database) as session:
            assert set(read_cell_counts(session, ScanFilter(), Grain.SOFTWARE, EVERY)) == before
    assert verify_rates(worker_database) == []


def test_a_wrong_sum_is_named(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        write_programme(session, n_scans=60, ends_at=ENDS_AT, n_sites=1)
        count_programme(session)
        assert list(wrong_sums(session)) == []
        session.execute(
            text(
                "update rate_series set visits = set_byte(visits, 4, get_byte(visits, 4) + 1) where cell_id = (select id from rate_cell where grain = 'site')"
            )
        )
        assert {each.grain for each in wrong_sums(session)} == {Grain.SITE}
        session.execute(text("delete from rate_sum where cell_id in (select id from rate_cell where grain = 'device')"))
        assert {each.grain for each in wrong_sums(session)} == {Grain.SITE, Grain.DEVICE}


def test_scan_types_are_offered_whether_folded_or_not(manager: tuple[Database, str]) -> None:
    database, token = manager
    with session_scope(database, token=token) as session:
        assert read_filter_choices(session, ScanFilter()).scan_types == ("octa-enface 3x3", "octa-enface 6x6")


@pytest.mark.parametrize(
    ("grain", "chosen", "expected"),
    [
        (Grain.SITE, ScanFilter(site_id=1, **PERIOD), Grain.SITE),
        (Grain.SITE, ScanFilter(device_model="Cirrus"), Grain.DEVICE),
        (Grain.DEVICE, ScanFilter(software_version="2"), Grain.SOFTWARE),
        (Grain.SITE, ScanFilter(technician_id=1), Grain.TECHNICIAN),
        (Grain.TECHNICIAN, ScanFilter(device_id=1), None),
        (Grain.DEVICE, ScanFilter(technician_id=1), None),
    ],
)
def test_the_coarsest_sums_that_know_the_question_answer_it(
    grain: Grain, chosen: ScanFilter, expected: Grain | None
) -> None:
    assert fitting_grain(grain, chosen) is expected
