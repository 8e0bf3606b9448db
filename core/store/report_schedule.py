"""Schedules of reports, to whom their reports go, and whether they went. Knows no mail and no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, exists, func, insert, literal, select, text, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.orm import Session

from core.database.tables import Report, ReportRecipient, ReportSchedule, ReportSending, Site, Study, User
from core.vocabulary import DeliveryState, ReportKind, ReportState, SchedulePace, ScheduleState

FIRST_BACK_OFF = timedelta(minutes=1)
_BACK_OFF_FACTOR = 4
MAX_ATTEMPTS = 6
"""The last try is made about six hours after the first, as with alerts."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a schedule is due: on a day of the week (Monday is 1) or the month (1 to 28), at an hour (UTC)."""

    every: SchedulePace
    on_day: int
    hour: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule with the codes that people use."""

    id: int
    kind: ReportKind
    study_id: int
    study_code: str
    site_id: int | None
    site_code: str | None
    timing: Timing
    n_weeks: int
    next_at: datetime
    created_by: str
    state: ScheduleState
    recipients: tuple[str, ...]
    """Display names."""
    recipient_ids: tuple[int, ...] = ()
    """In the order of their names."""


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """A schedule about to be made."""

    kind: ReportKind
    study_id: int
    site_id: int | None
    timing: Timing
    n_weeks: int


@dataclass(frozen=True, slots=True)
class Addressee:
    """A person whose rights reach a report, and whether an address of theirs is confirmed."""

    user_id: int
    name: str
    has_address: bool


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule whose moment has come."""

    schedule_id: int
    kind: ReportKind
    study_id: int
    site_id: int | None
    timing: Timing
    n_weeks: int
    next_at: datetime


@dataclass(frozen=True, slots=True)
class Parcel:
    """One report to one person, claimed for sending; ``address`` is None where none is confirmed."""

    sending_id: int
    report_id: int
    user_id: int
    address: str | None
    attempt: int
    is_wanted: bool
    """False where the schedule has ended, or the person was taken off it, since."""


@dataclass(frozen=True, slots=True)
class Sending:
    """How sending a report to a person went."""

    report_id: int
    name: str
    state: DeliveryState
    at: datetime
    error: str | None


def list_addressees(session: Session, kind: ReportKind, *, study_id: int, site_id: int | None) -> tuple[Addressee, ...]:
    """Who could get such a report, by name; nobody where the session's person may not make schedules for it."""
    rows = session.execute(
        text("select * from people_for_report(:kind, :study_id, :site_id)"),
        {"kind": kind.value, "study_id": study_id, "site_id": site_id},
    )
    return tuple(Addressee(*row) for row in rows)


def may_get_report(session: Session, user_id: int, *, kind: ReportKind, study_id: int, site_id: int | None) -> bool:
    """Whether a person's grants reach a report; asked by the worker, which cannot read grants."""
    values = {"user_id": user_id, "kind": kind.value, "study_id": study_id, "site_id": site_id}
    return bool(session.scalar(text("select may_get_report(:user_id, :kind, :study_id, :site_id)"), values))


def add_schedule(
    session: Session, new: NewSchedule, *, next_at: datetime, created_by_id: int, recipient_ids: Sequence[int]
) -> int:
    """Write a schedule with its recipients; return its id."""
    values = {
        "kind": new.kind.value, "study_id": new.study_id, "site_id": new.site_id, "every": new.timing.every.value,
        "on_day": new.timing.on_day, "hour": new.timing.hour, "n_weeks": new.n_weeks, "next_at": next_at,
        "created_by_id": created_by_id,
    }  # fmt: skip
    schedule_id = session.scalars(insert(ReportSchedule).values(values).returning(ReportSchedule.id)).one()
    add_recipients(session, schedule_id, new.study_id, recipient_ids)
    return schedule_id


def add_recipients(session: Session, schedule_id: int, study_id: int, user_ids: Sequence[int]) -> None:
    """From the next report on they get it, too."""
    rows = [{"schedule_id": schedule_id, "user_id": each, "study_id": study_id} for each in user_ids]
    if rows:
        session.execute(insert(ReportRecipient), rows)


def remove_recipients(session: Session, schedule_id: int, user_ids: Sequence[int]) -> None:
    """They get nothing more of it, not even what is waiting to be sent."""
    session.execute(
        delete(ReportRecipient).where(
            ReportRecipient.schedule_id == schedule_id, ReportRecipient.user_id.in_(tuple(user_ids))
        )
    )


def read_schedules(
    session: Session, *, study_id: int | None = None, schedule_id: int | None = None
) -> tuple[Schedule, ...]:
    """The schedules that have not ended (or the one asked for, ended or not), by study and site."""
    people = (
        select()
        .select_from(ReportRecipient)
        .join(User, User.id == ReportRecipient.user_id)
        .where(ReportRecipient.schedule_id == ReportSchedule.id)
    )
    names, ids = (
        people.add_columns(func.array_agg(aggregate_order_by(column, User.display_name, User.id))).scalar_subquery()
        for column in (User.display_name, User.id)
    )
    creator = select(User.display_name).where(User.id == ReportSchedule.created_by_id).scalar_subquery()
    statement = (
        select(ReportSchedule, Study.code.label("study"), Site.code.label("site"), names.label("names"),
               ids.label("ids"), creator.label("creator"))
        .join(Study, Study.id == ReportSchedule.study_id)
        .outerjoin(Site, Site.id == ReportSchedule.site_id)
        .order_by(Study.code, Site.code.nulls_first(), ReportSchedule.id)
    )  # fmt: skip
    if schedule_id is not None:
        statement = statement.where(ReportSchedule.id == schedule_id)
    else:
        statement = statement.where(ReportSchedule.ended_at.is_(None))
    if study_id is not None:
        statement = statement.where(ReportSchedule.study_id == study_id)
    return tuple(_schedule(row) for row in session.execute(statement))


