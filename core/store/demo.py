"""What only the demo study needs of the database: its scans by their place in the story, and dates of the past.

Decisions are dated by the clock that the loader sets; captures, which the worker touches too, are dated here. Audit
events are not: the trail says when things really happened.
"""

from dataclasses import dataclass
from datetime import time, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.database.tables import (
    Acquisition,
    Assessment,
    Batch,
    BatchFile,
    ExpectedScan,
    Grading,
    GradingAssignment,
    ReacquisitionRequest,
    Review,
    Scan,
    Site,
    Subject,
    Technician,
    User,
    Visit,
)
from core.store.capture import CaptureKey
from core.vocabulary import AssignmentState, CoipsGrade, FileState, Laterality, RequestState, ScanState, Slab

UNSCORED = (ScanState.RECEIVED, ScanState.QUEUED, ScanState.SCORING)
SCORING_TOOK = timedelta(minutes=3)
"""How long a batch of the demo study waited for its scores."""

ScanPlace = tuple[CaptureKey, Slab]


@dataclass(frozen=True, slots=True)
class DemoScanRow:
    """A scan of the demo study as it stands now."""

    scan_id: int
    acquisition_id: int
    state: ScanState
    version: int
    model_ordinal: int | None
    is_abstained: bool | None

    @property
    def is_found_ungradable(self) -> bool:
        """Whether the model itself has decided that the scan is ungradable."""
        return self.model_ordinal == CoipsGrade.UNGRADABLE and not self.is_abstained


def count_unscored(session: Session, study_id: int) -> int:
    """How many of the study's scans still wait for their score."""
    return session.scalars(
        select(func.count(Scan.id))
        .join(Site, Site.id == Scan.site_id)
        .where(Site.study_id == study_id, Scan.state.in_([state.value for state in UNSCORED]))
    ).one()


def read_scans(session: Session, study_id: int) -> dict[ScanPlace, DemoScanRow]:
    """Every scan of the study by subject, visit, eye, type, capture and slab."""
    rows = session.execute(
        select(
            Subject.code.label("subject"), Visit.code.label("visit"), Acquisition.laterality, Acquisition.scan_type,
            Acquisition.code, Scan.slab, Scan.id, Scan.acquisition_id, Scan.state, Scan.version,
            Assessment.grade_ordinal, Assessment.is_abstained,
        )
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .join(Site, Site.id == Scan.site_id)
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
        .where(Site.study_id == study_id)
    )  # fmt: skip
    return {
        (CaptureKey(row.subject, row.visit, Laterality(row.laterality), row.scan_type, row.code), Slab(row.slab)): (
            DemoScanRow(
                scan_id=row.id,
                acquisition_id=row.acquisition_id,
                state=ScanState(row.state),
                version=row.version,
                model_ordinal=row.grade_ordinal,
                is_abstained=row.is_abstained,
            )
        )
        for row in rows
    }


def read_held(session: Session, study_id: int) -> dict[str, int]:
    """Held files of the study: name -> id."""
    rows = session.execute(
        select(BatchFile.original_name, BatchFile.id)
        .join(Site, Site.id == BatchFile.site_id)
        .where(Site.study_id == study_id, BatchFile.state == FileState.HELD.value)
    )
    return {row.original_name: row.id for row in rows}


def read_requests(session: Session, study_id: int) -> dict[int, tuple[int, RequestState]]:
    """The study's reacquisition requests: id of the capture to be taken again -> id and state of the latest."""
    rows = session.execute(
        select(ReacquisitionRequest.acquisition_id, ReacquisitionRequest.id, ReacquisitionRequest.state)
        .join(Site, Site.id == ReacquisitionRequest.site_id)
        .where(Site.study_id == study_id)
        .order_by(ReacquisitionRequest.id)
    )
    return {row.acquisition_id: (row.id, RequestState(row.state)) for row in rows}


def read_masked_grades(session: Session, study_id: int) -> set[tuple[int, int]]:
    """(scan, reviewer) of every masked grade of the study."""
    rows = session.execute(
        select(Review.scan_id, Review.reviewer_id)
        .join(Site, Site.id == Review.site_id)
        .where(Site.study_id == study_id, Review.is_masked)
    )
    return {(row.scan_id, row.reviewer_id) for row in rows}


