"""The programme overview's numbers: rates from the counts, queues and flags from the scans' state indexes."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, case, func, select, true
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Batch, Device, ReacquisitionRequest, Scan, Site
from core.statistics.funnel import MIN_COUNTED, MIN_PATIENTS
from core.store.cell_count import CellTable, Place, Spans, read_cell_table
from core.store.cell_week import read_tally_weeks
from core.store.certificate import DueCertificates, count_due
from core.store.packed import Counts
from core.store.rate_sum import WEEK, Grain
from core.store.reacquisition import ENDED, is_overdue
from core.store.scan_filter import (
    ScanFilter,
    beyond_count_conditions,
    day_start,
    device_conditions,
    filter_conditions,
)
from core.store.tally import TALLIED, Tally, probe_patients
from core.vocabulary import ScanState

WAITING_STATES = (ScanState.RECEIVED, ScanState.QUEUED, ScanState.SCORING)
TO_DECIDE_STATES = (ScanState.SCORED, ScanState.UNDER_REVIEW)


Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class GroupTally:
    """One site or device. ``patients`` is exact below the probe's reach and a lower bound above it."""

    id: int
    code: str
    name: str
    tally: Tally
    patients: int

    @property
    def is_judged(self) -> bool:
        """False: too few to judge."""
        return self.tally.decided >= MIN_COUNTED and self.patients >= MIN_PATIENTS


@dataclass(frozen=True, slots=True)
class WeekTally:
    """The counts of one week, which begins on Monday ``week_on`` (UTC)."""

    week_on: date
    tally: Tally


