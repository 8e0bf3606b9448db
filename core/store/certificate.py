"""Certificates as rows: who may hold one, who does, what was shown for it, and every move."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, insert, or_, select, update
from sqlalchemy import case as choose
from sqlalchemy.orm import Session, aliased

from core.database.tables import (
    Action,
    Certificate,
    CertificateEvidence,
    CertificateStep,
    Device,
    Site,
    Study,
    Technician,
    User,
)
from core.policy.certification import NOTICE_DAYS, standing
from core.store.scan_filter import ScanFilter
from core.vocabulary import ActionKind, ActionState, CertificateState, ScanKind

_HELD = (CertificateState.CERTIFIED, CertificateState.RECHECK_DUE)
_ASKED = (CertificateState.REQUESTED, CertificateState.UNDER_REVIEW)
_Asker = aliased(User)


@dataclass(frozen=True, slots=True)
class Holder:
    """A device or a technician, who may hold certificates: one of the two ids is given."""

    site_id: int
    study_id: int
    code: str
    device_id: int | None = None
    technician_id: int | None = None
    serial: str = ""
    software_version: str = ""
    is_active: bool = True
    user_id: int | None = None
    """Of a technician who also logs in."""

    @property
    def word(self) -> str:
        """``device`` or ``technician``."""
        return "device" if self.device_id is not None else "technician"


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A certificate as people read it. ``state`` is as stored; ``standing_on`` says what that amounts to."""

    id: int
    site_id: int
    study_id: int
    site_code: str
    kind: ScanKind
    device_id: int | None
    technician_id: int | None
    holder_code: str
    holder_name: str
    serial: str
    software_version: str
    state: CertificateState
    is_suspended: bool
    requested_by: str
    requested_at: datetime
    certified_at: datetime | None
    expires_on: date | None
    ended_at: datetime | None
    n_evidence: int

    def standing_on(self, today: date) -> CertificateState:
        """What it amounts to on a day: expired and suspended follow from elsewhere."""
        return standing(self.state, expires_on=self.expires_on, is_suspended=self.is_suspended, today=today)


@dataclass(frozen=True, slots=True)
class CertificateStepRow:
    """One move of a certificate; ``who`` is None for the program."""

    at: datetime
    state: CertificateState
    who: str | None
    note: str


def find_holder(session: Session, *, device_id: int | None = None, technician_id: int | None = None) -> Holder | None:
    """The device or technician; None where the session's person sees none."""
    if device_id is not None:
        row = session.execute(
            select(Device, Site.study_id).join(Site, Site.id == Device.site_id).where(Device.id == device_id)
        ).one_or_none()
        return None if row is None else _device(*row)
    found = session.execute(
        select(Technician, Site.study_id)
        .join(Site, Site.id == Technician.site_id)
        .where(Technician.id == technician_id)
    ).one_or_none()
    return None if found is None else _technician(*found)


def list_holders(session: Session, study_id: int) -> tuple[Holder, ...]:
    """Devices and technicians of a study that are in use, devices first, each by code."""
    devices = session.execute(
        select(Device, Site.study_id)
        .join(Site, Site.id == Device.site_id)
        .where(Site.study_id == study_id, Device.deactivated_at.is_(None))
        .order_by(Device.code)
    )
    technicians = session.execute(
        select(Technician, Site.study_id)
        .join(Site, Site.id == Technician.site_id)
        .where(Site.study_id == study_id, Technician.deactivated_at.is_(None))
        .order_by(Technician.code)
    )
    return (*(_device(*row) for row in devices), *(_technician(*row) for row in technicians))


def _device(row: Device, study_id: int) -> Holder:
    return Holder(
        row.site_id, study_id, row.code, device_id=row.id, serial=row.serial, software_version=row.software_version,
        is_active=row.deactivated_at is None,
    )  # fmt: skip


def _technician(row: Technician, study_id: int) -> Holder:
    return Holder(
        row.site_id, study_id, row.code, technician_id=row.id, is_active=row.deactivated_at is None,
        user_id=row.user_id,
    )  # fmt: skip


