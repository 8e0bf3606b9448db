"""Alerts as rows: what opens, stands and ends, and what a person sees of it. Knows no rule of what deserves one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from core.database.tables import (
    Action,
    Alert,
    AlertDelivery,
    Assessment,
    Batch,
    Certificate,
    Device,
    ReacquisitionRequest,
    Scan,
    Site,
    Study,
    Technician,
)
from core.store.overview import WAITING_STATES
from core.store.reacquisition import is_overdue
from core.vocabulary import ActionKind, ActionState, AlertKind, CertificateState, DeliveryState

ALERTING_LOCK = 0x0C7A_A1E7
"""Key of the advisory lock under which one keeper at a time raises alerts (any number, the same everywhere)."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that deserves an alert while it lasts. ``site_id`` is None where it spans sites."""

    study_id: int
    site_id: int | None
    kind: AlertKind
    subject: str
    detail: Mapping[str, Any]

    @property
    def key(self) -> tuple[AlertKind, str]:
        """What tells it from the other events of its study."""
        return self.kind, self.subject


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as people read it. ``site_code`` is None where it spans sites, ``ended_at`` while it lasts."""

    id: int
    study_id: int
    study_code: str
    site_id: int | None
    site_code: str | None
    kind: AlertKind
    subject: str
    detail: Mapping[str, Any]
    since: datetime
    ended_at: datetime | None


def lock_alerts(session: Session) -> bool:
    """Take the lock of raising alerts until the transaction ends; False where another keeper has it."""
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(ALERTING_LOCK))))


def list_studies(session: Session) -> tuple[int, ...]:
    """Every study's id."""
    return tuple(session.scalars(select(Study.id).order_by(Study.id)))


def site_ids_by_code(session: Session, study_id: int) -> dict[str, int]:
    """The sites of a study."""
    rows = session.execute(select(Site.code, Site.id).where(Site.study_id == study_id))
    return {row.code: row.id for row in rows}


def read_overdue(session: Session, study_id: int, *, today: date) -> list[Event]:
    """An event for each request that is overdue, with the owner's code as it was when the alert was raised."""
    rows = session.execute(
        select(
            ReacquisitionRequest.id, ReacquisitionRequest.site_id, ReacquisitionRequest.scan_id,
            ReacquisitionRequest.due_on, Technician.code.label("owner"),
        )
        .join(Site, Site.id == ReacquisitionRequest.site_id)
        .outerjoin(Technician, Technician.id == ReacquisitionRequest.owner_id)
        .where(
            Site.study_id == study_id,
            is_overdue(today),
        )
        .order_by(ReacquisitionRequest.id)
    )  # fmt: skip
    return [
        Event(
            study_id, row.site_id, AlertKind.OVERDUE, f"request:{row.id}",
            {"scan_id": row.scan_id, "due_on": f"{row.due_on}"} | ({"owner": row.owner} if row.owner else {}),
        )
        for row in rows
    ]  # fmt: skip


def read_overdue_actions(session: Session, study_id: int, *, today: date) -> list[Event]:
    """An event for each issue or retraining that is open after its day; it names nobody."""
    rows = session.execute(
        select(Action.id, Action.site_id, Action.kind, Action.due_on)
        .join(Site, Site.id == Action.site_id)
        .where(Site.study_id == study_id, Action.state == ActionState.OPEN, Action.due_on < today)
        .order_by(Action.id)
    )
    kinds = {ActionKind.ISSUE: AlertKind.OVERDUE, ActionKind.RETRAINING: AlertKind.RETRAINING}
    return [
        Event(
            study_id, row.site_id, kinds[ActionKind(row.kind)], f"action:{row.id}",
            {"action_id": row.id, "due_on": f"{row.due_on}"},
        )
        for row in rows
    ]  # fmt: skip


def read_certificates_due(session: Session, study_id: int, *, today: date, notice: timedelta) -> list[Event]:
    """An event for each certificate that ends within ``notice``, has ended, or must be checked anew.

    One of a holder who is out of use is none; nor is one whose renewal was granted. It names no technician.
    """
    rows = session.execute(
        select(
            Certificate.id, Certificate.site_id, Certificate.state, Certificate.expires_on, Device.code,
            Certificate.software_version,
        )
        .join(Site, Site.id == Certificate.site_id)
        .outerjoin(Device, Device.id == Certificate.device_id)
        .outerjoin(Technician, Technician.id == Certificate.technician_id)
        .where(
            Site.study_id == study_id,
            Device.deactivated_at.is_(None),
            Technician.deactivated_at.is_(None),
            or_(
                Certificate.state == CertificateState.RECHECK_DUE,
                and_(Certificate.state == CertificateState.CERTIFIED, Certificate.expires_on <= today + notice),
            ),
        )
        .order_by(Certificate.id)
    )  # fmt: skip
    return [
        Event(
            study_id, row.site_id, AlertKind.CERTIFICATE, f"certificate:{row.id}",
            {
                "certificate_id": row.id, "device": row.code or "", "expires_on": f"{row.expires_on}",
                "why": "recheck_due" if row.state == CertificateState.RECHECK_DUE else "expires",
            },
        )
        for row in rows
    ]  # fmt: skip


