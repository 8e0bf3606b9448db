"""The filter that every page shares, its conditions in SQL, and the choices it offers. Holds no page's columns."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from core.database.tables import (
    Acquisition,
    Assessment,
    Device,
    RateCell,
    RateDelta,
    RateSeries,
    Scan,
    Site,
    Study,
    Technician,
    Visit,
)
from core.vocabulary import GradeSource, Laterality, RateMeasure, Slab


@dataclass(frozen=True, slots=True)
class ScanFilter:
    """What a person narrowed the pages to; None means all.

    ``since`` is the first day and ``until`` the day after the last, both UTC and by the day of acquisition.
    """

    study_id: int | None = None
    site_id: int | None = None
    device_id: int | None = None
    technician_id: int | None = None
    manufacturer: str | None = None
    device_model: str | None = None
    software_version: str | None = None
    scan_type: str | None = None
    slab: Slab | None = None
    laterality: Laterality | None = None
    visit_code: str | None = None
    model_version_id: int | None = None
    """Of the model whose scores count."""
    graded_by: GradeSource | None = None
    since: date | None = None
    until: date | None = None

    @property
    def asks_beyond_counts(self) -> bool:
        """Whether it asks what the counts do not tell apart, so that captures must be read one by one.

        The slab is no part of it: the unit of the counts is the whole capture.
        """
        asked = (self.laterality, self.visit_code, self.model_version_id, self.graded_by)
        return any(value is not None for value in asked)

    @property
    def countable(self) -> "ScanFilter":
        """The same without what the counts do not tell apart."""
        return replace(self, laterality=None, visit_code=None, model_version_id=None, graded_by=None)

    @property
    def in_whole_weeks(self) -> "ScanFilter":
        """The same over the whole weeks in which its days lie: counts are kept by week."""
        return replace(
            self,
            since=None if self.since is None else _monday_before(self.since),
            until=None if self.until is None else _monday_after(self.until),
        )

    @property
    def asks_of_devices(self) -> bool:
        """Whether it asks for devices of a kind: the counts know only which device it was."""
        return self.manufacturer is not None or self.device_model is not None

    @property
    def asks_of_captures(self) -> bool:
        """Whether it asks something that only the acquisition knows: without that, counting scans needs no join."""
        asked = (
            self.device_id, self.technician_id, self.manufacturer, self.device_model, self.software_version,
            self.scan_type, self.laterality, self.visit_code, self.since, self.until,
        )  # fmt: skip
        return any(value is not None for value in asked)


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a filter: what is stored and what is read."""

    id: int
    label: str


@dataclass(frozen=True, slots=True)
class FilterChoices:
    """What the filters offer to this person, each list narrowed by the coarser choices before it."""

    studies: tuple[Choice, ...]
    sites: tuple[Choice, ...]
    devices: tuple[Choice, ...]
    technicians: tuple[Choice, ...]
    scan_types: tuple[str, ...]


def filter_conditions(chosen: ScanFilter) -> list[ColumnElement[bool]]:
    """Conditions on Acquisition and Scan; the statement must join both.

    Sites are asked by id, so that the indexes that begin with a site serve every filter.
    """
    conditions: list[ColumnElement[bool]] = []
    if chosen.site_id is not None:
        conditions.append(Scan.site_id == chosen.site_id)
    elif chosen.study_id is not None:
        conditions.append(Scan.site_id.in_(_sites_of(chosen.study_id)))
    if chosen.slab is not None:
        conditions.append(Scan.slab == chosen.slab)
    return [*conditions, *scored_conditions(chosen), *capture_conditions(chosen)]


def scored_conditions(chosen: ScanFilter) -> list[ColumnElement[bool]]:
    """Conditions on Scan alone: by which model version it was scored, and by whom it was graded."""
    conditions: list[ColumnElement[bool]] = []
    if chosen.model_version_id is not None:
        counts = select(Assessment.model_version_id).where(Assessment.id == Scan.assessment_id).correlate(Scan)
        conditions.append(counts.scalar_subquery() == chosen.model_version_id)
    match chosen.graded_by:
        case GradeSource.PERSON:
            conditions.append(Scan.human_ordinal.is_not(None))
        case GradeSource.MODEL:
            conditions += [Scan.human_ordinal.is_(None), Scan.assessment_id.is_not(None)]
        case None:
            pass
    return conditions


def capture_conditions(chosen: ScanFilter) -> list[ColumnElement[bool]]:
    """Conditions on Acquisition alone, study and site left out: those are asked of what holds the index."""
    conditions: list[ColumnElement[bool]] = []
    if chosen.asks_of_devices:
        conditions.append(Acquisition.device_id.in_(_devices_of(chosen)))
    if chosen.since is not None:
        conditions.append(Acquisition.acquired_at >= day_start(chosen.since))
    if chosen.until is not None:
        conditions.append(Acquisition.acquired_at < day_start(chosen.until))
    if chosen.visit_code is not None:
        # Visit by visit, by its key: as a list of visits it would be all of them.
        code = select(Visit.code).where(Visit.id == Acquisition.visit_id).correlate(Acquisition).scalar_subquery()
        conditions.append(code == chosen.visit_code)
    equal = (
        (Acquisition.device_id, chosen.device_id),
        (Acquisition.technician_id, chosen.technician_id),
        (Acquisition.software_version, chosen.software_version),
        (Acquisition.scan_type, chosen.scan_type),
        (Acquisition.laterality, chosen.laterality),
    )
    return conditions + [column == value for column, value in equal if value is not None]