def add_certificate(session: Session, holder: Holder, kind: ScanKind, *, requested_by_id: int, at: datetime) -> int:
    """Ask for one; its id. The unique index refuses a second open asking of the holder (IntegrityError)."""
    values = {
        "site_id": holder.site_id, "kind": kind, "device_id": holder.device_id,
        "technician_id": holder.technician_id, "serial": holder.serial, "software_version": holder.software_version,
        "state": CertificateState.REQUESTED, "requested_by_id": requested_by_id, "created_at": at,
    }  # fmt: skip
    return session.scalars(insert(Certificate).values(values).returning(Certificate.id)).one()


def add_evidence(
    session: Session, certificate_id: int, site_id: int, scan_ids: Iterable[int], *, added_by_id: int, at: datetime
) -> None:
    """Show these scans for it."""
    rows = [
        {
            "certificate_id": certificate_id, "scan_id": scan_id, "site_id": site_id, "added_by_id": added_by_id,
            "created_at": at,
        }
        for scan_id in scan_ids
    ]  # fmt: skip
    if rows:
        session.execute(insert(CertificateEvidence), rows)


def add_step(
    session: Session,
    certificate_id: int,
    site_id: int,
    state: CertificateState,
    *,
    actor_id: int | None,
    note: str,
    at: datetime,
) -> None:
    """Append one move."""
    number = select(func.coalesce(func.max(CertificateStep.number), 0) + 1).where(
        CertificateStep.certificate_id == certificate_id
    )
    session.execute(
        insert(CertificateStep).values(
            certificate_id=certificate_id, site_id=site_id, number=number.scalar_subquery(), state=state,
            actor_id=actor_id, note=note, created_at=at,
        )
    )  # fmt: skip


def move_certificate(
    session: Session, certificate_id: int, *, was: CertificateState, state: CertificateState, **columns: object
) -> bool:
    """Give it another stored state; False where somebody else has moved it meanwhile."""
    moved = (
        update(Certificate)
        .where(Certificate.id == certificate_id, Certificate.state == was)
        .values(state=state, **columns)
        .returning(Certificate.id)
    )
    return bool(session.scalars(moved).all())


def read_certificate(session: Session, certificate_id: int) -> CertificateRow | None:
    """One certificate; None where there is none that this session may see."""
    return next(iter(_rows(session, _certificates(Certificate.id == certificate_id))), None)


def read_held_by(session: Session, holder: Holder, kind: ScanKind) -> CertificateRow | None:
    """The certificate that its holder has, expired or to be checked anew included; None where there is none."""
    found = _certificates(_of(holder), Certificate.kind == kind, Certificate.state.in_(_HELD))
    return next(iter(_rows(session, found)), None)


def is_asked_for(session: Session, holder: Holder, kind: ScanKind) -> bool:
    """Whether somebody has asked for one that is neither granted nor refused yet."""
    asked = select(Certificate.id).where(_of(holder), Certificate.kind == kind, Certificate.state.in_(_ASKED))
    return session.scalars(asked.limit(1)).one_or_none() is not None


def read_certificates(
    session: Session, *, study_id: int | None, site_id: int | None, is_history: bool = False, limit: int = 500
) -> tuple[CertificateRow, ...]:
    """Those that are held or asked for, by site and holder; ``is_history``: those that were refused or replaced."""
    wanted = (*_HELD, *_ASKED)
    conditions: list[ColumnElement[bool]] = [
        Certificate.state.not_in(wanted) if is_history else Certificate.state.in_(wanted)
    ]
    if study_id is not None:
        conditions.append(Site.study_id == study_id)
    if site_id is not None:
        conditions.append(Certificate.site_id == site_id)
    code = func.coalesce(Device.code, Technician.code)
    ordered = _certificates(*conditions).order_by(Site.code, code, Certificate.kind, Certificate.id.desc())
    return _rows(session, ordered.limit(limit))


def read_steps(session: Session, certificate_id: int) -> tuple[CertificateStepRow, ...]:
    """Every move of a certificate, oldest first."""
    rows = session.execute(
        select(CertificateStep, User.display_name)
        .outerjoin(User, User.id == CertificateStep.actor_id)
        .where(CertificateStep.certificate_id == certificate_id)
        .order_by(CertificateStep.number)
    )
    return tuple(
        CertificateStepRow(
            step.created_at, CertificateState(step.state),
            (name or "somebody else") if step.actor_id is not None else None, step.note,
        )
        for step, name in rows
    )  # fmt: skip


