"""Scans that the model accepted and a person checks: what waits, what was found, counted by device."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.database.tables import AcceptedCheck, Acquisition, Assessment, Batch, Device, Scan, Site, Subject, Technician
from core.store.calibration_mode import is_model_shown
from core.store.newest import last_scan, newest, newest_at_sites, within
from core.store.scan_filter import ScanFilter, filter_conditions
from core.vocabulary import CheckCause, CheckState, Laterality, ScanState, Slab, Verdict

MOST_CHECKS = 1_000
"""The latest checks: enough for any interval, and bounded work."""
FIRST_REACH = 1_250


@dataclass(frozen=True, slots=True)
class NewCheck:
    """A scan to be checked, with the assessment that accepted it."""

    site_id: int
    scan_id: int
    assessment_id: int
    cause: CheckCause


@dataclass(frozen=True, slots=True)
class OpenCheck:
    """One line of the list of accepted scans to check; nothing of what the model said."""

    id: int
    scan_id: int
    version: int
    state: ScanState
    site_id: int
    study_id: int
    site_code: str
    device_code: str
    subject_code: str
    laterality: Laterality
    scan_type: str
    slab: Slab
    image_sha256: str
    width_px: int
    height_px: int
    cause: CheckCause
    drawn_at: datetime


@dataclass(frozen=True, slots=True)
class OpenChecks:
    """One page of the list and how many it holds."""

    items: tuple[OpenCheck, ...]
    total: int


@dataclass(frozen=True, slots=True)
class CheckedScan:
    """A scan that was drawn and checked."""

    subject_id: int
    device_id: int
    device_code: str
    site_code: str
    model_ordinal: int
    ordinal: int
    is_overturned: bool


def add_checks(session: Session, new: Sequence[NewCheck]) -> list[int]:
    """Call for these checks; returns the scans that were not called for before."""
    if not new:
        return []
    rows = [
        {
            "site_id": each.site_id,
            "scan_id": each.scan_id,
            "assessment_id": each.assessment_id,
            "cause": each.cause,
            "state": CheckState.OPEN,
        }
        for each in new
    ]
    statement = insert(AcceptedCheck).values(rows).on_conflict_do_nothing(index_elements=[AcceptedCheck.scan_id])
    return list(session.scalars(statement.returning(AcceptedCheck.scan_id)))


def accepted_assessment(session: Session, scan_id: int) -> int | None:
    """The assessment of a scan that stands accepted and was graded by no person; None for any other scan."""
    return session.scalar(
        select(Scan.assessment_id).where(
            Scan.id == scan_id, Scan.state == ScanState.ACCEPTED, Scan.human_ordinal.is_(None)
        )
    )


def read_open_checks(session: Session, chosen: ScanFilter, *, page: int, page_size: int) -> OpenChecks:
    """Page ``page`` (from 0) of what waits to be checked by this person, the oldest draw first.

    Own uploads and captures are left out: whoever made a scan cannot check it.
    """
    own = func.current_user_id()
    statement = (
        select(
            AcceptedCheck.id, AcceptedCheck.scan_id, Scan.version, Scan.state, Scan.site_id, Site.study_id,
            Site.code.label("site_code"), Device.code.label("device_code"), Subject.code.label("subject_code"),
            Acquisition.laterality, Acquisition.scan_type, Scan.slab, Scan.image_sha256, Scan.width_px, Scan.height_px,
            AcceptedCheck.cause, AcceptedCheck.created_at, func.count().over().label("total"),
        )
        .join(Scan, Scan.id == AcceptedCheck.scan_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Batch, Batch.id == Scan.batch_id)
        .join(Site, Site.id == Scan.site_id)
        .join(Device, Device.id == Acquisition.device_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .outerjoin(Technician, Technician.id == Acquisition.technician_id)
        .where(
            AcceptedCheck.state == CheckState.OPEN, *filter_conditions(chosen),
            Batch.uploaded_by_id.is_distinct_from(own), Technician.user_id.is_distinct_from(own),
        )
        .order_by(AcceptedCheck.id)
        .offset(page * page_size)
        .limit(page_size)
    )  # fmt: skip
    rows = session.execute(statement).all()
    items = tuple(
        OpenCheck(
            row.id, row.scan_id, row.version, ScanState(row.state), row.site_id, row.study_id, row.site_code,
            row.device_code, row.subject_code, Laterality(row.laterality), row.scan_type, Slab(row.slab),
            row.image_sha256, row.width_px, row.height_px, CheckCause(row.cause), row.created_at,
        )
        for row in rows
    )  # fmt: skip
    return OpenChecks(items, rows[0].total if rows else 0)


def scan_of_open_check(session: Session, check_id: int) -> int | None:
    """The scan of an open check; None where there is none that this person may see.

    The decision about the scan answers it (a trigger on review), whatever page the decision is made on.
    """
    return session.scalar(
        select(AcceptedCheck.scan_id).where(AcceptedCheck.id == check_id, AcceptedCheck.state == CheckState.OPEN)
    )


def read_model_grade(session: Session, scan_id: int) -> tuple[int, float] | None:
    """The model's grade of a scan and its probability; None where this person may not know it yet."""
    row = session.execute(
        select(Assessment.grade_ordinal, Assessment.probabilities)
        .join(Scan, Scan.assessment_id == Assessment.id)
        .where(Scan.id == scan_id, is_model_shown())
    ).one_or_none()
    return None if row is None else (row.grade_ordinal, float(max(row.probabilities.values())))


