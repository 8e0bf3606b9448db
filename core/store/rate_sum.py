"""Keeps the running sums of the counts: by site, device, software version and technician, and by week.

Written by the process that folds, in the transaction that folds, from exactly the counts that it folds. They hold
nothing that the counts do not: ``octaudit rates verify`` compares both, ``rebuild`` makes them anew.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import bindparam, delete, insert, select, text, tuple_
from sqlalchemy.orm import Session

from core.database.tables import RateCell, RateSeries, RateSum, RateTerm
from core.store.packed import N_VISIT_SUMS, Counts, pack, unpack, unpack_rows, visit_sums
from core.vocabulary import RateMeasure

WEEK = timedelta(weeks=1)
ANY_TYPE = ""
"""Of a series: all scan types together."""
SERIES_TALLIES = (
    RateMeasure.RECEIVED, RateMeasure.DECIDED, RateMeasure.GRADABLE, RateMeasure.FINAL_RECEIVED,
    RateMeasure.FINAL_GRADABLE,
)  # fmt: skip
"""Columns of RateSeries.tallies."""
_ROWS_AT_A_TIME = 5_000
_CELLS_AT_A_TIME = 100
"""Bound memory, not correctness."""


class Grain(StrEnum):
    """How finely sums are kept; each count goes into every grain whose columns it has."""

    SITE = "site"
    DEVICE = "device"
    SOFTWARE = "software"
    TECHNICIAN = "technician"


class CellKey(NamedTuple):
    """A cell, as rate_cell names it."""

    grain: Grain
    site_id: int
    device_id: int | None = None
    technician_id: int | None = None
    software_version: str | None = None


class Term(NamedTuple):
    """What a place of a vector counts, as rate_term names it."""

    scan_type: str
    measure: str
    detail: str


class Count(NamedTuple):
    """A count with its key, as a row of rate has it."""

    site_id: int
    device_id: int
    technician_id: int | None
    software_version: str
    scan_type: str
    week_on: date
    measure: str
    detail: str
    n: int


Changes = Mapping[date, Mapping[Term, int]]
"""By week, by term: how much."""


def cells_of(row: Count) -> Iterator[CellKey]:
    """The cells to which a count belongs. Captures of nobody stated count for no technician."""
    yield CellKey(Grain.SITE, row.site_id)
    yield CellKey(Grain.DEVICE, row.site_id, row.device_id)
    yield CellKey(Grain.SOFTWARE, row.site_id, row.device_id, None, row.software_version)
    if row.technician_id is not None:
        yield CellKey(Grain.TECHNICIAN, row.site_id, None, row.technician_id)


def changes_by_cell(rows: Iterable[Count]) -> dict[CellKey, dict[date, dict[Term, int]]]:
    """The counts, sorted into the cells to which they belong."""
    found: dict[CellKey, dict[date, dict[Term, int]]] = {}
    for row in rows:
        term, week_on = Term(row.scan_type, str(row.measure), row.detail), row.week_on
        for cell in cells_of(row):
            terms = found.setdefault(cell, {}).setdefault(week_on, {})
            terms[term] = terms.get(term, 0) + int(row.n)
    return found


def add_to_sums(session: Session, rows: Iterable[Count]) -> None:
    """Add counts to the sums of every cell that they belong to. Only who holds the lock of folding may call it."""
    changes = changes_by_cell(rows)
    if not changes:
        return
    places = _number_terms(session, {term for weeks in changes.values() for terms in weeks.values() for term in terms})
    cells = _number_cells(session, changes)
    items = iter(changes.items())
    while chunk := dict(islice(items, _CELLS_AT_A_TIME)):
        _add_totals(session, chunk, cells, places)
        _add_series(session, chunk, cells)


def clear_sums(session: Session) -> None:
    """Throw all sums away."""
    for table in (RateSeries, RateSum, RateCell, RateTerm):
        session.execute(delete(table))


def read_terms(session: Session) -> list[Term]:
    """What each place counts. Terms are only ever added, so read them after the vectors that they explain."""
    rows = session.execute(select(RateTerm.scan_type, RateTerm.measure, RateTerm.detail).order_by(RateTerm.place))
    return [Term(*row) for row in rows]


def _number_terms(session: Session, terms: set[Term]) -> dict[Term, int]:
    """The place of every term, new ones behind; plain counts and visits first, so that most readers need few places."""
    known = {term: place for place, term in enumerate(read_terms(session))}
    new = sorted(
        terms - known.keys(), key=lambda term: (bool(term.detail) and term.measure != RateMeasure.VISITS, term)
    )
    missing = {term: place for place, term in enumerate(new, start=len(known))}
    if missing:
        session.execute(insert(RateTerm), [{"place": place, **term._asdict()} for term, place in missing.items()])
    return known | missing


def _number_cells(session: Session, keys: Iterable[CellKey]) -> dict[CellKey, int]:
    wanted = set(keys)
    columns = [getattr(RateCell, name) for name in CellKey._fields]
    known_rows = session.execute(
        select(RateCell.id, *columns).where(RateCell.site_id.in_({key.site_id for key in wanted}))
    )
    cells = {CellKey(Grain(row.grain), *row[2:]): row.id for row in known_rows}
    missing = sorted(wanted - cells.keys(), key=str)
    if missing:
        made = session.execute(insert(RateCell).returning(RateCell.id, *columns), [key._asdict() for key in missing])
        cells |= {CellKey(Grain(row.grain), *row[2:]): row.id for row in made}
    return cells


def totals_after(weeks: Changes, places: Mapping[Term, int], there: Mapping[date, Counts]) -> dict[date, Counts]:
    """The sums of a cell at each week from the first change on.

    ``there`` holds its present sums: the last row before the first change, and every row from then on.
    """
    first = min(weeks)
    running, base = np.zeros(len(places), np.int64), np.zeros(len(places), np.int64)
    found = {}
    for week_on in sorted(there.keys() | weeks.keys()):
        base = there.get(week_on, base)
        for term, n in weeks.get(week_on, {}).items():
            running[places[term]] += n
        if week_on >= first:
            found[week_on] = base + running
    return found


def _add_totals(
    session: Session,
    changes: Mapping[CellKey, Changes],
    cells: Mapping[CellKey, int],
    places: Mapping[Term, int],
) -> None:
    there = _read_totals(session, {cells[key]: min(weeks) for key, weeks in changes.items()}, len(places))
    rows = (
        (cells[key], week_on, key.site_id, pack(totals))
        for key, weeks in changes.items()
        for week_on, totals in totals_after(weeks, places, there.get(cells[key], {})).items()
    )
    while chunk := list(islice(rows, _ROWS_AT_A_TIME)):
        names = ("cells", "weeks", "sites", "totals")
        session.execute(_WRITE_TOTALS, dict(zip(names, map(list, zip(*chunk, strict=True)), strict=True)))


def _read_totals(session: Session, first_weeks: Mapping[int, date], width: int) -> dict[int, dict[date, Counts]]:
    """By cell and week: the last sums before its first changed week, and all from then on."""
    asked = {"cells": list(first_weeks), "weeks": list(first_weeks.values())}
    rows = session.execute(_READ_TOTALS, asked).all()
    totals = unpack_rows([row.totals for row in rows], width)
    found: dict[int, dict[date, Counts]] = defaultdict(dict)
    for row, counts in zip(rows, totals, strict=True):
        found[row.cell_id][row.week_on] = counts
    return found


_READ_TOTALS = text(
    """
    select s.cell_id, s.week_on, s.totals
    from unnest(cast(:cells as bigint[]), cast(:weeks as date[])) asked (cell_id, week_on)
    cross join lateral (
      select r.cell_id, r.week_on, r.totals from rate_sum r
      where r.cell_id = asked.cell_id and r.week_on >= coalesce(
        (select max(b.week_on) from rate_sum b where b.cell_id = asked.cell_id and b.week_on < asked.week_on),
        asked.week_on)) s
    """
)
_WRITE_TOTALS = text(
    """
    insert into rate_sum (cell_id, week_on, site_id, totals)
    select * from unnest(cast(:cells as bigint[]), cast(:weeks as date[]), cast(:sites as bigint[]),
                         cast(:totals as bytea[]))
    on conflict (cell_id, week_on) do update set totals = excluded.totals
    """
)


@dataclass(frozen=True, slots=True)
class Series:
    """A cell's weeks from ``starts_on`` on: ``visits`` (weeks, 6) and ``tallies`` (weeks, 5)."""

    starts_on: date
    visits: Counts
    tallies: Counts

    @property
    def total(self) -> int:
        """All its numbers added up."""
        return int(self.visits.sum() + self.tallies.sum())


