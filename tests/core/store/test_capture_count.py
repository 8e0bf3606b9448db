"""What the counts do not tell apart is counted capture by capture, and gives the same numbers by the same rules."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from counted_programme import FILTERS, MONDAY, PERIOD, counted_programme
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core.database import tables
from core.database.embedded import Addresses
from core.database.session import Database, session_scope
from core.store import capture_count
from core.store.capture_count import TooManyCapturesError
from core.store.cell_count import CellCount, Spans, read_cell_counts
from core.store.cell_week import CellWeeks, read_tally_weeks, read_visit_weeks
from core.store.generated_counts import count_programme
from core.store.overview import read_overview
from core.store.rate_sum import WEEK, Grain
from core.store.scan_filter import ScanFilter
from core.store.unit import UnitKind, read_units
from core.vocabulary import GradeSource, Laterality, RateMeasure

EVERY = tuple(RateMeasure)
PER_CAPTURE = tuple(measure for measure in RateMeasure if measure is not RateMeasure.VISITS)
EVERYTHING_SCORED = {"model_version_id": 1}
"""Matches every capture of the programme, and is nothing that the counts know."""


@pytest.fixture(scope="module")
def reader(
    servers: Addresses, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Database, str]]:
    """A generated programme of three sites, some scans of it graded by people, and a manager's token for it."""

    def graded(owner: Database) -> None:
        with session_scope(owner) as session:
            session.execute(text("update scan set human_ordinal = 1 where id % 5 = 0"))
            count_programme(session)

    home: Path = tmp_path_factory.mktemp("programme")
    with counted_programme(servers, database_template, home, n_scans=900, count=graded) as programme:
        yield programme


def by_key(found: Iterable[CellCount]) -> Counter[tuple[object, ...]]:
    return Counter({tuple(each)[:4]: each.n for each in found})


def by_week(found: list[CellWeeks]) -> dict[tuple[object, date], list[int]]:
    return {
        (weeks.place, weeks.starts_on + WEEK * number): sums
        for weeks in found
        for number, sums in enumerate(weeks.counts.tolist())
        if any(sums)
    }


@pytest.mark.parametrize("grain", Grain)
@pytest.mark.parametrize("asked", FILTERS)
def test_captures_one_by_one_give_what_the_counts_say(reader: tuple[Database, str], asked: str, grain: Grain) -> None:
    database, token = reader
    chosen = FILTERS[asked]
    slow = replace(chosen, **EVERYTHING_SCORED)
    with session_scope(database, token=token) as session:
        counted = by_key(read_cell_counts(session, chosen, grain, EVERY))
        assert by_key(read_cell_counts(session, slow, grain, EVERY)) == counted
        weeks = by_week(read_visit_weeks(session, chosen, grain))
        assert by_week(read_visit_weeks(session, slow, grain)) == weeks
        assert by_week(read_tally_weeks(session, slow)) == by_week(read_tally_weeks(session, chosen))
    assert counted
    assert weeks


def test_periods_are_told_apart_as_the_counts_have_them(reader: tuple[Database, str]) -> None:
    database, token = reader
    spans = Spans((None, *(MONDAY - timedelta(weeks=each) for each in (200, 90, 89, 10)), None))
    with session_scope(database, token=token) as session:
        counted = read_cell_counts(session, ScanFilter(), Grain.DEVICE, EVERY, spans)
        slow = read_cell_counts(session, ScanFilter(**EVERYTHING_SCORED), Grain.DEVICE, EVERY, spans)
    assert by_key(slow) == by_key(counted)
    assert {each.span for each in slow} == {0, 1, 2, 3, 4}


def test_parts_add_up_to_the_whole(reader: tuple[Database, str]) -> None:
    database, token = reader
    with session_scope(database, token=token) as session:
        whole = by_key(read_cell_counts(session, ScanFilter(), Grain.DEVICE, PER_CAPTURE))
        codes = session.scalars(select(tables.Visit.code).distinct()).all()
        partitions: dict[str, list[ScanFilter]] = {
            "eye": [ScanFilter(laterality=eye) for eye in Laterality],
            "visit": [ScanFilter(visit_code=code) for code in codes],
            "grade": [ScanFilter(graded_by=source) for source in GradeSource],
        }
        for parts in partitions.values():
            found = [by_key(read_cell_counts(session, part, Grain.DEVICE, PER_CAPTURE)) for part in parts]
            assert sum(found, Counter()) == whole
            assert all(found)
            assert len(found) > 1


def test_patients_and_units_are_those_of_the_filter_alone(reader: tuple[Database, str]) -> None:
    database, token = reader
    code = "nobody's visit"
    with session_scope(database, token=token) as session:
        assert {count.poor.n for count in read_units(session, ScanFilter(visit_code=code), UnitKind.SITE)} == {0}
        right = read_overview(session, ScanFilter(laterality=Laterality.OD, **PERIOD), today=MONDAY)
        true = _captures(session, Laterality.OD)
    assert right.current.received == true
    assert sum(week.tally.received for week in right.weeks) == true


def _captures(session: Session, eye: Laterality) -> int:
    return len(
        session.scalars(
            select(tables.Acquisition.id).where(
                tables.Acquisition.laterality == eye, tables.Acquisition.replaces_id.is_(None),
                tables.Acquisition.acquired_at >= datetime.combine(PERIOD["since"], datetime.min.time(), UTC),
            )
        ).all()
    )  # fmt: skip


def test_more_captures_than_can_be_read_are_refused_in_words(
    reader: tuple[Database, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, token = reader
    monkeypatch.setattr(capture_count, "MOST_CAPTURES", 100)
    eye = ScanFilter(laterality=Laterality.OS)
    with session_scope(database, token=token) as session:
        with pytest.raises(TooManyCapturesError, match=r"more than 100\. Choose a site"):
            read_cell_counts(session, eye, Grain.SITE, EVERY)
        few = replace(eye, device_id=4, since=MONDAY - timedelta(weeks=40))
        assert read_cell_counts(session, few, Grain.SITE, EVERY)