@dataclass(frozen=True, slots=True)
class DemoDraw:
    """A scan that was drawn for masked grading: what its graders have given, and who still has it."""

    scan_id: int
    model_ordinal: int
    given: tuple[int, ...]
    open_to: tuple[int, ...]


def read_draws(session: Session, study_id: int, *, limit: int) -> list[DemoDraw]:
    """The first drawn scans of the study, by id of the scan."""
    rows = session.execute(
        select(Grading.id, Grading.scan_id, Assessment.grade_ordinal)
        .join(Site, Site.id == Grading.site_id)
        .join(Scan, Scan.id == Grading.scan_id)
        .join(Assessment, Assessment.id == Scan.assessment_id)
        .where(Site.study_id == study_id)
        .order_by(Grading.scan_id)
        .limit(limit)
    ).all()
    of_these = GradingAssignment.grading_id.in_([row.id for row in rows]), GradingAssignment.repeat_of_id.is_(None)
    parts = session.scalars(select(GradingAssignment).where(*of_these).order_by(GradingAssignment.id)).all()
    return [
        DemoDraw(
            row.scan_id, row.grade_ordinal,
            tuple(part.ordinal for part in parts if part.grading_id == row.id and part.ordinal is not None),
            tuple(part.grader_id for part in parts if part.grading_id == row.id and part.state == AssignmentState.OPEN),
        )
        for row in rows
    ]  # fmt: skip


def find_user(session: Session, name: str) -> int | None:
    """The id of the account with this login name."""
    return session.scalar(select(User.id).where(User.name == name))


def link_first_technician(session: Session, site_id: int, user_id: int) -> None:
    """Let a demo login be the first technician of its site, where nobody is linked with that code yet."""
    first = select(func.min(Technician.code)).where(Technician.site_id == site_id).scalar_subquery()
    session.execute(
        update(Technician)
        .where(Technician.site_id == site_id, Technician.code == first, Technician.user_id.is_(None))
        .values(user_id=user_id)
    )


def keep_first_password(session: Session, user_id: int) -> None:
    """Let a demo login use its generated password as long as it likes: it guards simulated scans."""
    session.execute(update(User).where(User.id == user_id).values(must_change_password=False))


def date_captures(session: Session, study_id: int, *, sent_at: time) -> None:
    """Date everything that was received: sent at ``sent_at`` (UTC) of the day of its capture, then scored."""
    in_study = select(Site.id).where(Site.study_id == study_id).scalar_subquery()
    taken_on = func.date_trunc("day", Acquisition.acquired_at, "UTC")
    arrived_at = taken_on + timedelta(hours=sent_at.hour, minutes=sent_at.minute)
    session.execute(update(Acquisition).where(Acquisition.site_id.in_(in_study)).values(created_at=arrived_at))
    of_scan = select(arrived_at).where(Acquisition.id == Scan.acquisition_id).correlate(Scan).scalar_subquery()
    session.execute(update(Scan).where(Scan.site_id.in_(in_study)).values(created_at=of_scan))
    scored_at = (
        select(arrived_at + SCORING_TOOK)
        .join(Scan, Scan.acquisition_id == Acquisition.id)
        .where(Scan.id == Assessment.scan_id)
        .correlate(Assessment)
        .scalar_subquery()
    )
    session.execute(update(Assessment).where(Assessment.site_id.in_(in_study)).values(scored_at=scored_at))
    of_batch = (
        select(func.max(arrived_at))
        .join(Scan, Scan.acquisition_id == Acquisition.id)
        .where(Scan.batch_id == Batch.id)
        .correlate(Batch)
        .scalar_subquery()
    )
    session.execute(
        update(Batch)
        .where(Batch.site_id.in_(in_study), Batch.submitted_at.is_not(None), of_batch.is_not(None))
        .values(created_at=of_batch, submitted_at=of_batch)
    )
    of_slot = (
        select(func.min(arrived_at))
        .where(Acquisition.expected_scan_id == ExpectedScan.id)
        .correlate(ExpectedScan)
        .scalar_subquery()
    )
    session.execute(
        update(ExpectedScan)
        .where(ExpectedScan.site_id.in_(in_study), ExpectedScan.first_received_at.is_not(None))
        .values(first_received_at=of_slot)
    )