def series_after(weeks: Changes, scan_type: str, there: Series | None) -> Series:
    """A cell's series of one scan type, or of all, with changes added; it grows at both ends where they ask for it."""
    n_there = len(there.visits) if there else 0
    starts_on = min([*weeks, *([there.starts_on] if there else [])])
    ends_on = max([*weeks, *([there.starts_on + WEEK * (n_there - 1)] if there and n_there else [])])
    n_weeks = (ends_on - starts_on) // WEEK + 1
    visits = np.zeros((n_weeks, N_VISIT_SUMS), np.int64)
    tallies = np.zeros((n_weeks, len(SERIES_TALLIES)), np.int64)
    if there:
        offset = (there.starts_on - starts_on) // WEEK
        visits[offset : offset + n_there] = there.visits
        tallies[offset : offset + n_there] = there.tallies
    for week_on, terms in weeks.items():
        place = (week_on - starts_on) // WEEK
        for term, n in terms.items():
            if term.measure == RateMeasure.VISITS and term.scan_type == scan_type:
                visits[place] += n * np.array(visit_sums(term.detail))
            elif term.measure in _COLUMNS and scan_type in (ANY_TYPE, term.scan_type):
                tallies[place, _COLUMNS[term.measure]] += n
    return Series(starts_on, visits, tallies)


