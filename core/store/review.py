"""Reviews: the scan as a reviewer finds it, and the rows that a decision writes. Decides nothing."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, insert, select, update
from sqlalchemy.orm import Session

from core.clock import now
from core.database.tables import (
    Acquisition,
    Assessment,
    AssessmentReason,
    Batch,
    Review,
    Scan,
    Site,
    Technician,
    Visit,
)
from core.store.rate import lock_slots
from core.vocabulary import ReviewDecision, ScanState, Verdict


@dataclass(frozen=True, slots=True)
class ReviewedScan:
    """A scan under lock, with everything a decision about it rests on."""

    scan_id: int
    acquisition_id: int
    expected_scan_id: int
    site_id: int
    study_id: int
    state: ScanState
    version: int
    assessment_id: int | None
    model_ordinal: int | None
    is_abstained: bool | None
    human_ordinal: int | None
    final_verdict: Verdict | None
    window_ends_on: date | None
    uploaded_by_id: int | None
    acquired_by_id: int | None
    """The account of the technician who took it, where that person has one."""

    @property
    def own_user_ids(self) -> frozenset[int]:
        """Whose own work the scan is: they may not review it."""
        return frozenset(user for user in (self.uploaded_by_id, self.acquired_by_id) if user is not None)

    @property
    def decision_state(self) -> dict[str, Any]:
        """What a decision changes, for the audit trail."""
        return {"state": self.state, "human_ordinal": self.human_ordinal, "final_verdict": self.final_verdict}


@dataclass(frozen=True, slots=True)
class StoredReason:
    """The weightiest reason of an assessment, as a request quotes it."""

    code: str
    text: str
    remedy: str


def lock_reviewed_scan(session: Session, scan_id: int) -> ReviewedScan | None:
    """The scan, locked together with its slot; None where there is none that this session may see."""
    slot_id = session.scalar(
        select(Acquisition.expected_scan_id).join(Scan, Scan.acquisition_id == Acquisition.id).where(Scan.id == scan_id)
    )
    if slot_id is None:
        return None
    lock_slots(session, [slot_id])
    row = session.execute(_reviewed_scan(scan_id)).one()._asdict()
    return ReviewedScan(
        **{
            **row,
            "state": ScanState(row["state"]),
            "final_verdict": Verdict(row["final_verdict"]) if row["final_verdict"] else None,
        }
    )


def _reviewed_scan(scan_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Scan.id.label("scan_id"),
            Scan.acquisition_id,
            Acquisition.expected_scan_id,
            Scan.site_id,
            Site.study_id,
            Scan.state,
            Scan.version,
            Scan.assessment_id,
            Assessment.grade_ordinal.label("model_ordinal"),
            Assessment.is_abstained,
            Scan.human_ordinal,
            Scan.final_verdict,
            Visit.window_ends_on,
            Batch.uploaded_by_id,
            Technician.user_id.label("acquired_by_id"),
        )
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .join(Site, Site.id == Scan.site_id)
        .join(Batch, Batch.id == Scan.batch_id)
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
        .outerjoin(Technician, Technician.id == Acquisition.technician_id)
        .where(Scan.id == scan_id)
    )


def add_review(
    session: Session,
    scan: ReviewedScan,
    *,
    reviewer_id: int,
    decision: ReviewDecision,
    ordinal: int | None,
    reason: str,
) -> int:
    """Append a review that refers to the assessment that the reviewer saw."""
    return session.scalars(
        insert(Review)
        .values(
            site_id=scan.site_id,
            scan_id=scan.scan_id,
            assessment_id=scan.assessment_id,
            reviewer_id=reviewer_id,
            decision=decision,
            ordinal=ordinal,
            reason=reason,
            created_at=now(),
        )
        .returning(Review.id)
    ).one()


def set_decision(
    session: Session, scan_id: int, *, state: ScanState, final_verdict: Verdict | None, human_ordinal: int | None
) -> None:
    """Write what a person decided onto the scan, and raise its version so that older views of it are stale."""
    session.execute(
        update(Scan)
        .where(Scan.id == scan_id)
        .values(state=state, final_verdict=final_verdict, human_ordinal=human_ordinal, version=Scan.version + 1)
    )


def first_reason(session: Session, assessment_id: int | None) -> StoredReason | None:
    """The weightiest reason of an assessment; None where it gave none."""
    row = session.execute(
        select(AssessmentReason.code, AssessmentReason.text, AssessmentReason.remedy)
        .where(AssessmentReason.assessment_id == assessment_id)
        .order_by(AssessmentReason.rank)
        .limit(1)
    ).one_or_none()
    return None if row is None else StoredReason(row.code, row.text, row.remedy)
