"""Reports: asked for, claimed by who makes them, written down, listed. Knows nothing of what stands in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import now
from core.database.tables import Batch, Report, Site, Study, User
from core.errors import NotFoundError
from core.vocabulary import ReasonCode, ReportKind, ReportState

FIRST_BACK_OFF = timedelta(minutes=1)
"""Wait after the first failure; each further one waits four times as long."""
_BACK_OFF_FACTOR = 4
MAX_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class NewReport:
    """What is asked for. ``schedule_id`` and ``occurrence_at`` are of a schedule's report."""

    kind: ReportKind
    study_id: int
    site_id: int | None = None
    since: date | None = None
    until: date | None = None
    batch_id: int | None = None
    reason: ReasonCode | None = None
    asked_by_id: int | None = None
    schedule_id: int | None = None
    occurrence_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What came of it."""

    made_at: datetime
    pdf_sha256: str
    content_sha256: str
    n_pages: int
    versions: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One report with the codes that people use. ``made`` is None until it is made."""

    id: int
    kind: ReportKind
    study_id: int
    study_code: str
    site_id: int | None
    site_code: str | None
    since: date | None
    until: date | None
    batch_id: int | None
    receipt: str | None
    reason: ReasonCode | None
    asked_by: str
    asked_at: datetime
    schedule_id: int | None
    state: ReportState
    attempts: int
    error: str | None
    made: Made | None

    @property
    def file_name(self) -> str:
        """Of the PDF when it is saved or sent: no character that a file system minds."""
        what = {
            ReportKind.SITE: f"{self.site_code}-report-card",
            ReportKind.STUDY: "quality-report",
            ReportKind.RECEIPT: f"{self.site_code}-receipt-{self.receipt}",
            ReportKind.TIPS: f"tips-{(self.reason or '').replace(':', '-')}",
        }[self.kind]
        until = f"-{self.until - timedelta(days=1):%Y-%m-%d}" if self.until else ""
        name = f"octaudit-{self.study_code}-{what}{until}"
        return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name) + ".pdf"


def ask(session: Session, new: NewReport) -> int | None:
    """Write that a report is wanted; its id, or None where this schedule's moment has one already."""
    values = _values(new) | {"state": ReportState.ASKED.value, "due_at": now(), "created_at": now()}
    statement = insert(Report).values(values)
    if new.schedule_id is not None:
        statement = statement.on_conflict_do_nothing(index_elements=[Report.schedule_id, Report.occurrence_at])
    found: int | None = session.scalar(statement.returning(Report.id))
    return found


def add_made(session: Session, new: NewReport, made: Made) -> int:
    """Write a report that was made at once."""
    values = _values(new) | _made_values(made)
    return session.scalars(insert(Report).values(values).returning(Report.id)).one()


def claim_report(session: Session, *, at: datetime) -> int | None:
    """Claim the report that waits longest; None where none is due.

    A claim counts as an attempt and puts the next one off: a keeper that dies over it leaves it to be tried again.
    """
    row = session.execute(
        select(Report.id, Report.attempts)
        .where(Report.state == ReportState.ASKED, Report.due_at <= at)
        .order_by(Report.due_at, Report.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    due_at = at + FIRST_BACK_OFF * _BACK_OFF_FACTOR**row.attempts
    session.execute(update(Report).where(Report.id == row.id).values(attempts=row.attempts + 1, due_at=due_at))
    return int(row.id)


def record_made(session: Session, report_id: int, made: Made) -> bool:
    """Write down that it is made; False where somebody else has made it meanwhile."""
    statement = update(Report).where(Report.id == report_id, Report.state == ReportState.ASKED)
    done = session.execute(statement.values(**_made_values(made), error=None).returning(Report.id))
    return done.one_or_none() is not None


def record_not_made(session: Session, report_id: int, *, why: str) -> None:
    """Note why it could not be made; given up after the last attempt."""
    row = session.execute(select(Report.attempts).where(Report.id == report_id)).one()
    state = ReportState.FAILED if row.attempts >= MAX_ATTEMPTS else ReportState.ASKED
    session.execute(
        update(Report)
        .where(Report.id == report_id, Report.state == ReportState.ASKED)
        .values(state=state.value, error=why)
    )


def read_report(session: Session, report_id: int) -> ReportRow:
    """One report; NotFoundError where there is none that the session may see."""
    row = session.execute(_rows().where(Report.id == report_id)).one_or_none()
    if row is None:
        raise NotFoundError(
            f"There is no report {report_id}, or none that you may see.", remedy="Choose one on the page Reports."
        )
    return _report(row)


def read_reports(
    session: Session, *, study_id: int | None = None, site_id: int | None = None, limit: int, offset: int = 0
) -> tuple[ReportRow, ...]:
    """Site and study reports that the session may see, the newest first; receipts and tip sheets are not listed."""
    statement = _rows().where(Report.kind.in_((ReportKind.SITE, ReportKind.STUDY)))
    if study_id is not None:
        statement = statement.where(Report.study_id == study_id)
    if site_id is not None:
        statement = statement.where(Report.site_id == site_id)
    rows = session.execute(statement.order_by(Report.id.desc()).limit(limit).offset(offset))
    return tuple(_report(row) for row in rows)


def find_made(session: Session, kind: ReportKind, content_sha256: str) -> ReportRow | None:
    """The newest report of this very content that the session may see."""
    row = session.execute(
        _rows().where(Report.kind == kind, Report.content_sha256 == content_sha256).order_by(Report.id.desc()).limit(1)
    ).one_or_none()
    return None if row is None else _report(row)


def _values(new: NewReport) -> dict[str, Any]:
    return {
        "kind": new.kind.value, "study_id": new.study_id, "site_id": new.site_id, "since": new.since,
        "until": new.until, "batch_id": new.batch_id, "reason_code": new.reason.value if new.reason else None,
        "asked_by_id": new.asked_by_id, "schedule_id": new.schedule_id, "occurrence_at": new.occurrence_at,
    }  # fmt: skip


def _made_values(made: Made) -> dict[str, Any]:
    return {
        "state": ReportState.MADE.value, "made_at": made.made_at, "pdf_sha256": made.pdf_sha256,
        "content_sha256": made.content_sha256, "n_pages": made.n_pages, "versions": dict(made.versions),
    }  # fmt: skip


def _rows() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Report, Study.code.label("study_code"), Site.code.label("site_code"), Batch.receipt,
            func.coalesce(User.display_name, "").label("asked_by"),
        )
        .join(Study, Study.id == Report.study_id)
        .outerjoin(Site, Site.id == Report.site_id)
        .outerjoin(Batch, Batch.id == Report.batch_id)
        .outerjoin(User, User.id == Report.asked_by_id)
    )  # fmt: skip


def _report(row: Any) -> ReportRow:
    found: Report = row.Report
    made = None
    if found.made_at is not None and found.pdf_sha256 is not None and found.content_sha256 is not None:
        made = Made(found.made_at, found.pdf_sha256, found.content_sha256, found.n_pages or 0, found.versions or {})
    return ReportRow(
        id=found.id, kind=ReportKind(found.kind), study_id=found.study_id, study_code=row.study_code,
        site_id=found.site_id, site_code=row.site_code, since=found.since, until=found.until,
        batch_id=found.batch_id, receipt=row.receipt,
        reason=ReasonCode(found.reason_code) if found.reason_code else None, asked_by=row.asked_by,
        asked_at=found.created_at, schedule_id=found.schedule_id, state=ReportState(found.state),
        attempts=found.attempts, error=found.error, made=made,
    )  # fmt: skip