_COLUMNS: dict[str, int] = {measure.value: place for place, measure in enumerate(SERIES_TALLIES)}


def series_types(weeks: Changes) -> set[str]:
    """The scan types of which changes ask for a series: those that are named, and all together."""
    return {term.scan_type for terms in weeks.values() for term in terms} | {ANY_TYPE}


def _add_series(session: Session, changes: Mapping[CellKey, Changes], cells: Mapping[CellKey, int]) -> None:
    asked = [(key, scan_type) for key, weeks in changes.items() for scan_type in series_types(weeks)]
    there = _read_series(session, [(cells[key], scan_type) for key, scan_type in asked])
    rows = []
    for key, scan_type in asked:
        series = series_after(changes[key], scan_type, there.get((cells[key], scan_type)))
        packed = pack(series.visits), pack(series.tallies)
        rows.append((cells[key], scan_type, key.site_id, series.starts_on, *packed))
    names = ("cells", "types", "sites", "starts", "visits", "tallies")
    session.execute(_WRITE_SERIES, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def _read_series(session: Session, asked: Sequence[tuple[int, str]]) -> dict[tuple[int, str], Series]:
    rows = session.execute(
        select(RateSeries).where(
            tuple_(RateSeries.cell_id, RateSeries.scan_type).in_(bindparam("asked", expanding=True))
        ),
        {"asked": asked},
    ).scalars()
    return {(row.cell_id, row.scan_type): series_of(row) for row in rows}


def series_of(row: Any) -> Series:
    """A row of rate_series, unpacked."""
    return Series(row.starts_on, unpack(row.visits, N_VISIT_SUMS), unpack(row.tallies, len(SERIES_TALLIES)))


_WRITE_SERIES = text(
    """
    insert into rate_series (cell_id, scan_type, site_id, starts_on, visits, tallies)
    select * from unnest(cast(:cells as bigint[]), cast(:types as text[]), cast(:sites as bigint[]),
                         cast(:starts as date[]), cast(:visits as bytea[]), cast(:tallies as bytea[]))
    on conflict (cell_id, scan_type)
    do update set starts_on = excluded.starts_on, visits = excluded.visits, tallies = excluded.tallies
    """
)


@dataclass(frozen=True, slots=True)
class CellSums:
    """What is stored of a cell: sums by week, series by scan type."""

    totals: dict[date, Counts]
    series: dict[str, Series]


def read_sums(session: Session, site_id: int, width: int) -> dict[CellKey, CellSums]:
    """Everything that is stored of a site's cells; slow on purpose."""
    columns = [getattr(RateCell, name) for name in CellKey._fields]
    rows = session.execute(select(RateCell.id, *columns).where(RateCell.site_id == site_id))
    found = {row.id: (CellKey(Grain(row.grain), *row[2:]), CellSums({}, {})) for row in rows}
    for total in session.execute(select(RateSum).where(RateSum.cell_id.in_(found))).scalars():
        found[total.cell_id][1].totals[total.week_on] = unpack_rows([total.totals], width)[0]
    for series in session.execute(select(RateSeries).where(RateSeries.cell_id.in_(found))).scalars():
        found[series.cell_id][1].series[series.scan_type] = series_of(series)
    return dict(found.values())


def same_series(one: Series | None, other: Series | None) -> bool:
    """Whether two series hold the same counts; weeks without any make no difference."""
    return _by_week(one) == _by_week(other)


def _by_week(series: Series | None) -> dict[date, tuple[list[int], list[int]]]:
    if series is None:
        return {}
    weeks = zip(series.visits.tolist(), series.tallies.tolist(), strict=True)
    return {
        series.starts_on + WEEK * number: (visits, tallies)
        for number, (visits, tallies) in enumerate(weeks)
        if any(visits) or any(tallies)
    }
