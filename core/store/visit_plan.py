"""Planned visits as rows: when each is to take place, moved, called off. Decides nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, exists, func, select, tuple_, update
from sqlalchemy.orm import Session

from core.database.tables import ExpectedScan, Site, Subject, Visit
from core.store.batch import UPLOAD_LOCK

VisitKey = tuple[int, str, str]
"""Site id, subject's code, visit's code."""


@dataclass(frozen=True, slots=True)
class VisitPlan:
    """A visit as it stands: ``is_received`` where at least one scan of it arrived."""

    visit_id: int
    site_id: int
    study_id: int
    subject: str
    visit: str
    planned_on: date | None
    window_ends_on: date | None
    called_off_at: datetime | None
    called_off_reason: str
    is_received: bool

    @property
    def key(self) -> VisitKey:
        """By what it is found."""
        return self.site_id, self.subject, self.visit


def find_plans(session: Session, keys: Sequence[VisitKey]) -> Mapping[VisitKey, VisitPlan]:
    """The visits that are known already, planned or not. Until the transaction ends nobody else adds any there."""
    for site_id in sorted({key[0] for key in keys}):  # in one order, so that two imports never wait for each other
        session.execute(select(func.pg_advisory_xact_lock(UPLOAD_LOCK, site_id)))
    found = _plans(session, tuple_(Subject.site_id, Subject.code, Visit.code).in_(list(keys))) if keys else ()
    return {plan.key: plan for plan in found}


def find_plan(session: Session, visit_id: int) -> VisitPlan | None:
    """One visit; None where there is none in sight."""
    return next(iter(_plans(session, Visit.id == visit_id)), None)


def set_plan(session: Session, visit_id: int, *, planned_on: date, window_ends_on: date | None) -> None:
    """Say when it is to take place and until when its scans count."""
    values = {"planned_on": planned_on, "window_ends_on": window_ends_on}
    session.execute(update(Visit).where(Visit.id == visit_id).values(values))


def set_called_off(session: Session, visit_id: int, *, at: datetime | None, reason: str) -> None:
    """Say that it does not take place, and why; ``at`` None with an empty reason: it does after all."""
    session.execute(update(Visit).where(Visit.id == visit_id).values(called_off_at=at, called_off_reason=reason))


def _plans(session: Session, condition: ColumnElement[bool]) -> Iterable[VisitPlan]:
    is_received = exists().where(ExpectedScan.visit_id == Visit.id, ExpectedScan.first_received_at.is_not(None))
    rows = session.execute(
        select(
            Visit.id, Visit.site_id, Site.study_id, Subject.code.label("subject"), Visit.code.label("visit"),
            Visit.planned_on, Visit.window_ends_on, Visit.called_off_at, Visit.called_off_reason,
            is_received.label("is_received"),
        )
        .join(Subject, Subject.id == Visit.subject_id)
        .join(Site, Site.id == Visit.site_id)
        .where(condition)
        .order_by(Visit.id)
    )  # fmt: skip
    return [
        VisitPlan(
            row.id, row.site_id, row.study_id, row.subject, row.visit, row.planned_on, row.window_ends_on,
            row.called_off_at, row.called_off_reason, row.is_received,
        )
        for row in rows
    ]  # fmt: skip
