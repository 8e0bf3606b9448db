"""What happened that a trend should show: software updates, protocol amendments, new technicians."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.database.tables import Annotation, Device, Site
from core.store.scan_filter import ScanFilter, day_start

MAX_MARKS = 12
"""More lines than that would hide the trend; the latest are shown."""


class MarkKind(StrEnum):
    """What a mark says has happened; other words may stand in older rows."""

    SOFTWARE = "software update"
    TECHNICIAN = "new technician"
    MODEL = "model change"
    PROTOCOL = "protocol amendment"
    NOTE = "note"
    """Written by a person."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One event; ``site_code`` is None where it concerns the whole study."""

    happened_at: datetime
    kind: str
    text: str
    site_code: str | None

    @property
    def week_on(self) -> date:
        """Monday of the week (UTC) in which it happened."""
        day = self.happened_at.date()
        return day - timedelta(days=day.weekday())


def read_marks(session: Session, chosen: ScanFilter, *, limit: int = MAX_MARKS) -> tuple[Mark, ...]:
    """The latest marks within ``chosen``, oldest first: those of its study, site and device and of what holds them."""
    statement = (
        select(Annotation.happened_at, Annotation.kind, Annotation.text, Site.code)
        .outerjoin(Site, Site.id == Annotation.site_id)
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
    return tuple(Mark(*row) for row in reversed(session.execute(statement).all()))
