"""Previews: what judging again, scoring again, adopting or accepting in bulk would do. They write nothing."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy.orm import Session

from core.clock import now
from core.errors import NotFoundError
from core.store.rescoring import RescoringRow, list_failures, read_rescoring
from core.usecases.accept_in_bulk import propose_bulk
from core.usecases.adopt_scores import foresee_adoption
from core.usecases.compare_findings import compare_findings
from core.usecases.order_rescoring import RescoringOrder, foresee_rescoring
from core.usecases.re_evaluate import foresee_re_evaluation
from dashboard.api.documents.base import Id, Listing
from dashboard.api.documents.previews import (
    AdoptionDocument,
    FindingDocument,
    ForecastDocument,
    ForeseenOrderDocument,
    ProposalDocument,
    ProposedScanDocument,
    ReachQuery,
    RescoringFailureDocument,
    RescoringQuery,
)
from dashboard.api.filters import ScansAsked
from dashboard.api.guard import PlaceReader, RateReader, ScanReader
from dashboard.api.routers.places import require_study
from dashboard.navigation import COMPARERS, DECIDERS

router = APIRouter()

StudyId = Annotated[Id, Path(description="Id of a study.")]
RescoringId = Annotated[Id, Path(description="Id of an order to score again.")]
MOST_FAILURES = 500


@router.get("/studies/{study_id}/re-evaluation-preview", tags=["places"])
def preview_re_evaluation(
    study_id: StudyId, asked: Annotated[ReachQuery, Query()], caller: PlaceReader
) -> ForecastDocument:
    """What judging stored scores by a protocol version would change, for administrators; seconds for many scans."""
    with caller.open_session() as session:
        require_study(session, study_id)
        found = foresee_re_evaluation(
            session,
            actor=caller.actor,
            version_id=asked.version,
            reach=asked.reach(study_id),
            blobs=caller.installation.blobs,
        )
    return ForecastDocument.of(found)


@router.get("/studies/{study_id}/rescoring-preview", tags=["models"])
def preview_rescoring(
    study_id: StudyId, asked: Annotated[RescoringQuery, Query()], caller: RateReader
) -> ForeseenOrderDocument:
    """How many scans an order to score again would take, for administrators."""
    order = RescoringOrder(asked.kind, asked.reach(study_id), asked.version)
    with caller.open_session() as session:
        require_study(session, study_id)
        return ForeseenOrderDocument(n_scans=foresee_rescoring(session, actor=caller.actor, order=order))


@router.get("/rescorings/{rescoring_id}/adoption-preview", tags=["models"])
def preview_adoption(rescoring_id: RescoringId, caller: RateReader) -> AdoptionDocument:
    """What letting its scores count would do, for administrators; people sign it on the page Models."""
    with caller.open_session() as session:
        _order(session, rescoring_id)
        return AdoptionDocument(outcomes=dict(foresee_adoption(session, actor=caller.actor, rescoring_id=rescoring_id)))


@router.get("/rescorings/{rescoring_id}/findings", tags=["models"])
def compare_rescoring_findings(rescoring_id: RescoringId, caller: RateReader) -> Listing[FindingDocument]:
    """What both versions measured beside the grade: thickness, nerve head, lesion, class."""
    caller.require_role(COMPARERS)
    with caller.open_session() as session:
        moves = compare_findings(session, rescoring_id, _order(session, rescoring_id).kind)
    return Listing(items=[FindingDocument.of(move) for move in moves])


@router.get("/rescorings/{rescoring_id}/failures", tags=["models"])
def list_rescoring_failures(rescoring_id: RescoringId, caller: RateReader) -> Listing[RescoringFailureDocument]:
    """The first 500 of its scans that could not be scored, with why."""
    caller.require_role(COMPARERS)
    with caller.open_session() as session:
        _order(session, rescoring_id)
        found = list_failures(session, rescoring_id, limit=MOST_FAILURES)
    return Listing(items=[RescoringFailureDocument(scan_id=scan_id, why=why) for scan_id, why in found])


@router.get("/bulk-acceptance-preview", tags=["scans"])
def preview_bulk_acceptance(asked: ScansAsked, caller: ScanReader) -> ProposalDocument:
    """What accepting the scans to decide under these filters would do, and which of them it would leave out."""
    caller.require_role(DECIDERS)
    with caller.open_session() as session:
        found = propose_bulk(session, actor=caller.actor, chosen=asked.chosen(), today=now().date())
    scans = [
        ProposedScanDocument(
            **{name: getattr(scan, name) for name in ProposedScanDocument.model_fields if name != "left_out"},
            left_out=found.left_out.get(scan.scan_id, ""),
        )
        for scan in found.listed
    ]
    return ProposalDocument(n_eligible=len(found.eligible), n_sample=found.n_sample, is_cut=found.is_cut, scans=scans)


def _order(session: Session, rescoring_id: int) -> RescoringRow:
    row = read_rescoring(session, rescoring_id)
    if row is None:
        raise NotFoundError(f"There is no order {rescoring_id}.", remedy="See GET /studies/{study_id}/rescorings.")
    return row
