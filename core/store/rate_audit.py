"""Compares the counts with the raw rows, and rebuilds them from those. Slow on purpose: it reads every acquisition.

Site by site, for a capture, its visit and its counts are of one site (the database's triggers see to that): what is in
memory at once does not grow with the programme.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, ColumnElement, cast, delete, func, insert, select
from sqlalchemy.orm import Session

from core.database.tables import Rate, RateDelta, Site, Visit
from core.store.rate import (
    COUNTING_LOCK,
    FOLDING_LOCK,
    KEY_COLUMNS,
    CountKey,
    all_counts,
    count_row,
    set_counted,
    visit_contributions,
)
from core.store.rate_sum import (
    CellKey,
    CellSums,
    Changes,
    Count,
    Grain,
    Term,
    add_to_sums,
    changes_by_cell,
    clear_sums,
    read_sums,
    read_terms,
    same_series,
    series_after,
    series_types,
)
from core.store.slot import Slot, read_visits
from core.vocabulary import RateMeasure

_CHUNK = 500
"""Visits read at a time: bounds memory, not correctness."""
_ROWS_AT_A_TIME = 20_000


@dataclass(frozen=True, slots=True)
class WrongCount:
    """A count that differs from what the raw rows say, or a running sum that differs from the counts."""

    key: CountKey
    counted: int
    true: int
    grain: Grain | None = None
    """None: a count. Else a sum of this grain up to the key's week; a device that it does not tell apart is 0."""


def read_totals(session: Session, *, site_id: int | None = None) -> Counter[CountKey]:
    """Every count that is not zero, of all sites or of one, folded or not, in one statement and so of one moment."""
    counts = all_counts()
    keys = [counts.c[column] for column in KEY_COLUMNS]
    total = cast(func.sum(counts.c.n), BigInteger).label("total")
    statement = select(*keys, total).group_by(*keys).having(total != 0)
    if site_id is not None:
        statement = statement.where(counts.c.site_id == site_id)
    rows = session.execute(statement).mappings()
    return Counter({_key(row): row["total"] for row in rows})


def _key(row: Mapping[Any, Any]) -> CountKey:
    place = {name: row[name] for name in KEY_COLUMNS if name != "measure"}
    return CountKey(**place, measure=RateMeasure(row["measure"]))


def verify_counts(session: Session) -> list[WrongCount]:
    """Counts that differ from the raw rows, and sums that differ from the counts; empty means that all are right.

    Run it in a REPEATABLE READ transaction, or work that goes on meanwhile shows up as a difference.
    """
    wrong: list[WrongCount] = []
    for site_id, visit_ids in _sites(session):
        counted, true = read_totals(session, site_id=site_id), _true_totals(session, visit_ids)
        wrong += [
            WrongCount(key, counted[key], true[key])
            for key in sorted(counted.keys() | true.keys(), key=repr)
            if counted[key] != true[key]
        ]
    return wrong + list(wrong_sums(session))


def wrong_sums(session: Session) -> Iterator[WrongCount]:
    """Running sums and series that differ from the folded counts, site by site."""
    terms = read_terms(session)
    for site_id in session.scalars(select(Site.id).order_by(Site.id)).all():
        changes = changes_by_cell(_read_rates(session, Rate.site_id == site_id))
        stored = read_sums(session, site_id, len(terms))
        for cell in sorted(changes.keys() | stored.keys(), key=str):
            yield from _wrong_of(cell, changes.get(cell, {}), stored.get(cell, CellSums({}, {})), terms)


