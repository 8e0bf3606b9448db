"""Reviews: the scan as a reviewer finds it, and the rows that a decision writes. Decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, insert, select, update
from sqlalchemy.orm import Session, aliased

from core.clock import now
from core.database.tables import (
    Acquisition,
    Assessment,
    AssessmentReason,
    Batch,
    ReacquisitionRequest,
    Review,
    ReviewCriterion,
    Scan,
    Site,
    Technician,
    Visit,
)
from core.store.rate import lock_slots
from core.vocabulary import ReasonCode, ReviewDecision, ScanKind, ScanState, Verdict


@dataclass(frozen=True, slots=True)
class ReviewedScan:
    """A scan under lock, with everything a decision about it rests on."""

    scan_id: int
    acquisition_id: int
    expected_scan_id: int
    site_id: int
    study_id: int
    kind: ScanKind
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
            "kind": ScanKind(row["kind"]),
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
            Scan.kind,
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
    marks: Mapping[ReasonCode, bool] | None = None,
    undoes_id: int | None = None,
    bulk_review_id: int | None = None,
) -> int:
    """Append a review that refers to the assessment that the reviewer saw, with the criteria; return its id.

    ``marks`` are the letters of the form, None where none was filled in. The row keeps what the decision replaces, and
    the version that ``set_decision`` gives the scan in the same transaction.
    """
    review_id = session.scalars(
        insert(Review)
        .values(
            site_id=scan.site_id,
            scan_id=scan.scan_id,
            assessment_id=scan.assessment_id,
            reviewer_id=reviewer_id,
            decision=decision,
            ordinal=ordinal,
            reason=reason,
            replaced=scan.decision_state,
            scan_version=scan.version + 1,
            undoes_id=undoes_id,
            bulk_review_id=bulk_review_id,
            created_at=now(),
        )
        .returning(Review.id)
    ).one()
    if marks:
        rows = [
            {"review_id": review_id, "site_id": scan.site_id, "code": code, "is_passed": is_passed}
            for code, is_passed in marks.items()
        ]
        session.execute(insert(ReviewCriterion), rows)
    return review_id


@dataclass(frozen=True, slots=True)
class MadeReview:
    """A decision of one person, with what is needed to take it back."""

    id: int
    scan_id: int
    reviewer_id: int
    decision: ReviewDecision
    reason: str
    ordinal: int | None
    created_at: datetime
    scan_version: int | None
    bulk_review_id: int | None
    replaced: Mapping[str, Any] | None
    is_undone: bool


def latest_review_of(session: Session, reviewer_id: int) -> MadeReview | None:
    """The last thing that this person decided, an undo included and masked grades not; None where there is nothing."""
    return _made_review(session, Review.reviewer_id == reviewer_id)


def find_bulk_part(
    session: Session, reviewer_id: int, *, review_id: int | None = None, scan_id: int | None = None
) -> MadeReview | None:
    """A person's acceptance of a scan as one of a list: by its id, or the scan's latest; None where there is none."""
    asked = Review.id == review_id if review_id is not None else Review.scan_id == scan_id
    return _made_review(session, and_(Review.reviewer_id == reviewer_id, Review.bulk_review_id.is_not(None), asked))


def _made_review(session: Session, condition: ColumnElement[bool]) -> MadeReview | None:
    """The newest of these decisions."""
    undo = aliased(Review)
    # One probe: of EXISTS the planner makes a table of every review that was ever taken back, by reading all reviews.
    is_undone = select(undo.id).where(undo.undoes_id == Review.id).limit(1).scalar_subquery().is_not(None)
    row = session.execute(
        select(
            Review.id, Review.scan_id, Review.reviewer_id, Review.decision, Review.reason, Review.ordinal,
            Review.created_at, Review.scan_version, Review.bulk_review_id, Review.replaced,
            is_undone.label("is_undone"),
        )
        .where(condition, Review.is_masked.is_(False))
        .order_by(Review.id.desc())
        .limit(1)
    ).one_or_none()  # fmt: skip
    return None if row is None else MadeReview(**{**row._asdict(), "decision": ReviewDecision(row.decision)})


def read_marks_of(session: Session, review_id: int) -> dict[ReasonCode, bool]:
    """How the letters of a review's form were marked; empty where no form was filled in."""
    rows = session.execute(
        select(ReviewCriterion.code, ReviewCriterion.is_passed).where(ReviewCriterion.review_id == review_id)
    )
    return {ReasonCode(code): is_passed for code, is_passed in rows}


def has_closed_request(session: Session, acquisition_id: int, *, since: datetime) -> bool:
    """Whether a request that this capture answers was closed at or after a moment."""
    found = select(ReacquisitionRequest.id).where(
        ReacquisitionRequest.replacement_id == acquisition_id, ReacquisitionRequest.closed_at >= since
    )
    return session.scalar(found.limit(1)) is not None


def is_standing() -> ColumnElement[bool]:
    """Of a review: its giver has not taken it back, and it takes none back itself."""
    undo = aliased(Review)
    return and_(Review.undoes_id.is_(None), ~exists().where(undo.undoes_id == Review.id))


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
