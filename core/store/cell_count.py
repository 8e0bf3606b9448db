"""Reads counts for pages: sums and what is not folded yet, in one statement and so exact at this moment.

Without an unusual combination of filters a page reads two rows of sums per cell and border of a period, however many
scans were counted between them. Technician and device together are in no cell: those few ask the counts themselves.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    LargeBinary,
    Select,
    String,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
    values,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from core.database.tables import RateCell, RateDelta, RateSeries, RateSum, RateTerm
from core.store.capture_count import count_captures
from core.store.packed import N_VISIT_SUMS, Counts, unpack, unpack_rows, visit_sums
from core.store.rate import WHOLE_VISIT, CountKey, all_counts
from core.store.rate_sum import ANY_TYPE, SERIES_TALLIES, WEEK, Grain, Term, read_terms
from core.store.scan_filter import ScanFilter, count_conditions
from core.vocabulary import RateMeasure


class Place(NamedTuple):
    """Of what something was counted. What the asked grain does not tell apart is None."""

    site_id: int
    device_id: int | None = None
    technician_id: int | None = None
    software_version: str | None = None


class CellCount(NamedTuple):
    """One number: ``span`` says which of the asked periods it belongs to."""

    place: Place
    span: int
    measure: RateMeasure
    detail: str
    n: int


_Key = tuple[Place, int, RateMeasure, str]


@dataclass(frozen=True, slots=True)
class Spans:
    """Consecutive periods: from each border to the day before the next. None at an end: open."""

    borders: tuple[date | None, ...]

    @classmethod
    def of(cls, chosen: ScanFilter) -> "Spans":
        """The one period that a filter names."""
        return cls((chosen.since, chosen.until))

    @classmethod
    def between(cls, borders: Iterable[date]) -> "Spans":
        """The periods between these days, in order."""
        return cls(tuple(sorted(set(borders))))

    @property
    def starts(self) -> tuple[date | None, ...]:
        """The first day of each."""
        return self.borders[:-1]


_FIELDS: dict[Grain, tuple[str, ...]] = {
    Grain.SITE: (),
    Grain.DEVICE: ("device_id",),
    Grain.SOFTWARE: ("device_id", "software_version"),
    Grain.TECHNICIAN: ("technician_id",),
}

_IDS = {
    Grain.SITE: "site_id", Grain.DEVICE: "device_id", Grain.SOFTWARE: "device_id", Grain.TECHNICIAN: "technician_id",
}  # fmt: skip
"""What ids are of, by grain."""


def fitting_grain(grain: Grain, chosen: ScanFilter) -> Grain | None:
    """The coarsest grain that knows what is asked for and what is filtered by; None where none does."""
    asked = set(_FIELDS[grain])
    if chosen.device_id is not None or chosen.asks_of_devices:
        asked.add("device_id")
    if chosen.software_version is not None:
        asked.add("software_version")
    if chosen.technician_id is not None:
        asked.add("technician_id")
    return next((each for each, fields in _FIELDS.items() if asked <= set(fields)), None)


def read_cell_counts(
    session: Session,
    chosen: ScanFilter,
    grain: Grain,
    measures: Iterable[RateMeasure],
    spans: Spans | None = None,
    *,
    ids: Collection[int] | None = None,
    is_asked: Callable[[RateMeasure, str], bool] | None = None,
) -> list[CellCount]:
    """What was counted under ``chosen``, place by place, and exactly so at this moment; noughts are left out.

    What the counts do not tell apart is counted capture by capture, or TooManyCapturesError raised.

    Visits are counted once: as a whole, or under the one scan type that is chosen. ``spans`` stand instead of the
    filter's own period. Places are no finer than ``grain``; ``ids`` are the only sites, devices or technicians asked,
    ``is_asked`` says of which measure and detail.
    """
    asked, spans = tuple(measures), spans or Spans.of(chosen)
    fitting = fitting_grain(grain, chosen)
    sums: dict[_Key, int] = {}
    if chosen.asks_beyond_counts:
        for place, key, span, n in _read_one_by_one(session, chosen, grain, asked, spans):
            _add(sums, (place, span, key.measure, key.detail), n)
    elif fitting is None:
        fields = ("site_id", *_FIELDS[grain])
        for row in session.execute(_count_rows(all_counts().c, chosen, fields, asked, spans)):
            _count(sums, row, grain)
    else:
        among = [] if ids is None else [getattr(RateCell, _IDS[grain]).in_(ids)]
        rows = session.execute(_sum_rows(chosen, fitting, asked, spans, among)).all()
        packed = [row for row in rows if row.measure is None]
        for row in rows:
            if row.measure is not None:
                _count(sums, row, grain)
        known = _columns(read_terms(session), chosen, asked)
        columns = {key: places for key, places in known.items() if is_asked is None or is_asked(*key)}
        _count_packed(sums, packed, columns, len(spans.borders), grain)
    found = [CellCount(place, span, measure, detail, n) for (place, span, measure, detail), n in sums.items() if n]
    found = found if is_asked is None else [each for each in found if is_asked(each.measure, each.detail)]
    return found if ids is None else [each for each in found if getattr(each.place, _IDS[grain]) in ids]


def _read_one_by_one(
    session: Session, chosen: ScanFilter, grain: Grain, asked: Sequence[RateMeasure], spans: Spans
) -> Iterator[tuple[Place, CountKey, int, int]]:
    """(place, key, period, n) of what is asked for, counted capture by capture."""
    for key, span, n in count_captures(session, chosen, spans.borders):
        is_visit = key.measure is RateMeasure.VISITS
        is_nobody_s = grain is Grain.TECHNICIAN and key.technician_id is None
        if (
            key.measure in asked
            and not is_nobody_s
            and (not is_visit or key.scan_type == (chosen.scan_type or WHOLE_VISIT))
        ):
            yield _place(key, grain), key, span, n


def _place(row: Any, grain: Grain) -> Place:
    kept = _FIELDS[grain]
    return Place(row.site_id, **{name: getattr(row, name) for name in kept})


def _count(sums: dict[_Key, int], row: Any, grain: Grain) -> None:
    _add(sums, (_place(row, grain), row.span, RateMeasure(row.measure), row.detail), int(row.n))


def _add(sums: dict[_Key, int], key: _Key, n: int) -> None:
    sums[key] = sums.get(key, 0) + n


def _columns(
    terms: Sequence[Term], chosen: ScanFilter, asked: Sequence[RateMeasure]
) -> dict[tuple[RateMeasure, str], list[int]]:
    """Measure and detail -> the places of a vector that are added up for them."""
    found: dict[tuple[RateMeasure, str], list[int]] = {}
    for place, term in enumerate(terms):
        measure = RateMeasure(term.measure)
        default = WHOLE_VISIT if measure is RateMeasure.VISITS else term.scan_type
        if measure in asked and term.scan_type == (chosen.scan_type or default):
            found.setdefault((measure, term.detail), []).append(place)
    return found


def _count_packed(
    sums: dict[_Key, int],
    rows: Sequence[Any],
    columns: dict[tuple[RateMeasure, str], list[int]],
    n_borders: int,
    grain: Grain,
) -> None:
    """Add differences of running sums: what lies between two borders of a cell."""
    if not rows or not columns:
        return
    cells = {row.cell_id: row for row in rows}
    order = {cell_id: number for number, cell_id in enumerate(cells)}
    width = 1 + max(place for places in columns.values() for place in places)
    running = np.zeros((len(cells), n_borders, len(columns)), np.int64)
    vectors = unpack_rows([row.totals for row in rows], width)
    added = np.stack([vectors[:, places].sum(axis=1) for places in columns.values()], axis=1)
    running[[order[row.cell_id] for row in rows], [row.span for row in rows]] = added
    counted = np.diff(running, axis=1)
    places = [_place(row, grain) for row in cells.values()]
    keys = list(columns)
    found = np.nonzero(counted)
    for cell, span, key, n in zip(*(each.tolist() for each in found), counted[found].tolist(), strict=True):
        measure, detail = keys[key]
        _add(sums, (places[cell], span, measure, detail), n)


def _sum_rows(
    chosen: ScanFilter,
    grain: Grain,
    asked: Sequence[RateMeasure],
    spans: Spans,
    among: Sequence[ColumnElement[bool]] = (),
) -> Select[*tuple[Any, ...]]:
    """Running sums before each border of each cell; with them, in the same rows, what is not folded yet."""
    last = len(spans.borders) - 1
    probed = [
        (number, border or date.max)
        for number, border in enumerate(spans.borders)
        if border is not None or number == last
    ]
    borders = values(column("number", Integer), column("day", Date), name="border").data(probed)
    size = cast(4 * (1 + func.max(RateTerm.place)), Integer)
    width = select(func.coalesce(size, 0)).where(RateTerm.measure.in_(asked)).scalar_subquery()
    before = (
        select(func.substring(RateSum.totals, 1, width).label("totals"))
        .where(RateSum.cell_id == RateCell.id, RateSum.week_on < borders.c.day)
        .order_by(RateSum.week_on.desc())
        .limit(1)
        .lateral()
    )
    fields = ("site_id", "device_id", "technician_id", "software_version")
    packed = (
        select(
            RateCell.id.label("cell_id"), *(getattr(RateCell, name) for name in fields),
            borders.c.number.label("span"), null().cast(String).label("measure"), null().cast(String).label("detail"),
            null().cast(BigInteger).label("n"), before.c.totals,
        )
        .select_from(RateCell)
        .join(borders, true())
        .join(before, true())
        .where(RateCell.grain == grain, *cell_conditions(chosen), *among)
    )  # fmt: skip
    kept = ("site_id", *_FIELDS[grain])
    counted = _count_rows(RateDelta.__table__.c, chosen, kept, asked, spans).subquery()
    loose = select(
        null().cast(BigInteger),
        *(counted.c[name] if name in kept else null().cast(getattr(RateDelta, name).type) for name in fields),
        counted.c.span, counted.c.measure, counted.c.detail, counted.c.n, null().cast(LargeBinary),
    )  # fmt: skip
    both = union_all(packed, loose).subquery()
    return select(*both.c)


def cell_conditions(chosen: ScanFilter) -> list[ColumnElement[bool]]:
    """Conditions on RateCell: those of the filter but for type and time."""
    return count_conditions(replace(chosen, scan_type=None, since=None, until=None), RateCell.__table__.c)


def _count_rows(
    counts: ReadOnlyColumnCollection[str, Any],
    chosen: ScanFilter,
    fields: Sequence[str],
    asked: Sequence[RateMeasure],
    spans: Spans,
) -> Select[*tuple[Any, ...]]:
    """Counts as they are, added up by place, period, measure and detail."""
    within = replace(chosen, since=spans.borders[0], until=spans.borders[-1])
    later = [(counts.week_on >= start, number) for number, start in enumerate(spans.starts) if start is not None]
    span = case(*reversed(later), else_=0) if later else literal(0)
    keys = [*(counts[name] for name in fields), span.label("span"), counts.measure, counts.detail]
    others = [measure for measure in asked if measure is not RateMeasure.VISITS]
    wanted = [counts.measure.in_(others)]
    if RateMeasure.VISITS in asked:
        type_ = chosen.scan_type or WHOLE_VISIT
        wanted.append(and_(counts.measure == RateMeasure.VISITS, counts.scan_type == type_))
    total = cast(func.sum(counts.n), BigInteger).label("n")
    return select(*keys, total).where(or_(*wanted), *count_conditions(within, counts)).group_by(*keys)


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
        for place, key, span, n in _read_one_by_one(session, chosen, grain, asked, Spans.of(chosen)):
            one = _one(CellCount(place, span, key.measure, key.detail, n), asked, width)
            by_place.setdefault(place, []).append((key.week_on, one))
        return [_together(place, parts, chosen) for place, parts in by_place.items()]
    if fitting is None:
        rows = session.execute(_week_rows(all_counts().c, chosen, ("site_id", *_FIELDS[grain]), asked)).all()
    else:
        rows = session.execute(_series_rows(chosen, fitting, asked)).all()
    for row in rows:
        found = unpack(row.weeks, width) if row.measure is None else _one(row, asked, width)
        if len(found):
            by_place.setdefault(_place(row, grain), []).append((row.starts_on, found))
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
    kept = ("site_id", *_FIELDS[grain])
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
