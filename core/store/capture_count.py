"""Counts of captures read one by one, for what the counts do not tell apart: eye, visit, model version, whose grade.

They are the same numbers by the same rules (core.store.rate): what a capture has contributed stands in its own row. So
many captures at most are read; of more, nobody gets a part for the whole.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Site
from core.errors import UsageError
from core.store.finding import Finding
from core.store.rate import CountKey, visit_contributions
from core.store.scan_filter import ScanFilter, beyond_count_conditions, capture_conditions
from core.store.slot import Capture, Slot, Standing, week_of
from core.vocabulary import RateMeasure

MOST_CAPTURES = 10_000
"""Read one by one in a quarter of a second; more are refused."""
_FINAL = (RateMeasure.FINAL_RECEIVED, RateMeasure.FINAL_GRADABLE)


class TooManyCapturesError(UsageError):
    """More captures than may be read one by one."""


def count_captures(
    session: Session, chosen: ScanFilter, borders: Sequence[date | None]
) -> list[tuple[CountKey, int, int]]:
    """(key, period, n) of every count under ``chosen``, in the periods between these days instead of its own.

    A week belongs to the period in which its Monday lies, as in the counts. Raises TooManyCapturesError.
    """
    starts = [start or date.min for start in borders[:-1]]
    end = borders[-1] or date.max
    counts: Counter[CountKey] = Counter()
    matching = _read_matching(session, chosen, borders)
    for slots in _by_visit(matching):
        counts.update(visit_contributions(slots, [[each.counted for each in slot.captures] for slot in slots]))
    for measure in _FINAL:  # belong to whole slots, of which the filter may match a part
        for key in [key for key in counts if key.measure is measure]:
            del counts[key]
    counts.update(_final_contributions(session, matching))
    return [
        (key, bisect_right(starts, key.week_on) - 1, n)
        for key, n in counts.items()
        if n and starts[0] <= key.week_on < end
    ]


_Match = tuple[int, int, Capture]
"""Visit, slot and capture."""


def _read_matching(session: Session, chosen: ScanFilter, borders: Sequence[date | None]) -> list[_Match]:
    """What was received under the filter, but for phantoms, by its id."""
    until = borders[-1]
    period = replace(
        chosen, since=borders[0], until=None if until is None else until + timedelta(days=-until.weekday() % 7)
    )
    conditions = [
        Acquisition.is_counted_received, Acquisition.is_phantom.is_(False), _at_sites(chosen),
        *capture_conditions(period.countable), *beyond_count_conditions(chosen),
    ]  # fmt: skip
    _refuse_too_many(session, period)
    rows = session.execute(select(*_COLUMNS).where(*conditions).order_by(Acquisition.id)).all()
    return [(row.visit_id, row.expected_scan_id, _capture(row)) for row in rows]


def _refuse_too_many(session: Session, chosen: ScanFilter) -> None:
    """Told by the captures among which the asked ones are: those are looked through."""
    among = (
        select(Acquisition.id)
        .where(Acquisition.is_phantom.is_(False), _at_sites(chosen), *capture_conditions(chosen.countable))
        .limit(MOST_CAPTURES + 1)
        .subquery()
    )
    if (session.scalar(select(func.count()).select_from(among)) or 0) > MOST_CAPTURES:
        raise TooManyCapturesError(
            f"Eye, visit, model version and whose grade counts are not counted apart: for them captures are read one "
            f"by one, and here there are more than {MOST_CAPTURES:,}.",
            remedy="Choose a site, a device or a shorter period, or clear that filter.",
        )


def _at_sites(chosen: ScanFilter) -> ColumnElement[bool]:
    """By name, whoever asks: so the index of (site, time) serves."""
    if chosen.site_id is not None:
        return Acquisition.site_id == chosen.site_id
    sites = select(Site.id)
    if chosen.study_id is not None:
        sites = sites.where(Site.study_id == chosen.study_id)
    return Acquisition.site_id.in_(sites)


_COLUMNS = (
    Acquisition.id, Acquisition.visit_id, Acquisition.expected_scan_id, Acquisition.site_id, Acquisition.device_id,
    Acquisition.technician_id, Acquisition.software_version, Acquisition.scan_type, Acquisition.acquired_at,
    Acquisition.replaces_id, Acquisition.is_phantom, Acquisition.is_counted_received, Acquisition.is_counted_decided,
    Acquisition.is_counted_gradable, Acquisition.counted_findings,
)  # fmt: skip


def _capture(row: Any) -> Capture:
    counted = Standing(
        row.is_counted_received, row.is_counted_decided, row.is_counted_gradable,
        frozenset(map(Finding.parse, row.counted_findings)),
    )  # fmt: skip
    return Capture(
        acquisition_id=row.id, site_id=row.site_id, device_id=row.device_id, technician_id=row.technician_id,
        software_version=row.software_version, scan_type=row.scan_type, week_on=week_of(row.acquired_at),
        is_replacement=row.replaces_id is not None, is_phantom=row.is_phantom, standing=counted, counted=counted,
    )  # fmt: skip


def _by_visit(matching: Iterable[_Match]) -> list[tuple[Slot, ...]]:
    found: dict[int, dict[int, list[Capture]]] = defaultdict(lambda: defaultdict(list))
    for visit_id, slot_id, capture in matching:
        found[visit_id][slot_id].append(capture)
    return [
        tuple(Slot(slot_id, visit_id, tuple(captures)) for slot_id, captures in slots.items())
        for visit_id, slots in found.items()
    ]


def _final_contributions(session: Session, matching: Sequence[_Match]) -> Counter[CountKey]:
    """Slots whose first capture is among these, booked there, with whether any capture of the slot is gradable."""
    slot_ids = sorted({slot_id for _, slot_id, _ in matching})
    rows = session.execute(
        select(
            Acquisition.expected_scan_id, func.min(Acquisition.id), func.bool_or(Acquisition.is_counted_gradable)
        )
        .where(
            Acquisition.expected_scan_id.in_(slot_ids), Acquisition.is_counted_received,
            Acquisition.is_phantom.is_(False),
        )
        .group_by(Acquisition.expected_scan_id)
    ).all() if slot_ids else ()  # fmt: skip
    is_gradable = {first_id: gradable for _, first_id, gradable in rows}
    counts: Counter[CountKey] = Counter()
    for _, _, capture in matching:
        if capture.acquisition_id in is_gradable:
            counts[CountKey.of(capture, RateMeasure.FINAL_RECEIVED)] += 1
            counts[CountKey.of(capture, RateMeasure.FINAL_GRADABLE)] += is_gradable[capture.acquisition_id]
    return counts
