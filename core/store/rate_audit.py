"""Compares the counts with the raw rows, and rebuilds them from those. Slow on purpose: it reads every acquisition."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, cast, delete, func, insert, select
from sqlalchemy.orm import Session

from core.database.tables import Rate, RateDelta, Visit
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
from core.store.slot import Slot, read_visits
from core.vocabulary import RateMeasure

_CHUNK = 500
"""Visits read at a time: bounds memory, not correctness."""


@dataclass(frozen=True, slots=True)
class WrongCount:
    """A count that differs from what the raw rows say."""

    key: CountKey
    counted: int
    true: int


def read_totals(session: Session) -> Counter[CountKey]:
    """Every count that is not zero, folded or not, in one statement and so of one moment."""
    counts = all_counts()
    keys = [counts.c[column] for column in KEY_COLUMNS]
    total = cast(func.sum(counts.c.n), BigInteger).label("total")
    rows = session.execute(select(*keys, total).group_by(*keys).having(total != 0)).mappings()
    return Counter({_key(row): row["total"] for row in rows})


def _key(row: Mapping[Any, Any]) -> CountKey:
    place = {name: row[name] for name in KEY_COLUMNS if name != "measure"}
    return CountKey(**place, measure=RateMeasure(row["measure"]))


def true_totals(session: Session) -> Counter[CountKey]:
    """Every count as the raw rows have it."""
    totals: Counter[CountKey] = Counter()
    for visits in _all_visits(session):
        for slots in visits:
            totals.update(_true_contributions(slots))
    return +totals


def verify_counts(session: Session) -> list[WrongCount]:
    """Counts that differ from the raw rows; empty means that all are right.

    Run it in a REPEATABLE READ transaction, or work that goes on meanwhile shows up as a difference.
    """
    counted, true = read_totals(session), true_totals(session)
    return [
        WrongCount(key, counted[key], true[key])
        for key in sorted(counted.keys() | true.keys(), key=repr)
        if counted[key] != true[key]
    ]


def rebuild_counts(session: Session) -> int:
    """Throw the counts away and count the raw rows again; return the number of counts written.

    Everybody who counts waits until the transaction ends; readers see the old counts until then.
    """
    session.execute(select(func.pg_advisory_xact_lock(COUNTING_LOCK), func.pg_advisory_xact_lock(FOLDING_LOCK)))
    totals: Counter[CountKey] = Counter()
    for visits in _all_visits(session):
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
    session.execute(delete(RateDelta))
    session.execute(delete(Rate))
    rows = [count_row(key, n) for key, n in totals.items() if n]
    if rows:
        session.execute(insert(Rate), rows)
    return len(rows)


def _true_contributions(slots: Sequence[Slot]) -> Counter[CountKey]:
    return visit_contributions(slots, [[capture.standing for capture in slot.captures] for slot in slots])


def _all_visits(session: Session) -> Iterator[list[tuple[Slot, ...]]]:
    last_id = 0
    while True:
        visit_ids = session.scalars(select(Visit.id).where(Visit.id > last_id).order_by(Visit.id).limit(_CHUNK)).all()
        if not visit_ids:
            return
        yield read_visits(session, visit_ids)
        last_id = visit_ids[-1]
