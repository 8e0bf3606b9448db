"""Reads counts week by week, for charts over time: stored series and what is not folded yet, exact at this moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    String,
    cast,
    func,
    null,
    select,
    union_all,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from core.database.tables import RateCell, RateDelta, RateSeries
from core.store.cell_count import (
    FIELDS,
    CellCount,
    Place,
    Spans,
    cell_conditions,
    fitting_grain,
    place_of,
    read_one_by_one,
)
from core.store.packed import N_VISIT_SUMS, Counts, unpack, visit_sums
from core.store.rate import WHOLE_VISIT, all_counts
from core.store.rate_sum import ANY_TYPE, SERIES_TALLIES, WEEK, Grain
from core.store.scan_filter import ScanFilter, count_conditions
from core.vocabulary import RateMeasure


@dataclass(frozen=True, slots=True)
class CellWeeks:
    """One place's weeks from ``starts_on`` on: ``counts`` (weeks, sums), quiet weeks included."""

    place: Place
    starts_on: date
    counts: Counts


def read_visit_weeks(session: Session, chosen: ScanFilter, grain: Grain) -> list[CellWeeks]:
    """Week by week the six sums of ClusteredCount of the ungradable in patient visits; places are in no order."""
    return _read_weeks(session, chosen, grain, (RateMeasure.VISITS,))


def read_tally_weeks(session: Session, chosen: ScanFilter) -> list[CellWeeks]:
    """Week by week the five measures of SERIES_TALLIES, site by site."""
    return _read_weeks(session, chosen, Grain.SITE, SERIES_TALLIES)


def _read_weeks(session: Session, chosen: ScanFilter, grain: Grain, asked: Sequence[RateMeasure]) -> list[CellWeeks]:
    fitting = fitting_grain(grain, chosen)
    width = N_VISIT_SUMS if RateMeasure.VISITS in asked else len(asked)
    by_place: dict[Place, list[tuple[date, Counts]]] = {}
    if chosen.asks_beyond_counts:
        for place, key, span, n in read_one_by_one(session, chosen, grain, asked, Spans.of(chosen)):
            one = _one(CellCount(place, span, key.measure, key.detail, n), asked, width)
            by_place.setdefault(place, []).append((key.week_on, one))
        return [_together(place, parts, chosen) for place, parts in by_place.items()]
    if fitting is None:
        rows = session.execute(_week_rows(all_counts().c, chosen, ("site_id", *FIELDS[grain]), asked)).all()
    else:
        rows = session.execute(_series_rows(chosen, fitting, asked)).all()
    for row in rows:
        found = unpack(row.weeks, width) if row.measure is None else _one(row, asked, width)
        if len(found):
            by_place.setdefault(place_of(row, grain), []).append((row.starts_on, found))
    return [_together(place, parts, chosen) for place, parts in by_place.items()]


def _one(row: Any, asked: Sequence[RateMeasure], width: int) -> Counts:
    """A single count as a series of one week."""
    if row.measure == RateMeasure.VISITS:
        return int(row.n) * np.array([visit_sums(row.detail)], np.int64)
    found = np.zeros((1, width), np.int64)
    found[0, [each.value for each in asked].index(row.measure)] = int(row.n)
    return found


def _together(place: Place, parts: Sequence[tuple[date, Counts]], chosen: ScanFilter) -> CellWeeks:
    starts_on = min(start for start, _ in parts)
    ends_on = max(start + WEEK * len(found) for start, found in parts)
    if chosen.until is not None:
        ends_on = max(starts_on, min(ends_on, chosen.until + timedelta(days=-chosen.until.weekday() % 7)))
    counts = np.zeros(((ends_on - starts_on) // WEEK, parts[0][1].shape[1]), np.int64)
    for start, found in parts:
        offset = (start - starts_on) // WEEK
        kept = found[: max(0, len(counts) - offset)]
        counts[offset : offset + len(kept)] += kept
    return CellWeeks(place, starts_on, counts)


def _series_rows(chosen: ScanFilter, grain: Grain, asked: Sequence[RateMeasure]) -> Select[*tuple[Any, ...]]:
    """Series cut to the filter's first week, and what is not folded yet as weeks of one count."""
    stored = RateSeries.visits if RateMeasure.VISITS in asked else RateSeries.tallies
    size = 4 * (N_VISIT_SUMS if RateMeasure.VISITS in asked else len(SERIES_TALLIES))
    starts_on: ColumnElement[Any] = RateSeries.starts_on.expression
    weeks: ColumnElement[Any] = stored.expression
    if chosen.since is not None:
        late = func.greatest(0, func.div(chosen.since - RateSeries.starts_on + 6, 7).cast(Integer), type_=Integer)
        starts_on = RateSeries.starts_on + late * 7
        weeks = func.substring(stored, late * size + 1)
    fields = ("site_id", "device_id", "technician_id", "software_version")
    packed = (
        select(
            *(getattr(RateCell, name) for name in fields), starts_on.label("starts_on"),
            null().cast(String).label("measure"), null().cast(String).label("detail"),
            null().cast(BigInteger).label("n"), weeks.label("weeks"),
        )
        .select_from(RateCell)
        .join(RateSeries, RateSeries.cell_id == RateCell.id)
        .where(
            RateCell.grain == grain, RateSeries.scan_type == (chosen.scan_type or ANY_TYPE), *cell_conditions(chosen)
        )
    )  # fmt: skip
    kept = ("site_id", *FIELDS[grain])
    counted = _week_rows(RateDelta.__table__.c, chosen, kept, asked).subquery()
    loose = select(
        *(counted.c[name] if name in kept else null().cast(getattr(RateDelta, name).type) for name in fields),
        counted.c.starts_on, counted.c.measure, counted.c.detail, counted.c.n, null().cast(LargeBinary),
    )  # fmt: skip
    both = union_all(packed, loose).subquery()
    return select(*both.c)


def _week_rows(
    counts: ReadOnlyColumnCollection[str, Any], chosen: ScanFilter, fields: Sequence[str], asked: Sequence[RateMeasure]
) -> Select[*tuple[Any, ...]]:
    keys = [*(counts[name] for name in fields), counts.week_on.label("starts_on"), counts.measure, counts.detail]
    conditions = [counts.measure.in_(asked), *count_conditions(chosen, counts)]
    if RateMeasure.VISITS in asked and chosen.scan_type is None:
        conditions.append(counts.scan_type == WHOLE_VISIT)
    total = cast(func.sum(counts.n), BigInteger).label("n")
    return select(*keys, total).where(*conditions).group_by(*keys)
