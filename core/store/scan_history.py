"""What happened to one scan: scores, people's decisions, and the steps of its reacquisition request."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core.database.tables import (
    Acquisition,
    Assessment,
    Batch,
    FoveaMark,
    ModelVersion,
    ProtocolVersion,
    ReacquisitionRequest,
    ReacquisitionStep,
    ReEvaluation,
    ReEvaluationScan,
    Rescoring,
    RescoringScan,
    Review,
    ReviewCriterion,
    Scan,
    User,
)
from core.policy.review_form import failed_criteria
from core.store.reacquisition import ANSWERED, ENDED
from core.vocabulary import AdoptionOutcome, Outcome, ReasonCode, RequestState, ReviewDecision, StepKind

STEP_WORDS = {
    StepKind.ASSIGN: "gave the request to another owner",
    StepKind.UNLINK: "took the replacement off the request",
}
"""What a person did by a step of a request that is no move."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One event. ``who`` is None for the program itself; ``decision`` or ``request_state`` says what kind it is."""

    happened_at: datetime
    who: str | None
    text: str
    decision: ReviewDecision | None = None
    request_state: RequestState | None = None
    ordinal: int | None = None
    note: str = ""
    failed: tuple[ReasonCode, ...] | None = None
    """The letters of the review's form that failed; None: no form was filled in."""
    is_undone: bool = False
    """Whether the reviewer has taken the decision back."""
    is_bulk: bool = False
    """Whether it was accepted together with others, after a look at a sample."""


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """The reacquisition request of an acquisition, the newest where there were several."""

    id: int
    state: RequestState
    text: str
    remedy: str
    due_on: date | None
    version: int
    replacement_scan_id: int | None

    @property
    def is_open(self) -> bool:
        """Whether it has not ended yet."""
        return self.state not in ENDED

    @property
    def is_answered(self) -> bool:
        """Whether the site has sent what it was asked for."""
        return self.state in ANSWERED


def read_questions(session: Session, scan_ids: Iterable[int]) -> dict[int, str]:
    """The latest question about each of these scans that has one."""
    rows = session.execute(
        select(Review.scan_id, Review.reason)
        .where(Review.scan_id.in_(tuple(scan_ids)), Review.decision == ReviewDecision.QUERY)
        .order_by(Review.id)
    )
    return {row.scan_id: row.reason for row in rows}


