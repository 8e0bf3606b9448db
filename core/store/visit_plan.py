"""Planned visits as rows: when each is to take place, moved, called off, and what it expects. Decides nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, delete, exists, func, select, tuple_, update
from sqlalchemy.orm import Session

from core.database.tables import ExpectedScan, Site, Subject, Visit
from core.store.batch import UPLOAD_LOCK
from core.vocabulary import Laterality

VisitKey = tuple[int, str, str]
"""Site id, subject's code, visit's code."""
Slot = tuple[Laterality, str]
"""Eye and scan type that a visit expects."""


@dataclass(frozen=True, slots=True)
class VisitPlan:
    """A visit as it stands, with the slots of which something arrived and those of which nothing has."""

    visit_id: int
    site_id: int
    study_id: int
    subject: str
    visit: str
    planned_on: date | None
    window_ends_on: date | None
    called_off_at: datetime | None
    called_off_reason: str
    received: frozenset[Slot]
    awaited: frozenset[Slot]

    @property
    def is_received(self) -> bool:
        """Whether at least one scan of it arrived."""
        return bool(self.received)

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


def find_unmet_plans(session: Session, site_ids: Iterable[int]) -> tuple[VisitPlan, ...]:
    """The sites' planned visits that take place and sent nothing so far, in the order of their days."""
    sent = exists().where(ExpectedScan.visit_id == Visit.id, ExpectedScan.first_received_at.is_not(None))
    wanted = (Visit.site_id.in_(tuple(site_ids)), Visit.planned_on.is_not(None), Visit.called_off_at.is_(None), ~sent)
    return tuple(sorted(_plans(session, and_(*wanted)), key=lambda plan: (plan.planned_on or date.max, plan.visit_id)))


def set_plan(session: Session, visit_id: int, *, planned_on: date, window_ends_on: date | None) -> None:
    """Say when it is to take place and until when its scans count."""
    values = {"planned_on": planned_on, "window_ends_on": window_ends_on}
    session.execute(update(Visit).where(Visit.id == visit_id).values(values))


def set_called_off(session: Session, visit_id: int, *, at: datetime | None, reason: str) -> None:
    """Say that it does not take place, and why; ``at`` None with an empty reason: it does after all."""
    session.execute(update(Visit).where(Visit.id == visit_id).values(called_off_at=at, called_off_reason=reason))


def replace_awaited(session: Session, plan: VisitPlan, *, added: Iterable[Slot], removed: Iterable[Slot]) -> None:
    """Let a visit expect other scans. What arrived stays whatever ``removed`` says: such a row cannot be deleted."""
    for laterality, scan_type in removed:
        session.execute(
            delete(ExpectedScan).where(
                ExpectedScan.visit_id == plan.visit_id,
                ExpectedScan.laterality == laterality.value,
                ExpectedScan.scan_type == scan_type,
                ExpectedScan.first_received_at.is_(None),
            )
        )
    session.add_all(
        ExpectedScan(
            site_id=plan.site_id, visit_id=plan.visit_id, laterality=laterality.value, scan_type=scan_type,
            first_received_at=None,
        )
        for laterality, scan_type in added
    )  # fmt: skip
    session.flush()


def _plans(session: Session, condition: ColumnElement[bool]) -> Iterable[VisitPlan]:
    rows = session.execute(
        select(
            Visit.id, Visit.site_id, Site.study_id, Subject.code.label("subject"), Visit.code.label("visit"),
            Visit.planned_on, Visit.window_ends_on, Visit.called_off_at, Visit.called_off_reason,
        )
        .join(Subject, Subject.id == Visit.subject_id)
        .join(Site, Site.id == Visit.site_id)
        .where(condition)
        .order_by(Visit.id)
    ).all()  # fmt: skip
    received, awaited = _slots(session, [row.id for row in rows])
    return [
        VisitPlan(
            row.id, row.site_id, row.study_id, row.subject, row.visit, row.planned_on, row.window_ends_on,
            row.called_off_at, row.called_off_reason, frozenset(received[row.id]), frozenset(awaited[row.id]),
        )
        for row in rows
    ]  # fmt: skip


def _slots(session: Session, visit_ids: Sequence[int]) -> tuple[Mapping[int, set[Slot]], Mapping[int, set[Slot]]]:
    """By visit: what arrived, and what has not."""
    received, awaited = defaultdict[int, set[Slot]](set), defaultdict[int, set[Slot]](set)
    rows = session.execute(
        select(
            ExpectedScan.visit_id, ExpectedScan.laterality, ExpectedScan.scan_type, ExpectedScan.first_received_at
        ).where(ExpectedScan.visit_id.in_(visit_ids))
    )
    for row in rows:
        side = awaited if row.first_received_at is None else received
        side[row.visit_id].add((Laterality(row.laterality), row.scan_type))
    return received, awaited
