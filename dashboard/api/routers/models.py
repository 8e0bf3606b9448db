"""Registered models, which of them is active where, and scoring again with another one.

A program reads all of it and orders scoring again. It signs nothing: activations and adoptions are made by people, on
the page Models.
"""

from typing import Annotated

from fastapi import APIRouter, Path

from core.errors import NotFoundError
from core.store.model_activation import Activation, read_activations
from core.store.model_version import list_model_versions, read_cards, read_model_version
from core.store.re_evaluation import Reach
from core.store.rescored_pair import read_rescored_pairs
from core.store.rescoring import RescoringCounts, RescoringRow, count_scans, read_rescoring, read_rescorings
from core.usecases.compare_versions import compare_pairs
from core.usecases.order_rescoring import RescoringOrder, order_rescoring, stop_rescoring
from core.vocabulary import ScanKind
from dashboard.api.documents.base import Id, Listing
from dashboard.api.documents.models import (
    ActivationDocument,
    ModelDocument,
    ModelWithCardDocument,
    OrderedDocument,
    RescoringBody,
    RescoringDocument,
    StopBody,
)
from dashboard.api.documents.watch import VersionsDocument
from dashboard.api.guard import ModelWriter, PlaceReader, RateReader
from dashboard.api.routers.watch import versions_document
from dashboard.navigation import COMPARERS

router = APIRouter(tags=["models"])

StudyId = Annotated[Id, Path(description="Id of a study.")]
ModelId = Annotated[Id, Path(description="Id of a model version.")]
RescoringId = Annotated[Id, Path(description="Id of an order to score again.")]


@router.get("/models")
def list_models(caller: PlaceReader, kind: ScanKind | None = None) -> Listing[ModelDocument]:
    """The registered model versions (of one lane), the newest first."""
    with caller.open_session() as session:
        return Listing(items=[ModelDocument.model_validate(each) for each in list_model_versions(session, kind)])


@router.get("/models/{model_id}")
def read_model(model_id: ModelId, caller: PlaceReader) -> ModelWithCardDocument:
    """One of them with its card."""
    with caller.open_session() as session:
        found = read_model_version(session, model_id)
        if found is None:
            raise NotFoundError(f"There is no model version {model_id}.", remedy="See GET /models.")
        card = read_cards(session, [model_id])[model_id]
    return ModelWithCardDocument(**ModelDocument.model_validate(found).model_dump(), card=card)


@router.get("/studies/{study_id}/model-activations")
def list_activations(study_id: StudyId, caller: PlaceReader) -> Listing[ActivationDocument]:
    """The study's activations, those that hold first; the latest 100 at most."""
    with caller.open_session() as session:
        found: tuple[Activation, ...] = read_activations(session, study_id)
    return Listing(items=[ActivationDocument.model_validate(each) for each in found])


@router.get("/studies/{study_id}/rescorings")
def list_rescorings(study_id: StudyId, caller: RateReader) -> Listing[RescoringDocument]:
    """The study's orders to score scans again, the newest first; the latest 20 at most."""
    caller.require_role(COMPARERS)
    with caller.open_session() as session:
        rows = read_rescorings(session, study_id)
        counts = count_scans(session, [row.id for row in rows])
    return Listing(items=[_rescoring(row, counts.get(row.id)) for row in rows])


@router.get("/rescorings/{rescoring_id}/comparison")
def compare_rescoring(rescoring_id: RescoringId, caller: RateReader) -> VersionsDocument:
    """What counts, or counted until the order was adopted, against what the other model said of the same scans."""
    caller.require_role(COMPARERS)
    with caller.open_session() as session:
        if read_rescoring(session, rescoring_id) is None:
            raise NotFoundError(f"There is no order {rescoring_id}.", remedy="See GET /studies/{study_id}/rescorings.")
        return versions_document(compare_pairs(read_rescored_pairs(session, rescoring_id)))


@router.post("/studies/{study_id}/rescorings")
def order(study_id: StudyId, body: RescoringBody, caller: ModelWriter) -> OrderedDocument:
    """Order that scans are scored again, beside normal work; nothing counts by it."""
    reach = Reach(study_id, body.site_id, body.since, body.until)
    with caller.open_session() as session:
        added, n_scans = order_rescoring(
            session, actor=caller.actor, order=RescoringOrder(body.kind, reach, body.version_id), reason=body.reason
        )
    caller.installation.bell.ring(body.kind)
    return OrderedDocument(id=added, n_scans=n_scans)


@router.post("/rescorings/{rescoring_id}/stop")
def stop(rescoring_id: RescoringId, body: StopBody, caller: ModelWriter) -> RescoringDocument:
    """Score no more of its scans; what was scored stays beside what counts."""
    with caller.open_session() as session:
        stop_rescoring(session, actor=caller.actor, rescoring_id=rescoring_id, reason=body.reason)
        row = read_rescoring(session, rescoring_id)
        counts = count_scans(session, [rescoring_id])
    assert row is not None, "it was stopped a moment ago"
    return _rescoring(row, counts.get(rescoring_id))


def _rescoring(row: RescoringRow, counts: RescoringCounts | None) -> RescoringDocument:
    return RescoringDocument(
        id=row.id,
        study_id=row.reach.study_id,
        site_id=row.reach.site_id,
        kind=row.kind,
        version_id=row.version_id,
        model=row.model,
        since=row.reach.since,
        until=row.reach.until,
        reason=row.reason,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        state=row.state,
        started_at=row.started_at,
        ended_at=row.ended_at,
        adopted_at=row.adopted_at,
        adopted_by=row.adopted_by,
        adoption_reason=row.adoption_reason,
        adoption_ended_at=row.adoption_ended_at,
        scans=dict(counts.states) if counts else {},
        outcomes=dict(counts.outcomes) if counts else {},
    )