def read_outdated(session: Session, device_ids: Iterable[int]) -> Sequence[Certificate]:
    """Certificates of these devices that hold and could be outdated by a capture, locked until the transaction ends."""
    return session.scalars(
        select(Certificate)
        .where(Certificate.device_id.in_(tuple(device_ids)), Certificate.state == CertificateState.CERTIFIED)
        .order_by(Certificate.id)
        .with_for_update()
    ).all()


@dataclass(frozen=True, slots=True)
class DueCertificates:
    """How many certificates need somebody: those that end within the notice, and those that ended unrenewed."""

    ending: int
    lapsed: int
    """Expired, or to be checked anew because their device runs other software."""


def count_due(session: Session, chosen: ScanFilter, *, today: date) -> DueCertificates:
    """Count what alerts tell of, under the place, device and technician of ``chosen``; holders out of use are not."""
    is_lapsed = or_(Certificate.state == CertificateState.RECHECK_DUE, Certificate.expires_on < today)
    n_lapsed = func.count().filter(is_lapsed)
    counted = (
        select(func.count() - n_lapsed, n_lapsed)
        .select_from(Certificate)
        .join(Site, Site.id == Certificate.site_id)
        .outerjoin(Device, Device.id == Certificate.device_id)
        .outerjoin(Technician, Technician.id == Certificate.technician_id)
        .where(
            Certificate.state.in_(_HELD),
            or_(is_lapsed, Certificate.expires_on <= today + timedelta(days=NOTICE_DAYS)),
            Device.deactivated_at.is_(None),
            Technician.deactivated_at.is_(None),
            *(
                column == wanted
                for column, wanted in (
                    (Site.study_id, chosen.study_id), (Certificate.site_id, chosen.site_id),
                    (Certificate.device_id, chosen.device_id), (Certificate.technician_id, chosen.technician_id),
                )
                if wanted is not None
            ),
        )
    )  # fmt: skip
    return DueCertificates(*session.execute(counted).one())


def _of(holder: Holder) -> ColumnElement[bool]:
    if holder.device_id is not None:
        return Certificate.device_id == holder.device_id
    return Certificate.technician_id == holder.technician_id


def _certificates(*where: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    suspended = exists().where(
        Action.kind == ActionKind.SUSPENSION,
        Action.state == ActionState.OPEN,
        or_(
            and_(Certificate.device_id.is_not(None), Action.device_id == Certificate.device_id),
            and_(Certificate.technician_id.is_not(None), Action.technician_id == Certificate.technician_id),
        ),
    )
    n_evidence = (
        select(func.count())
        .where(CertificateEvidence.certificate_id == Certificate.id)
        .correlate(Certificate)
        .scalar_subquery()
    )
    name = choose((Certificate.device_id.is_not(None), Device.manufacturer + " " + Device.model), else_=Technician.name)
    return (
        select(
            Certificate, Site.study_id, Site.code.label("site_code"),
            func.coalesce(Device.code, Technician.code).label("holder_code"),
            name.label("holder_name"),
            suspended.label("is_suspended"), n_evidence.label("n_evidence"), _Asker.display_name.label("asker"),
        )
        .join(Site, Site.id == Certificate.site_id)
        .join(Study, Study.id == Site.study_id)
        .outerjoin(Device, Device.id == Certificate.device_id)
        .outerjoin(Technician, Technician.id == Certificate.technician_id)
        .outerjoin(_Asker, _Asker.id == Certificate.requested_by_id)
        .where(*where)
    )  # fmt: skip


def _rows(session: Session, query: Select[*tuple[Any, ...]]) -> tuple[CertificateRow, ...]:
    return tuple(
        CertificateRow(
            id=row.Certificate.id,
            site_id=row.Certificate.site_id,
            study_id=row.study_id,
            site_code=row.site_code,
            kind=ScanKind(row.Certificate.kind),
            device_id=row.Certificate.device_id,
            technician_id=row.Certificate.technician_id,
            holder_code=row.holder_code,
            holder_name=row.holder_name,
            serial=row.Certificate.serial,
            software_version=row.Certificate.software_version,
            state=CertificateState(row.Certificate.state),
            is_suspended=row.is_suspended,
            requested_by=row.asker or "octaudit",
            requested_at=row.Certificate.created_at,
            certified_at=row.Certificate.certified_at,
            expires_on=row.Certificate.expires_on,
            ended_at=row.Certificate.ended_at,
            n_evidence=row.n_evidence,
        )
        for row in session.execute(query)
    )