def read_request(session: Session, acquisition_id: int) -> OpenRequest | None:
    """The newest request for this acquisition; None where there never was one."""
    row = session.execute(
        select(ReacquisitionRequest)
        .where(ReacquisitionRequest.acquisition_id == acquisition_id)
        .order_by(ReacquisitionRequest.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    if row is None:
        return None
    replacement_scan_id = session.scalars(
        select(Scan.id).where(Scan.acquisition_id == row.replacement_id).order_by(Scan.id).limit(1)
    ).one_or_none()
    return OpenRequest(
        row.id, RequestState(row.state), row.text, row.remedy, row.due_on, row.version, replacement_scan_id
    )


def read_history(session: Session, scan_id: int, *, is_model_hidden: bool = False) -> tuple[HistoryEntry, ...]:
    """Everything that happened to the scan and its acquisition, oldest first; what the model said where it is shown."""
    reviews, steps = _reviews(session, scan_id), _steps(session, scan_id)
    if any(review.decision is ReviewDecision.REQUEST_REACQUISITION for review in reviews):
        # The review says the same; without one it was another slab of the capture that led to the request.
        steps = [step for step in steps if step.request_state is not RequestState.REQUESTED]
    told = () if is_model_hidden else (_scores, _adoptions, _re_evaluations)
    by_model = [entry for tell in told for entry in tell(session, scan_id)]
    entries = [*_arrival(session, scan_id), *by_model, *reviews, *steps, *_fovea_marks(session, scan_id)]
    return tuple(sorted(entries, key=lambda entry: entry.happened_at))


def _arrival(session: Session, scan_id: int) -> list[HistoryEntry]:
    rows = session.execute(
        select(Acquisition.acquired_at, Batch.submitted_at, Batch.receipt, User.display_name)
        .select_from(Scan)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Batch, Batch.id == Scan.batch_id)
        .outerjoin(User, User.id == Batch.uploaded_by_id)
        .where(Scan.id == scan_id)
    )
    entries = []
    for acquired_at, submitted_at, receipt, who in rows:
        entries.append(HistoryEntry(acquired_at, None, "captured at the site"))
        if submitted_at is not None:
            entries.append(HistoryEntry(submitted_at, who, f"received with batch {receipt}"))
    return entries


def _scores(session: Session, scan_id: int) -> list[HistoryEntry]:
    # Scores that were judged again are further assessments of the same moment; the first is that of the scoring.
    is_again = exists().where(RescoringScan.scan_id == scan_id, RescoringScan.assessment_id == Assessment.id)
    rows = session.execute(
        select(Assessment.scored_at, Assessment.grade_ordinal, Assessment.is_abstained, ModelVersion, is_again)
        .join(ModelVersion, ModelVersion.id == Assessment.model_version_id)
        .where(Assessment.scan_id == scan_id)
        .order_by(Assessment.id)
    )
    first: dict[tuple[datetime, int], HistoryEntry] = {}
    for scored_at, ordinal, is_abstained, model, is_beside in rows:
        doubt = ", which abstained; likeliest grade" if is_abstained else ""
        text = f"scored {'again ' if is_beside else ''}by {model.name} {model.version}"
        text += ", beside what counts" if is_beside else ""
        entry = HistoryEntry(scored_at, None, f"{text}{doubt}", ordinal=ordinal)
        first.setdefault((scored_at, model.id), entry)
    return list(first.values())


def _adoptions(session: Session, scan_id: int) -> list[HistoryEntry]:
    """Scores of another model that somebody let count; for whom row-level security shows the order."""
    rows = session.execute(
        select(Rescoring, ModelVersion.name, ModelVersion.version, User.display_name)
        .join(RescoringScan, RescoringScan.rescoring_id == Rescoring.id)
        .join(ModelVersion, ModelVersion.id == Rescoring.model_version_id)
        .outerjoin(User, User.id == Rescoring.adopted_by_id)
        .where(
            RescoringScan.scan_id == scan_id,
            RescoringScan.outcome.in_((AdoptionOutcome.CHANGED, AdoptionOutcome.SAME)),
        )
    )
    return [
        HistoryEntry(
            order.adopted_at,
            who,
            f"let the score by {name} {version} count (order {order.id})",
            note=order.adoption_reason,
        )
        for order, name, version, who in rows
        if order.adopted_at is not None
    ]


def _re_evaluations(session: Session, scan_id: int) -> list[HistoryEntry]:
    """Judged again by another protocol version. Reason and name are shown to whom row-level security shows the act."""
    rows = session.execute(
        select(ReEvaluationScan, ReEvaluation, ProtocolVersion.number, User.display_name)
        .outerjoin(ReEvaluation, ReEvaluation.id == ReEvaluationScan.re_evaluation_id)
        .outerjoin(ProtocolVersion, ProtocolVersion.id == ReEvaluation.protocol_version_id)
        .outerjoin(User, User.id == ReEvaluation.requested_by_id)
        .where(ReEvaluationScan.scan_id == scan_id, ReEvaluationScan.verdict_after.is_not(None))
        .order_by(ReEvaluationScan.re_evaluation_id)
    )
    entries = []
    for done, act, number, who in rows:
        by = f"protocol version {number} (re-evaluation {act.id})" if act is not None else "another protocol version"
        is_same = done.outcome == Outcome.SAME
        change = "with the same verdict" if is_same else f"{done.verdict_before} became {done.verdict_after}"
        note = act.reason if act is not None else ""
        separator = ", " if is_same else ": "
        entries.append(HistoryEntry(done.created_at, who, f"judged again by {by}{separator}{change}", note=note))
    return entries


def _reviews(session: Session, scan_id: int) -> list[HistoryEntry]:
    rows = session.execute(
        select(Review, User.display_name)
        .outerjoin(User, User.id == Review.reviewer_id)
        .where(Review.scan_id == scan_id, Review.is_masked.is_(False))
        .order_by(Review.id)
    ).all()
    marks = _read_marks(session, [review.id for review, _ in rows])
    undone = {review.undoes_id for review, _ in rows}
    return [
        HistoryEntry(
            review.created_at,
            who,
            "",
            decision=ReviewDecision(review.decision),
            ordinal=review.ordinal,
            note=review.reason,
            failed=failed_criteria(marks[review.id]) if review.id in marks else None,
            is_undone=review.id in undone,
            is_bulk=review.bulk_review_id is not None,
        )
        for review, who in rows
    ]


def _fovea_marks(session: Session, scan_id: int) -> list[HistoryEntry]:
    """Where people put the fovea of a volume, and that they took it back; its sectors followed from then on."""
    rows = session.execute(
        select(FoveaMark, User.display_name)
        .outerjoin(User, User.id == FoveaMark.set_by_id)
        .where(FoveaMark.scan_id == scan_id)
        .order_by(FoveaMark.id)
    )
    return [
        HistoryEntry(
            mark.created_at,
            name or "somebody of another site",
            "took the mark of the fovea back: the program's own finding counts"
            if mark.x_mm is None
            else f"put the fovea at {mark.x_mm:.2f} mm right, {mark.y_mm:.2f} mm down",
            note=mark.reason,
        )
        for mark, name in rows
    ]


def _read_marks(session: Session, review_ids: Sequence[int]) -> dict[int, dict[ReasonCode, bool]]:
    rows = session.execute(select(ReviewCriterion).where(ReviewCriterion.review_id.in_(review_ids))).scalars()
    order = list(ReasonCode)
    found: dict[int, dict[ReasonCode, bool]] = {}
    for row in sorted(rows, key=lambda row: order.index(ReasonCode(row.code))):
        found.setdefault(row.review_id, {})[ReasonCode(row.code)] = row.is_passed
    return found


def _steps(session: Session, scan_id: int) -> list[HistoryEntry]:
    capture = select(Scan.acquisition_id).where(Scan.id == scan_id).scalar_subquery()
    rows = session.execute(
        select(ReacquisitionStep, User.display_name)
        .join(ReacquisitionRequest, ReacquisitionRequest.id == ReacquisitionStep.request_id)
        .outerjoin(User, User.id == ReacquisitionStep.actor_id)
        .where(ReacquisitionRequest.acquisition_id == capture)
        .order_by(ReacquisitionStep.number)
    )
    return [
        HistoryEntry(step.created_at, who, "", request_state=RequestState(step.state), note=step.note)
        if step.kind == StepKind.MOVE
        else HistoryEntry(step.created_at, who, STEP_WORDS[StepKind(step.kind)], note=step.note)
        for step, who in rows
    ]
