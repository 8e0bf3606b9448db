"""Reads counts for pages: sums and what is not folded yet, in one statement and so exact at this moment.

Without an unusual combination of filters a page reads two rows of sums per cell and border of a period, however many
scans were counted between them. Technician and device together are in no cell: those few ask the counts themselves.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
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

from core.database.tables import RateCell, RateDelta, RateSum, RateTerm
from core.store.capture_count import count_captures
from core.store.packed import N_VISIT_SUMS, Counts, unpack_rows, visit_sums
from core.store.rate import WHOLE_VISIT, CountKey, all_counts
from core.store.rate_sum import Grain, Term, read_terms
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
IsAsked = Callable[[RateMeasure, str], bool]
"""Whether a measure and detail is asked for."""


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


FIELDS: dict[Grain, tuple[str, ...]] = {
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
    asked = set(FIELDS[grain])
    if chosen.device_id is not None or chosen.asks_of_devices:
        asked.add("device_id")
    if chosen.software_version is not None:
        asked.add("software_version")
    if chosen.technician_id is not None:
        asked.add("technician_id")
    return next((each for each, fields in FIELDS.items() if asked <= set(fields)), None)


@dataclass(frozen=True, slots=True)
class CellTable:
    """Everything counted of some places: ``counts`` (places, periods, keys), with noughts where nothing was."""

    places: tuple[Place, ...]
    keys: tuple[tuple[RateMeasure, str], ...]
    """Measure and detail."""
    counts: Counts

    def visit_sums(self) -> Counts:
        """The six sums of ClusteredCount of the ungradable in patient visits: (places, periods, 6)."""
        nothing = (0,) * N_VISIT_SUMS
        added = [visit_sums(detail) if measure is RateMeasure.VISITS else nothing for measure, detail in self.keys]
        return self.counts @ np.array(added, np.int64).reshape(len(added), N_VISIT_SUMS)

    def add_up(self, name_of: Callable[[RateMeasure, str], str | None]) -> tuple[tuple[str, ...], Counts]:
        """Names and their counts (places, periods, names); what is called None is left out."""
        columns: dict[str, list[int]] = {}
        for number, key in enumerate(self.keys):
            if (name := name_of(*key)) is not None:
                columns.setdefault(name, []).append(number)
        found = np.zeros((*self.counts.shape[:2], len(columns)), np.int64)
        for number, places in enumerate(columns.values()):
            found[:, :, number] = self.counts[:, :, places].sum(axis=2)
        return tuple(columns), found


def read_cell_counts(
    session: Session,
    chosen: ScanFilter,
    grain: Grain,
    measures: Iterable[RateMeasure],
    spans: Spans | None = None,
    *,
    ids: Collection[int] | None = None,
    is_asked: IsAsked | None = None,
) -> list[CellCount]:
    """The same as ``read_cell_table``, number by number; noughts are left out."""
    table = read_cell_table(session, chosen, grain, measures, spans, ids=ids, is_asked=is_asked)
    found = np.nonzero(table.counts)
    numbers = table.counts[found].tolist()
    return [
        CellCount(table.places[place], span, table.keys[key][0], table.keys[key][1], n)
        for place, span, key, n in zip(*(each.tolist() for each in found), numbers, strict=True)
    ]


def read_cell_table(
    session: Session,
    chosen: ScanFilter,
    grain: Grain,
    measures: Iterable[RateMeasure],
    spans: Spans | None = None,
    *,
    ids: Collection[int] | None = None,
    is_asked: IsAsked | None = None,
) -> CellTable:
    """What was counted under ``chosen``, place by place, and exactly so at this moment.

    What the counts do not tell apart is counted capture by capture, or TooManyCapturesError raised.

    Visits are counted once: as a whole, or under the one scan type that is chosen. ``spans`` stand instead of the
    filter's own period. Places are no finer than ``grain``; ``ids`` are the only sites, devices or technicians asked,
    ``is_asked`` says of which measure and detail.
    """
    asked, spans = tuple(measures), spans or Spans.of(chosen)
    fitting = fitting_grain(grain, chosen)
    single: dict[_Key, int] = {}
    packed: Sequence[Any] = ()
    if chosen.asks_beyond_counts:
        for place, key, span, n in read_one_by_one(session, chosen, grain, asked, spans):
            _add(single, (place, span, key.measure, key.detail), n)
    elif fitting is None:
        fields = ("site_id", *FIELDS[grain])
        for row in session.execute(_count_rows(all_counts().c, chosen, fields, asked, spans)):
            _count(single, row, grain)
    else:
        among = [] if ids is None else [getattr(RateCell, _IDS[grain]).in_(ids)]
        rows = session.execute(_sum_rows(chosen, fitting, asked, spans, among)).all()
        packed = [row for row in rows if row.measure is None]
        for row in rows:
            if row.measure is not None:
                _count(single, row, grain)
    known = _columns(read_terms(session), chosen, asked) if packed else {}
    columns = {key: places for key, places in known.items() if is_asked is None or is_asked(*key)}
    kept = {
        (place, span, measure, detail): n
        for (place, span, measure, detail), n in single.items()
        if (is_asked is None or is_asked(measure, detail)) and (ids is None or getattr(place, _IDS[grain]) in ids)
    }
    return _with_singles(_unpacked(packed, columns, len(spans.borders), grain), kept)


def _with_singles(table: CellTable, single: Mapping[_Key, int]) -> CellTable:
    """A table and counts that stand in no sum."""
    if not single:
        return table
    places = {place: number for number, place in enumerate(dict.fromkeys((*table.places, *(key[0] for key in single))))}
    keys = {key: number for number, key in enumerate(dict.fromkeys((*table.keys, *(key[2:] for key in single))))}
    counts = np.zeros((len(places), table.counts.shape[1], len(keys)), np.int64)
    counts[: len(table.places), :, : len(table.keys)] = table.counts
    for (place, span, measure, detail), n in single.items():
        counts[places[place], span, keys[measure, detail]] += n
    return CellTable(tuple(places), tuple(keys), counts)


def read_one_by_one(
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
            yield place_of(key, grain), key, span, n


def place_of(row: Any, grain: Grain) -> Place:
    """Of what a row of counts is, no finer than ``grain``."""
    kept = FIELDS[grain]
    return Place(row.site_id, **{name: getattr(row, name) for name in kept})


def _count(sums: dict[_Key, int], row: Any, grain: Grain) -> None:
    _add(sums, (place_of(row, grain), row.span, RateMeasure(row.measure), row.detail), int(row.n))


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


def _unpacked(
    rows: Sequence[Any], columns: Mapping[tuple[RateMeasure, str], list[int]], n_borders: int, grain: Grain
) -> CellTable:
    """Differences of running sums: what lies between two borders of a cell, added up by place."""
    if not rows or not columns:
        return CellTable((), (), np.zeros((0, n_borders - 1, 0), np.int64))
    cells = {row.cell_id: row for row in rows}
    order = {cell_id: number for number, cell_id in enumerate(cells)}
    width = 1 + max(place for places in columns.values() for place in places)
    vectors = unpack_rows([row.totals for row in rows], width)
    running = np.zeros((len(cells), n_borders, len(columns)), np.int64)
    added = np.stack([vectors[:, places].sum(axis=1) for places in columns.values()], axis=1)
    running[[order[row.cell_id] for row in rows], [row.span for row in rows]] = added
    counted = np.diff(running, axis=1)
    place_of_cell = [place_of(row, grain) for row in cells.values()]
    places = {place: number for number, place in enumerate(dict.fromkeys(place_of_cell))}
    if len(places) < len(cells):
        of_cells, counted = counted, np.zeros((len(places), *counted.shape[1:]), np.int64)
        np.add.at(counted, [places[place] for place in place_of_cell], of_cells)
    return CellTable(tuple(places), tuple(columns), counted)


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
    kept = ("site_id", *FIELDS[grain])
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