def _wrong_of(cell: CellKey, weeks: Changes, stored: CellSums, terms: Sequence[Term]) -> Iterator[WrongCount]:
    """Where the sums of one cell are not those of its counts."""
    true: Counter[Term] = Counter()
    counted = np.zeros(len(terms), np.int64)
    for week_on in sorted(weeks.keys() | stored.totals.keys()):
        true.update(weeks.get(week_on, {}))
        counted = stored.totals.get(week_on, counted)
        for term, n in zip(terms, counted.tolist(), strict=True):
            if n != true[term]:
                yield WrongCount(_key_of(cell, term, week_on), n, true[term], cell.grain)
    asked = (series_types(weeks) if weeks else set()) | stored.series.keys()
    for scan_type in sorted(asked):
        found, right = stored.series.get(scan_type), series_after(weeks, scan_type, None) if weeks else None
        if not same_series(found, right):
            term = Term(scan_type, RateMeasure.VISITS, "weeks")
            n_found, n_right = (0 if each is None else each.total for each in (found, right))
            yield WrongCount(_key_of(cell, term, min(weeks, default=date.min)), n_found, n_right, cell.grain)


def _key_of(cell: CellKey, term: Term, week_on: date) -> CountKey:
    return CountKey(
        cell.site_id, cell.device_id or 0, cell.technician_id, cell.software_version or "", term.scan_type, week_on,
        RateMeasure(term.measure), term.detail,
    )  # fmt: skip


def _read_rates(session: Session, *conditions: ColumnElement[bool]) -> list[Count]:
    columns = [getattr(Rate, column) for column in KEY_COLUMNS]
    rows: Sequence[Sequence[Any]] = session.execute(select(*columns, Rate.n).where(*conditions)).all()
    return [Count(*row) for row in rows]


def rebuild_counts(session: Session) -> int:
    """Throw the counts away and count the raw rows again; return the number of counts written.

    Everybody who counts waits until the transaction ends; readers see the old counts until then.
    """
    session.execute(select(func.pg_advisory_xact_lock(COUNTING_LOCK), func.pg_advisory_xact_lock(FOLDING_LOCK)))
    session.execute(delete(RateDelta))
    session.execute(delete(Rate))
    n_written = 0
    for _, visit_ids in _sites(session):
        totals: Counter[CountKey] = Counter()
        for visits in _visits(session, visit_ids):
            for slots in visits:
                totals.update(_true_contributions(slots))
            wrong = [
                (capture.acquisition_id, capture.standing)
                for slots in visits
                for slot in slots
                for capture in slot.captures
                if capture.counted != capture.standing
            ]
            set_counted(session, wrong)
        if rows := [count_row(key, n) for key, n in totals.items() if n]:
            session.execute(insert(Rate), rows)
            n_written += len(rows)
    rebuild_sums(session)
    return n_written


def rebuild_sums(session: Session) -> None:
    """Make the running sums anew from the folded counts, site by site; only under the lock of folding."""
    clear_sums(session)
    rows: list[Count] = []
    for site_id in session.scalars(select(Site.id).order_by(Site.id)).all():
        rows += _read_rates(session, Rate.site_id == site_id)
        if len(rows) >= _ROWS_AT_A_TIME:
            add_to_sums(session, rows)
            rows = []
    add_to_sums(session, rows)


def _true_totals(session: Session, visit_ids: Sequence[int]) -> Counter[CountKey]:
    """Every count of these visits as the raw rows have it."""
    totals: Counter[CountKey] = Counter()
    for visits in _visits(session, visit_ids):
        for slots in visits:
            totals.update(_true_contributions(slots))
    return +totals


def _true_contributions(slots: Sequence[Slot]) -> Counter[CountKey]:
    return visit_contributions(slots, [[capture.standing for capture in slot.captures] for slot in slots])


def _sites(session: Session) -> Iterator[tuple[int, list[int]]]:
    """Every site with the ids of its visits, the visits arriving in pieces."""
    rows = session.execute(
        select(Site.id, Visit.id)
        .outerjoin(Visit, Visit.site_id == Site.id)
        .order_by(Site.id, Visit.id)
        .execution_options(yield_per=_ROWS_AT_A_TIME)
    )
    for site_id, visits in groupby(rows, key=itemgetter(0)):
        yield site_id, [visit_id for _, visit_id in visits if visit_id is not None]


def _visits(session: Session, visit_ids: Sequence[int]) -> Iterator[list[tuple[Slot, ...]]]:
    """The slots of these visits, some visits at a time."""
    for start in range(0, len(visit_ids), _CHUNK):
        yield read_visits(session, visit_ids[start : start + _CHUNK])