def read_accepted_share(session: Session, chosen: ScanFilter, *, limit: int = MOST_CHECKS) -> tuple[int, int]:
    """How many of the latest scored scans under ``chosen`` the model accepted, and of how many."""
    scored = (
        select(Scan.id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .where(Scan.assessment_id.is_not(None), Acquisition.is_phantom.is_(False), *filter_conditions(chosen))
    )

    def ask(oldest: int, latest: int) -> Sequence[str]:
        # Site by site: for who sees one site of hundreds, the scans of all others lie between.
        ids = newest_at_sites(scored.where(*within(Scan.id, (oldest, latest))), chosen, limit).subquery()
        verdicts = (
            select(Assessment.verdict)
            .select_from(ids)
            .join(Scan, Scan.id == ids.c.id)
            # By the scan's key, too: no index knows an assessment's scan by the assessment alone.
            .join(Assessment, (Assessment.scan_id == Scan.id) & (Assessment.id == Scan.assessment_id))
            .order_by(Scan.id.desc())
        )
        return session.scalars(verdicts).all()

    last = session.scalar(last_scan(chosen)) or 0
    verdicts = newest(last, ask, n=limit, first_reach=FIRST_REACH)
    return sum(verdict == Verdict.ACCEPT for verdict in verdicts), len(verdicts)


def read_checked(session: Session, chosen: ScanFilter, *, limit: int = MOST_CHECKS) -> tuple[CheckedScan, ...]:
    """The latest drawn scans that were checked. Those that a consensus called for are no sample, and left out."""
    statement = (
        select(
            Acquisition.subject_id, Acquisition.device_id, Device.code.label("device_code"),
            Site.code.label("site_code"), Assessment.grade_ordinal, AcceptedCheck.ordinal, AcceptedCheck.state,
        )
        .join(Scan, Scan.id == AcceptedCheck.scan_id)
        .join(Assessment, Assessment.id == AcceptedCheck.assessment_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Site, Site.id == Scan.site_id)
        .join(Device, Device.id == Acquisition.device_id)
        .where(
            AcceptedCheck.cause == CheckCause.SAMPLE, AcceptedCheck.state != CheckState.OPEN,
            *filter_conditions(chosen),
        )
        .order_by(AcceptedCheck.id.desc())
        .limit(limit)
    )  # fmt: skip
    last = session.scalar(select(func.max(AcceptedCheck.id))) or 0
    rows = newest(
        last, lambda *borders: session.execute(statement.where(*within(AcceptedCheck.id, borders))).all(), n=limit,
        first_reach=FIRST_REACH,
    )  # fmt: skip
    return tuple(
        CheckedScan(
            row.subject_id, row.device_id, row.device_code, row.site_code, row.grade_ordinal, row.ordinal,
            row.state == CheckState.OVERTURNED,
        )
        for row in rows
    )  # fmt: skip