def count_conditions(chosen: ScanFilter, counts: ReadOnlyColumnCollection[str, Any]) -> list[ColumnElement[bool]]:
    """Conditions on the columns of the counts (core.store.rate.all_counts), which know neither slab nor eye."""
    conditions: list[ColumnElement[bool]] = []
    if chosen.site_id is not None:
        conditions.append(counts.site_id == chosen.site_id)
    elif chosen.study_id is not None:
        conditions.append(counts.site_id.in_(_sites_of(chosen.study_id)))
    if chosen.asks_of_devices:
        conditions.append(counts.device_id.in_(_devices_of(chosen)))
    if chosen.since is not None:
        conditions.append(counts.week_on >= chosen.since)
    if chosen.until is not None:
        conditions.append(counts.week_on < chosen.until)
    equal = ("device_id", "technician_id", "software_version", "scan_type")
    return conditions + [counts[name] == getattr(chosen, name) for name in equal if getattr(chosen, name) is not None]


def beyond_count_conditions(chosen: ScanFilter) -> list[ColumnElement[bool]]:
    """Conditions on Acquisition alone: what the counts do not tell apart.

    A capture is of a model version, or graded by a person, where one of its scans is; graded by the model where it was
    scored and no person graded any scan of it.
    """
    own = ScanFilter(laterality=chosen.laterality, visit_code=chosen.visit_code)
    conditions = capture_conditions(own)
    scans = select(Scan.id).where(Scan.acquisition_id == Acquisition.id).correlate(Acquisition)
    if chosen.model_version_id is not None:
        conditions.append(
            scans.where(*scored_conditions(ScanFilter(model_version_id=chosen.model_version_id))).exists()
        )
    if chosen.graded_by is not None:
        by_person = scans.where(Scan.human_ordinal.is_not(None)).exists()
        is_scored = scans.where(Scan.assessment_id.is_not(None)).exists()
        conditions += [by_person] if chosen.graded_by is GradeSource.PERSON else [~by_person, is_scored]
    return conditions


def device_conditions(chosen: ScanFilter) -> list[ColumnElement[bool]]:
    """Conditions on Device alone: of which kind it is."""
    equal = ((Device.manufacturer, chosen.manufacturer), (Device.model, chosen.device_model))
    return [column == value for column, value in equal if value is not None]


def site_conditions(chosen: ScanFilter) -> list[ColumnElement[bool]]:
    """Conditions on Site alone, for statements that go site by site."""
    conditions: list[ColumnElement[bool]] = []
    if chosen.site_id is not None:
        conditions.append(Site.id == chosen.site_id)
    if chosen.study_id is not None:
        conditions.append(Site.study_id == chosen.study_id)
    return conditions


def whole_weeks(since: date, until: date) -> tuple[date, date]:
    """The weeks, Monday to Sunday, in which these days lie: first day, and day after the last, as ``until`` is."""
    return _monday_before(since), _monday_after(until)


def _monday_before(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _monday_after(day: date) -> date:
    return day + timedelta(days=-day.weekday() % 7)


def day_start(day: date) -> datetime:
    """Midnight UTC at which ``day`` begins."""
    return datetime.combine(day, time(), tzinfo=UTC)


def read_filter_choices(session: Session, chosen: ScanFilter) -> FilterChoices:
    """What the filters offer, by the person's own sites."""
    studies = _choices(session, select(Study.id, Study.code, Study.name).order_by(Study.code))
    sites = select(Site.id, Site.code, Site.name).order_by(Site.code)
    devices = select(Device.id, Device.code, Device.model).order_by(Device.code)
    technicians = select(Technician.id, Technician.code, Technician.name).order_by(Technician.code)
    if chosen.study_id is not None:
        within = _sites_of(chosen.study_id)
        sites = sites.where(Site.study_id == chosen.study_id)
        devices = devices.where(Device.site_id.in_(within))
        technicians = technicians.where(Technician.site_id.in_(within))
    if chosen.site_id is not None:
        devices = devices.where(Device.site_id == chosen.site_id)
        technicians = technicians.where(Technician.site_id == chosen.site_id)
    return FilterChoices(
        studies=studies,
        sites=_choices(session, sites),
        devices=_choices(session, devices),
        technicians=_choices(session, technicians),
        scan_types=_scan_types(session),
    )


def _scan_types(session: Session) -> tuple[str, ...]:
    # From the series, a handful for each site, and from what is not folded yet; never from a million acquisitions.
    counted = (
        select(RateSeries.scan_type)
        .join(RateCell, RateCell.id == RateSeries.cell_id)
        .where(RateCell.grain == "site", RateSeries.scan_type != "")
        .union(select(RateDelta.scan_type).where(RateDelta.measure == RateMeasure.RECEIVED))
        .subquery()
    )
    return tuple(session.scalars(select(counted.c.scan_type).order_by(func.lower(counted.c.scan_type))))


def _devices_of(chosen: ScanFilter) -> Select[int]:
    return select(Device.id).where(*device_conditions(chosen))


def _sites_of(study_id: int) -> Select[int]:
    return select(Site.id).where(Site.study_id == study_id)


def _choices(session: Session, statement: Select[int, str, str]) -> tuple[Choice, ...]:
    rows = session.execute(statement)
    return tuple(Choice(id_, f"{code} · {name}" if name and name != code else code) for id_, code, name in rows)