@dataclass(frozen=True, slots=True)
class Attention:
    """What waits for whom, now: not narrowed by the period, because what waits does so whenever it was acquired."""

    waiting: int
    oldest_waiting_at: datetime | None
    to_decide: int
    failed: int
    open_requests: int
    overdue_requests: int
    certificates: DueCertificates


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the overview page shows, read at ``as_of``."""

    as_of: datetime
    current: Tally
    previous: Tally | None
    """The period of equal length before; None where the period is open."""
    unscored: tuple[int, int]
    """First captures of the period, and of that before, of which a scan waits for its score or could not be scored."""
    attention: Attention
    sites: tuple[GroupTally, ...]
    devices: tuple[GroupTally, ...]
    weeks: tuple[WeekTally, ...]


def read_overview(session: Session, chosen: ScanFilter, *, today: date) -> Overview:
    """The overview under ``chosen``; the slab does not narrow the rates, whose unit is the whole capture."""
    by_device, by_site, before = _read_tallies(session, chosen)
    return Overview(
        as_of=session.execute(select(func.now())).scalar_one(),
        current=sum(by_site.values(), Tally()),
        previous=before,
        unscored=_read_unscored(session, chosen),
        attention=_read_attention(session, chosen, today),
        sites=_read_sites(session, chosen, by_site),
        devices=_read_devices(session, chosen, by_device),
        weeks=_read_weeks(session, chosen),
    )


def _read_tallies(session: Session, chosen: ScanFilter) -> tuple[dict[int, Tally], dict[int, Tally], Tally | None]:
    """By device, by site, and of the period of equal length before; exact at this moment."""
    has_period = chosen.since is not None and chosen.until is not None
    spans = Spans.of(chosen)
    if chosen.since is not None and chosen.until is not None:
        spans = Spans((chosen.since - (chosen.until - chosen.since), chosen.since, chosen.until))
    *earlier, current = _tallies_by_span(read_cell_table(session, chosen, Grain.DEVICE, TALLIED, spans))
    by_site: dict[int, Tally] = {}
    for place, tally in current.items():
        by_site[place.site_id] = by_site.get(place.site_id, Tally()) + tally
    by_device = {place.device_id: tally for place, tally in current.items() if place.device_id is not None}
    before = sum((tally for tallies in earlier for tally in tallies.values()), Tally())
    return by_device, by_site, before if has_period else None


def _tallies_by_span(table: CellTable) -> list[dict[Place, Tally]]:
    """Of each period the places with anything counted."""
    names, counts = table.add_up(lambda measure, _: measure.value)
    return [
        {
            place: Tally(**dict(zip(names, row, strict=True)))
            for place, row in zip(table.places, of_span.tolist(), strict=True)
            if any(row)
        }
        for of_span in counts.swapaxes(0, 1)
    ]


def _read_weeks(session: Session, chosen: ScanFilter) -> tuple[WeekTally, ...]:
    sums: dict[date, Counts] = {}
    for weeks in read_tally_weeks(session, chosen):
        for number, counts in enumerate(weeks.counts):
            week_on = weeks.starts_on + WEEK * number
            sums[week_on] = sums.get(week_on, 0) + counts
    return tuple(WeekTally(week_on, Tally(*sums[week_on].tolist())) for week_on in sorted(sums) if sums[week_on].any())


def _read_attention(session: Session, chosen: ScanFilter, today: date) -> Attention:
    chosen = replace(chosen, since=None, until=None)
    conditions = filter_conditions(chosen)
    watched = (*WAITING_STATES, *TO_DECIDE_STATES, ScanState.FAILED, ScanState.QUARANTINED)
    states = (
        select(Scan.state, func.count(), func.min(func.coalesce(Batch.submitted_at, Batch.created_at)))
        .join(Batch, Batch.id == Scan.batch_id)
        .where(Scan.state.in_(watched), *conditions)
        .group_by(Scan.state)
    )
    if chosen.asks_of_captures:
        states = states.join(Acquisition, Acquisition.id == Scan.acquisition_id)
    found = {ScanState(state): (n, oldest_at) for state, n, oldest_at in session.execute(states)}
    requests = (
        select(func.count(), func.coalesce(func.sum(case((is_overdue(today), 1), else_=0)), 0))
        .join(Acquisition, Acquisition.id == ReacquisitionRequest.acquisition_id)
        .join(Scan, Scan.id == ReacquisitionRequest.scan_id)
        .where(ReacquisitionRequest.state.not_in(ENDED), *conditions)
    )
    open_requests, overdue_requests = session.execute(requests).one()
    return Attention(
        waiting=sum(found[state][0] for state in WAITING_STATES if state in found),
        oldest_waiting_at=min((found[state][1] for state in WAITING_STATES if state in found), default=None),
        to_decide=sum(found[state][0] for state in TO_DECIDE_STATES if state in found),
        failed=sum(found[state][0] for state in (ScanState.FAILED, ScanState.QUARANTINED) if state in found),
        open_requests=open_requests,
        overdue_requests=int(overdue_requests),
        certificates=count_due(session, chosen, today=today),
    )


def _read_unscored(session: Session, chosen: ScanFilter) -> tuple[int, int]:
    """By the index of scans that are not done with, a handful; now, and in the period of equal length before."""
    asked = chosen
    is_current: ColumnElement[bool] = true()
    if chosen.since is not None and chosen.until is not None:
        asked = replace(chosen, since=chosen.since - (chosen.until - chosen.since))
        is_current = Acquisition.acquired_at >= day_start(chosen.since)
    captures = Scan.acquisition_id.distinct()
    found = session.execute(
        select(func.count(captures).filter(is_current), func.count(captures).filter(~is_current))
        .select_from(Scan)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .where(
            Scan.state.in_((*WAITING_STATES, ScanState.FAILED, ScanState.QUARANTINED)),
            Acquisition.is_counted_received, Acquisition.replaces_id.is_(None), Acquisition.is_phantom.is_(False),
            *filter_conditions(replace(asked.countable, slab=None)), *beyond_count_conditions(chosen),
        )
    ).one()  # fmt: skip
    return found[0], found[1]


def _read_sites(session: Session, chosen: ScanFilter, tallies: dict[int, Tally]) -> tuple[GroupTally, ...]:
    statement = select(Site.id, Site.code, Site.name).order_by(Site.code)
    if chosen.site_id is not None:
        statement = statement.where(Site.id == chosen.site_id)
    if chosen.study_id is not None:
        statement = statement.where(Site.study_id == chosen.study_id)
    rows = session.execute(statement).all()
    patients = probe_patients(session, chosen, Acquisition.site_id, [row[0] for row in rows])
    return tuple(
        GroupTally(id_, code, name, tallies.get(id_, Tally()), patients.get(id_, 0)) for id_, code, name in rows
    )


def _read_devices(session: Session, chosen: ScanFilter, tallies: dict[int, Tally]) -> tuple[GroupTally, ...]:
    statement = select(Device.id, Device.code, Device.manufacturer, Device.model).order_by(Device.code)
    statement = statement.where(*device_conditions(chosen))
    if chosen.device_id is not None:
        statement = statement.where(Device.id == chosen.device_id)
    if chosen.site_id is not None:
        statement = statement.where(Device.site_id == chosen.site_id)
    elif chosen.study_id is not None:
        statement = statement.join(Site, Site.id == Device.site_id).where(Site.study_id == chosen.study_id)
    rows = session.execute(statement).all()
    patients = probe_patients(session, chosen, Acquisition.device_id, [row[0] for row in rows])
    return tuple(
        GroupTally(id_, code, f"{manufacturer} {model}".strip(), tallies.get(id_, Tally()), patients.get(id_, 0))
        for id_, code, manufacturer, model in rows
    )