def move_schedule(
    session: Session, schedule_id: int, state: ScheduleState, *, at: datetime, next_at: datetime | None = None
) -> None:
    """Pause, resume (with its next moment) or end a schedule."""
    moved: dict[ScheduleState, dict[str, Any]] = {
        ScheduleState.PAUSED: {"paused_at": at},
        ScheduleState.RUNNING: {"paused_at": None, "next_at": next_at},
        ScheduleState.ENDED: {"ended_at": at},
    }
    session.execute(update(ReportSchedule).where(ReportSchedule.id == schedule_id).values(moved[state]))


def claim_due(session: Session, *, at: datetime) -> tuple[Due, ...]:
    """The running schedules whose moment has come, locked until the transaction ends; others' are left out."""
    rows = session.scalars(
        select(ReportSchedule)
        .where(ReportSchedule.next_at <= at, ReportSchedule.paused_at.is_(None), ReportSchedule.ended_at.is_(None))
        .order_by(ReportSchedule.id)
        .with_for_update(skip_locked=True)
    )
    return tuple(
        Due(row.id, ReportKind(row.kind), row.study_id, row.site_id, _timing(row), row.n_weeks, row.next_at)
        for row in rows
    )


def put_next(session: Session, schedule_id: int, next_at: datetime) -> None:
    """Say when the schedule is due again."""
    session.execute(update(ReportSchedule).where(ReportSchedule.id == schedule_id).values(next_at=next_at))


def plan_sendings(session: Session, report_id: int, *, at: datetime) -> None:
    """Write to whom a made report is to be sent: the recipients of its schedule; nobody where it has none."""
    recipients = (
        select(Report.id, ReportRecipient.user_id, Report.study_id, literal(at, ReportSending.due_at.type))
        .join(ReportRecipient, ReportRecipient.schedule_id == Report.schedule_id)
        .where(Report.id == report_id, Report.state == ReportState.MADE)
    )
    columns = [ReportSending.report_id, ReportSending.user_id, ReportSending.study_id, ReportSending.due_at]
    session.execute(postgresql_insert(ReportSending).from_select(columns, recipients).on_conflict_do_nothing())


def claim_sendings(session: Session, *, at: datetime, limit: int) -> tuple[Parcel, ...]:
    """Claim what is due to be sent; a claim counts as an attempt and puts the next one off."""
    due = (
        select(ReportSending.id)
        .where(ReportSending.state == DeliveryState.WAITING, ReportSending.due_at <= at)
        .order_by(ReportSending.due_at, ReportSending.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    is_recipient = exists().where(
        ReportRecipient.schedule_id == ReportSchedule.id, ReportRecipient.user_id == ReportSending.user_id
    )
    rows = session.execute(
        select(ReportSending.id, ReportSending.report_id, ReportSending.user_id, ReportSending.attempts, User.email,
               and_(ReportSchedule.ended_at.is_(None), is_recipient).label("is_wanted"))
        .join(User, User.id == ReportSending.user_id)
        .join(Report, Report.id == ReportSending.report_id)
        .join(ReportSchedule, ReportSchedule.id == Report.schedule_id)
        .where(ReportSending.id.in_(session.scalars(due).all()))
        .order_by(ReportSending.id)
    ).all()  # fmt: skip
    for row in rows:
        due_at = at + FIRST_BACK_OFF * _BACK_OFF_FACTOR**row.attempts
        values = {"attempts": row.attempts + 1, "due_at": due_at}
        session.execute(update(ReportSending).where(ReportSending.id == row.id).values(values))
    return tuple(Parcel(row.id, row.report_id, row.user_id, row.email, row.attempts + 1, row.is_wanted) for row in rows)


def record_sending(
    session: Session, sending_id: int, state: DeliveryState, *, at: datetime | None = None, why: str | None = None
) -> None:
    """Say how a try ended; WAITING leaves it to the next one."""
    session.execute(
        update(ReportSending).where(ReportSending.id == sending_id).values(state=state.value, sent_at=at, error=why)
    )


def read_sendings(session: Session, report_ids: Sequence[int]) -> tuple[Sending, ...]:
    """How sending these reports went, by report and person."""
    rows = session.execute(
        select(ReportSending.report_id, User.display_name, ReportSending.state,
               func.coalesce(ReportSending.sent_at, ReportSending.created_at), ReportSending.error)
        .join(User, User.id == ReportSending.user_id)
        .where(ReportSending.report_id.in_(tuple(report_ids)))
        .order_by(ReportSending.report_id, User.display_name)
    )  # fmt: skip
    return tuple(
        Sending(report_id, name, DeliveryState(state), at, error) for report_id, name, state, at, error in rows
    )


def _schedule(row: Any) -> Schedule:
    found: ReportSchedule = row.ReportSchedule
    state = ScheduleState.PAUSED if found.paused_at else ScheduleState.RUNNING
    return Schedule(
        id=found.id, kind=ReportKind(found.kind), study_id=found.study_id, study_code=row.study, site_id=found.site_id,
        site_code=row.site, timing=_timing(found), n_weeks=found.n_weeks, next_at=found.next_at,
        created_by=row.creator or "", state=ScheduleState.ENDED if found.ended_at else state,
        recipients=tuple(row.names or ()), recipient_ids=tuple(row.ids or ()),
    )  # fmt: skip


def _timing(row: ReportSchedule) -> Timing:
    return Timing(SchedulePace(row.every), row.on_day, row.hour)
