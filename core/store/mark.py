"""What happened that a trend should show: software updates, protocol amendments, new technicians."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session

from core.database.tables import Annotation, Device, ModelVersion, Site
from core.store.scan_filter import ScanFilter, day_start
from core.vocabulary import ModelOrigin

MAX_MARKS = 12
"""More lines than that would hide the trend; the latest are shown."""


class MarkKind(StrEnum):
    """What a mark says has happened; other words may stand in older rows."""

    SOFTWARE = "software update"
    TECHNICIAN = "new technician"
    MODEL = "model change"
    PROTOCOL = "protocol amendment"
    SERVICE = "service"
    """Repair, calibration, another room."""
    NOTE = "note"
    """Anything else that a person finds worth knowing later."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One event; ``site_code`` is None where it concerns the whole study."""

    happened_at: datetime
    kind: str
    text: str
    site_code: str | None
    id: int | None = None
    """None: no row of its own, and nothing to withdraw (a model change)."""

    @property
    def week_on(self) -> date:
        """Monday of the week (UTC) in which it happened."""
        day = self.happened_at.date()
        return day - timedelta(days=day.weekday())


def read_marks(session: Session, chosen: ScanFilter, *, limit: int = MAX_MARKS) -> tuple[Mark, ...]:
    """The latest marks within ``chosen``, oldest first: those of its study, site and device and of what holds them."""
    noted = [Mark(*row) for row in session.execute(_annotations(chosen, limit))]
    found = sorted([*noted, *_model_changes(session, chosen)], key=lambda mark: (mark.happened_at, mark.id or 0))
    return tuple(found[-limit:])


def _model_changes(session: Session, chosen: ScanFilter) -> Iterator[Mark]:
    """When a version of a model began to score that was not the first; the same for every study."""
    rows = session.execute(
        select(ModelVersion.name, ModelVersion.version, ModelVersion.created_at)
        .where(ModelVersion.origin == ModelOrigin.INSTALLATION)  # one that was added scores from its activation on
        .order_by(ModelVersion.id)
    )
    former: dict[str, str] = {}
    for name, version, created_at in rows:
        before, former[name] = former.get(name), version
        is_within = (chosen.since is None or created_at >= day_start(chosen.since)) and (
            chosen.until is None or created_at < day_start(chosen.until)
        )
        if before is not None and is_within:
            yield Mark(created_at, MarkKind.MODEL.value, f"{name}: {before} → {version}", None)


def _annotations(chosen: ScanFilter, limit: int) -> Select[*tuple[Any, ...]]:
    statement = (
        select(Annotation.happened_at, Annotation.kind, Annotation.text, Site.code, Annotation.id)
        .outerjoin(Site, Site.id == Annotation.site_id)
        .where(Annotation.withdrawn_at.is_(None))
        .order_by(Annotation.happened_at.desc(), Annotation.id.desc())
        .limit(limit)
    )
    if chosen.study_id is not None:
        statement = statement.where(Annotation.study_id == chosen.study_id)
    if chosen.site_id is not None:
        of_site = select(Site.study_id).where(Site.id == chosen.site_id).scalar_subquery()
        statement = statement.where(
            Annotation.study_id == of_site, or_(Annotation.site_id.is_(None), Annotation.site_id == chosen.site_id)
        )
    if chosen.device_id is not None:
        its_site = select(Device.site_id).where(Device.id == chosen.device_id).scalar_subquery()
        statement = statement.where(
            or_(Annotation.site_id.is_(None), Annotation.site_id == its_site),
            or_(Annotation.device_id.is_(None), Annotation.device_id == chosen.device_id),
        )
    if chosen.since is not None:
        statement = statement.where(Annotation.happened_at >= day_start(chosen.since))
    if chosen.until is not None:
        statement = statement.where(Annotation.happened_at < day_start(chosen.until))
    return statement


@dataclass(frozen=True, slots=True)
class StoredMark:
    """A mark as it was written: ``site_id`` None is of the whole study."""

    id: int
    study_id: int
    site_id: int | None
    kind: str
    text: str
    is_withdrawn: bool


def read_mark(session: Session, mark_id: int) -> StoredMark | None:
    """One mark, withdrawn or not; None where there is none that this session may see."""
    row = session.get(Annotation, mark_id)
    if row is None:
        return None
    return StoredMark(row.id, row.study_id, row.site_id, row.kind, row.text, row.withdrawn_at is not None)


def withdraw_mark(session: Session, mark_id: int, *, at: datetime) -> bool:
    """Take a mark back; False where that was done already."""
    statement = update(Annotation).where(Annotation.id == mark_id, Annotation.withdrawn_at.is_(None))
    return bool(session.scalars(statement.values(withdrawn_at=at).returning(Annotation.id)).all())