def read_stalled(session: Session, study_id: int, *, at: datetime, patience: timedelta) -> list[Event]:
    """An event for each lane in which a scan has waited longer than ``patience`` and none was scored in that time.

    A long queue that moves is none: the second condition asks for any scan of the lane, of whichever study.
    """
    came_at = func.coalesce(Batch.submitted_at, Batch.created_at)
    rows = session.execute(
        select(Scan.kind, func.count(), func.min(came_at))
        .join(Batch, Batch.id == Scan.batch_id)
        .join(Site, Site.id == Scan.site_id)
        .where(
            Site.study_id == study_id,
            Scan.state.in_(WAITING_STATES),
            came_at < at - patience,
            or_(Scan.not_before_at.is_(None), Scan.not_before_at <= at),
        )
        .group_by(Scan.kind)
    )
    stalled = []
    for lane, n, oldest_at in rows:
        scored_at = _last_scored_at(session, lane)
        if scored_at is None or scored_at < at - patience:
            detail = {"lane": lane, "n": n, "oldest_at": oldest_at.isoformat()}
            stalled.append(Event(study_id, None, AlertKind.QUEUE, f"lane:{lane}", detail))
    return stalled


def _last_scored_at(session: Session, lane: str) -> datetime | None:
    # By id and not by time: the primary key answers it from its end, however many assessments there are.
    return session.scalar(
        select(Assessment.scored_at)
        .join(Scan, Scan.id == Assessment.scan_id)
        .where(Scan.kind == lane)
        .order_by(Assessment.id.desc())
        .limit(1)
    )


def read_open(session: Session, study_id: int) -> dict[tuple[AlertKind, str], int]:
    """The ids of a study's open alerts by kind and subject."""
    rows = session.execute(
        select(Alert.kind, Alert.subject, Alert.id).where(Alert.study_id == study_id, Alert.ended_at.is_(None))
    )
    return {(AlertKind(kind), subject): id_ for kind, subject, id_ in rows}


def open_alerts(session: Session, events: Sequence[Event], *, since: datetime) -> dict[int, Event]:
    """Write an alert for each event; return them by the alert's id."""
    opened = {}
    for event in events:
        values = {
            "study_id": event.study_id,
            "site_id": event.site_id,
            "kind": event.kind,
            "subject": event.subject,
            "detail": dict(event.detail),
            "since": since,
        }
        opened[session.scalars(insert(Alert).values(values).returning(Alert.id)).one()] = event
    return opened


def end_alerts(session: Session, alert_ids: Iterable[int], *, at: datetime) -> None:
    """Say of these alerts that they are over."""
    session.execute(update(Alert).where(Alert.id.in_(tuple(alert_ids)), Alert.ended_at.is_(None)).values(ended_at=at))


def prune_alerts(session: Session, *, before: datetime, limit: int) -> int:
    """Remove alerts that ended before a moment with what was sent about them; returns how many, ``limit`` at most.

    One of which a telling still waits is kept until that is settled.
    """
    waits = exists().where(AlertDelivery.alert_id == Alert.id, AlertDelivery.state == DeliveryState.WAITING)
    old = session.scalars(
        select(Alert.id).where(Alert.ended_at < before, ~waits).order_by(Alert.ended_at).limit(limit)
    ).all()
    session.execute(delete(AlertDelivery).where(AlertDelivery.alert_id.in_(old)))
    return len(session.scalars(delete(Alert).where(Alert.id.in_(old)).returning(Alert.id)).all())


def read_open_alerts(session: Session) -> tuple[AlertRow, ...]:
    """The open alerts that this session may see, the newest first."""
    return _rows(session, _alerts(Alert.ended_at.is_(None)).order_by(Alert.since.desc(), Alert.id.desc()))


def read_ended_alerts(session: Session, *, after: datetime, limit: int) -> tuple[AlertRow, ...]:
    """Those that ended after a moment, the last first."""
    return _rows(session, _alerts(Alert.ended_at > after).order_by(Alert.ended_at.desc(), Alert.id.desc()).limit(limit))


def read_alerts(session: Session, alert_ids: Iterable[int]) -> tuple[AlertRow, ...]:
    """These alerts, the oldest first."""
    return _rows(session, _alerts(Alert.id.in_(tuple(alert_ids))).order_by(Alert.id))


def _alerts(*where: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Alert.id, Alert.study_id, Study.code.label("study_code"), Alert.site_id, Site.code.label("site_code"),
            Alert.kind, Alert.subject, Alert.detail, Alert.since, Alert.ended_at,
        )
        .join(Study, Study.id == Alert.study_id)
        .outerjoin(Site, Site.id == Alert.site_id)
        .where(*where)
    )  # fmt: skip


def _rows(session: Session, query: Select[*tuple[Any, ...]]) -> tuple[AlertRow, ...]:
    return tuple(AlertRow(**{**row._asdict(), "kind": AlertKind(row.kind)}) for row in session.execute(query))
